package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/upgrade"
)

// serveReplaceable is the server: it answers with the digest of what was posted, and
// with its process ID, until a successor has taken over or its standard input ends. A
// request for /upgrade has it start the successor.
func serveReplaceable() error {
	ctx := context.Background()
	up, err := upgrade.New(upgrade.Config{})
	if err != nil {
		return err
	}
	l, err := up.Listen(ctx, nil, "web", "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := up.Ready(ctx); err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, os.Stdin) // until quickstart ends, however it does
		up.Stop()
	}()
	mux := http.NewServeMux()
	mux.HandleFunc("/upgrade", func(w http.ResponseWriter, r *http.Request) {
		if err := up.Upgrade(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		digest := sha256.New()
		if _, err := io.Copy(digest, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%d %x", os.Getpid(), digest.Sum(nil))
	})
	s := upgrade.Server{HTTP: &http.Server{Handler: mux}}
	go s.Serve(l)
	<-up.Done()
	return s.Drain(ctx)
}

// replaceServer posts to a server that is replaced by new processes all the while.
func replaceServer(p *progress) error {
	const clients, upgrades = 4, 5
	l, err := sockets.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	server, err := startPart("server", activation.Named{Name: "web", Conn: l.(*sockets.TCPListener)})
	if err != nil {
		return err
	}
	defer server.end()

	serving := answers{seen: make(map[int64]bool)}
	var sent, lost atomic.Int64
	errs := make(chan error, 1)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			t := &http.Transport{DisableKeepAlives: i%2 == 0}
			defer t.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				sent.Add(1)
				pid, err := post(&http.Client{Transport: t, Timeout: time.Minute}, l.Addr())
				if err == nil {
					serving.last.Store(pid)
					continue
				}
				lost.Add(1)
				select {
				case errs <- err:
				default:
				}
			}
		})
	}
	for range upgrades {
		if err = serving.await(&sent); err != nil {
			break
		}
		p.dot()
		if err = requestUpgrade(l.Addr()); err != nil {
			break
		}
	}
	if err == nil {
		err = serving.await(&sent)
	}
	close(stop)
	wg.Wait()
	if lost.Load() > 0 {
		return fmt.Errorf("%d of %d requests lost: %w", lost.Load(), sent.Load(), <-errs)
	}
	if err == nil {
		p.result("%d upgrades, 0 of %d requests lost", upgrades, sent.Load())
	}
	return err
}

// answers knows which processes have answered.
type answers struct {
	last atomic.Int64 // the process ID in the last answer
	seen map[int64]bool
}

// await waits until a process answers that has not done so before, and for some more
// requests. The one before goes on answering for a moment.
func (a *answers) await(sent *atomic.Int64) error {
	const between = 500
	from := sent.Load()
	var pid int64
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if last := a.last.Load(); pid == 0 && last != 0 && !a.seen[last] {
			pid = last
			a.seen[pid] = true
		}
		if pid != 0 && sent.Load() >= from+between {
			return nil
		}
	}
	return errors.New("no new process has answered within a minute")
}

// requestUpgrade has the server replace itself, and waits until it has.
func requestUpgrade(addr net.Addr) error {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	for end := time.Now().Add(time.Minute); ; {
		resp, err := c.Post("http://"+addr.String()+"/upgrade", "", nil)
		if err != nil {
			return err
		}
		why, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode == http.StatusOK {
			return err
		}
		// The process before it may still have answered.
		if time.Now().After(end) {
			return fmt.Errorf("%s: %s", resp.Status, why)
		}
	}
}

// post sends a request that the client does not repeat, and returns the ID of the
// process that answered.
func post(c *http.Client, addr net.Addr) (pid int64, err error) {
	body := make([]byte, rand.IntN(20000))
	for i := range body {
		body[i] = byte(rand.Uint32())
	}
	resp, err := c.Post("http://"+addr.String(), "application/octet-stream", io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	id, digest, _ := bytes.Cut(answer, []byte(" "))
	if want := fmt.Sprintf("%x", sha256.Sum256(body)); string(digest) != want {
		return 0, fmt.Errorf("answer %q, want the digest %s", answer, want)
	}
	return strconv.ParseInt(string(id), 10, 64)
}

// A process is a part of this program in a process of its own, and what that starts.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *os.File // which ends with the last process that holds it
}

// startPart starts a part with sockets.
func startPart(name string, socks ...activation.Named) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), partVar+"="+name)
	if err := activation.PassTo(cmd, socks...); err != nil {
		return nil, err
	}
	defer activation.ClosePassed(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		stdin.Close()
		stdout.Close()
		return nil, err
	}
	return &process{cmd, stdin, stdout}, nil
}

// end tells the part to end, waits for all its processes, and returns what they printed.
func (p *process) end() (output []byte, err error) {
	p.stdin.Close()
	output, err = io.ReadAll(p.stdout)
	p.stdout.Close()
	return output, errors.Join(err, p.cmd.Wait())
}
