//go:build linux

package upgrade_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/upgrade"
)

// The environment of the server that the tests start.
const (
	dirVar       = "UPGRADE_TEST_DIR"       // where its sockets are; makes the test binary the server
	behaviourVar = "UPGRADE_TEST_BEHAVIOUR" // how a process that is started with it misbehaves
	controlVar   = "UPGRADE_TEST_CONTROL"   // a path for Config.Control
	addrVar      = "UPGRADE_TEST_ADDR"      // host:port, of which the next ports are used as well
)

// serve is a program on this package: HTTP over TCP and unix, HTTP/2 over TLS, lines
// over TCP, datagrams.
func serve() error {
	log.SetFlags(0)
	log.SetPrefix(fmt.Sprintf("server %d: ", os.Getpid()))
	if os.Getenv("UPGRADE_TEST_SUPERVISE") != "" {
		if err := upgrade.Supervise(); err != nil {
			return err
		}
	}
	if os.Getenv("UPGRADE_TEST_STDOUT") == "closed" {
		os.Stdout.Close()
	}
	if dir := os.Getenv("UPGRADE_TEST_CHDIR"); dir != "" {
		if err := os.Chdir(dir); err != nil {
			return err
		}
	}
	ctx := context.Background()
	dir := os.Getenv(dirVar)
	if os.Getenv(behaviourVar) == "crash" {
		fmt.Println("first words")
		panic("told to crash")
	}
	config := upgrade.Config{
		PIDFile: filepath.Join(dir, "pid"),
		Control: os.Getenv(controlVar),
		Command: successorBehaviour(dir),
	}
	config.ReadyTimeout = 20 * time.Second
	if dir := os.Getenv("UPGRADE_TEST_CHDIR_LATER"); dir != "" {
		config.PIDFile, config.Control = "pid", "control"
	}
	if os.Getenv(behaviourVar) == "no pid directory" {
		config.PIDFile = filepath.Join(dir, "missing", "pid")
	}
	if os.Getenv("UPGRADE_TEST_IMPATIENT") != "" {
		config.ReadyTimeout = 15 * time.Second // enough for those that do not hang
	}
	up, err := upgrade.New(config)
	if err != nil {
		return err
	}
	host, portText, err := net.SplitHostPort(os.Getenv(addrVar))
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return err
	}
	addr := func(i int) string { return net.JoinHostPort(host, strconv.Itoa(port+i)) }
	listen := func(name, network, address string) net.Listener {
		l, e := up.Listen(ctx, &sockets.ListenConfig{ReplaceStale: true}, name, network, address)
		if e != nil && err == nil {
			err = e
		}
		return l
	}
	path := filepath.Join(dir, "http")
	if os.Getenv(behaviourVar) == "another path" {
		path = filepath.Join(dir, "moved")
	}
	web, unix := listen("web", "tcp", addr(0)), listen("unix", "unix", path)
	secure, lines := listen("tls", "tcp", addr(1)), listen("lines", "tcp", addr(2))
	if err != nil {
		return err
	}
	datagrams, err := up.ListenPacket(ctx, nil, "datagrams", "udp", addr(3))
	if err != nil {
		return err
	}
	if os.Getenv(behaviourVar) == "talk" {
		for _, err := os.Lstat(filepath.Join(dir, "enough")); err != nil; _, err = os.Lstat(filepath.Join(dir, "enough")) {
			fmt.Println("I talk")
		}
	}
	if os.Getenv(behaviourVar) == "hang" {
		fmt.Fprintln(os.Stderr, "I hang")
		select {}
	}

	s := &upgrade.Server{HTTP: new(http.Server)}
	s.HTTP.Handler = handler(s)
	l := &upgrade.Server{Handler: echoLines}
	if _, err := up.Ready(ctx); err != nil {
		return err
	}
	if dir := os.Getenv("UPGRADE_TEST_CHDIR_LATER"); dir != "" {
		if err := os.Chdir(dir); err != nil {
			return err
		}
	}
	go s.Serve(web)
	go s.Serve(unix)
	go s.ServeTLS(secure, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	go l.Serve(lines)
	echoed := make(chan struct{})
	go func() {
		defer close(echoed)
		echoDatagrams(datagrams)
	}()
	if os.Getenv(behaviourVar) == "crash after ready" {
		os.Exit(3)
	}

	if os.Getenv("UPGRADE_TEST_FILES") != "" {
		if err := limitFiles(); err != nil {
			return err
		}
	}

	<-up.Done()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	datagrams.SetReadDeadline(time.Unix(1, 0))
	<-echoed
	datagrams.Close()
	drained := make(chan error, 1)
	go func() { drained <- l.Drain(ctx) }()
	err = s.Drain(ctx)
	if e := <-drained; err == nil {
		err = e
	}
	return err
}

// limitFiles leaves the process room for four more descriptors.
func limitFiles() error {
	f, err := os.Open("/")
	if err != nil {
		return err
	}
	defer f.Close()
	limit := &syscall.Rlimit{Cur: uint64(f.Fd()) + 5, Max: uint64(f.Fd()) + 5}
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, limit)
}

// handler answers with the digest of the body, as long polls do, or as a websocket.
func handler(s *upgrade.Server) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/digest", func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		if _, err := io.Copy(h, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Server-Process", strconv.Itoa(os.Getpid()))
		io.WriteString(w, hex.EncodeToString(h.Sum(nil)))
	})
	mux.HandleFunc("/poll", func(w http.ResponseWriter, r *http.Request) {
		// Until after the upgrade has begun, and for a while.
		select {
		case <-s.Draining():
			time.Sleep(100 * time.Millisecond)
		case <-time.After(time.Second):
		}
		fmt.Fprint(w, os.Getpid())
	})
	mux.HandleFunc("/websocket", func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n")
		echo(c, rw.Reader, s.Draining())
	})
	return mux
}

func echoLines(ctx context.Context, c net.Conn) {
	defer c.Close()
	echo(c, bufio.NewReader(c), ctx.Done())
}

// echo sends lines back. Once it is told to end it says bye, and goes on until the
// client hangs up, so that no line is lost.
func echo(c net.Conn, r *bufio.Reader, end <-chan struct{}) {
	var mu sync.Mutex
	said := make(chan struct{})
	defer close(said)
	go func() {
		select {
		case <-end:
			mu.Lock()
			defer mu.Unlock()
			io.WriteString(c, "bye\n")
		case <-said:
		}
	}()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		mu.Lock()
		io.WriteString(c, line)
		mu.Unlock()
	}
}

// echoDatagrams sends datagrams back until its deadline.
func echoDatagrams(c net.PacketConn) {
	b := make([]byte, 2048)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		c.WriteTo(b[:n], from)
	}
}

var _ net.PacketConn = (*sockets.UDPConn)(nil)

// successorBehaviour gives the successor the behaviour that the file of that name in dir
// tells, if there is one.
func successorBehaviour(dir string) func(*exec.Cmd) error {
	return func(cmd *exec.Cmd) error {
		b, err := os.ReadFile(filepath.Join(dir, "behaviour"))
		if errors.Is(err, fs.ErrNotExist) {
			b, err = nil, nil
		}
		cmd.Env = append(cmd.Environ(), behaviourVar+"="+string(b))
		if string(b) == "gone" {
			cmd.Path = filepath.Join(dir, "gone")
		}
		if string(b) == "nobody" {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: socktest.Nobody, Gid: socktest.Nobody}}
		}
		return err
	}
}
