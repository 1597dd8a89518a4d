//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/sockopt"
)

func ExampleUnixConn_SendFD() {
	a, b, err := sockets.Pair("unix")
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()

	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := a.SendFD(w); err != nil {
		log.Fatal(err)
	}
	w.Close() // the copy stays open

	// Usually in another process.
	received, err := b.ReceiveFD()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(received, "through a pipe that came over a socket")
	received.Close()

	text, err := io.ReadAll(r)
	r.Close()
	fmt.Printf("%s %v\n", text, err)
	// Output: through a pipe that came over a socket <nil>
}

func ExampleUnixConn_ReceiveFD() {
	a, b, err := sockets.Pair("unix")
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()

	fmt.Fprint(a, "plain data")
	_, err = b.ReceiveFD()
	fmt.Println(errors.Is(err, sockets.ErrNoDescriptor))

	buf := make([]byte, 100)
	n, err := b.Read(buf)
	fmt.Printf("%s %v\n", buf[:n], err)
	// Output:
	// true
	// plain data <nil>
}

func ExampleUnixConn_SendFDs() {
	a, b, err := sockets.Pair("unixpacket")
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()

	if _, err := a.SendFDs([]byte("in and out"), os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 100)
	n, files, err := b.ReceiveFDs(buf, 2)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		defer f.Close()
	}
	fmt.Printf("%s: %d files\n", buf[:n], len(files))
	// Output: in and out: 2 files
}

func ExampleUnixConn_ReceiveFDs() {
	a, b, err := sockets.Pair("unixpacket")
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()

	if _, err := a.SendFDs([]byte("three"), os.Stdin, os.Stdout, os.Stderr); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 100)
	n, files, err := b.ReceiveFDs(buf, 2)
	fmt.Printf("%s, %d files, too many: %t\n", buf[:n], len(files), errors.Is(err, sockets.ErrTooManyDescriptors))
	// Output: three, 0 files, too many: true
}

func ExampleUnixConn_SendRawFDs() {
	a, b, err := sockets.Pair("unix")
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()

	if _, err := a.SendRawFDs([]byte("stdio"), 0, 1, 2); err != nil {
		log.Fatal(err)
	}
	buf, fds := make([]byte, 100), make([]int, sockets.MaxDescriptors)
	n, nfds, err := b.ReceiveRawFDs(buf, fds)
	if err != nil {
		log.Fatal(err)
	}
	for _, fd := range fds[:nfds] {
		os.NewFile(uintptr(fd), "received").Close()
	}
	fmt.Printf("%s: %d descriptors\n", buf[:n], nfds)
	// Output: stdio: 3 descriptors
}

func ExampleUnixConn_ReceiveSocket() {
	a, b, err := sockets.Pair("unix")
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if err := a.SendFD(l.(*net.TCPListener)); err != nil {
		log.Fatal(err)
	}
	l.Close()

	s, err := b.ReceiveSocket()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	received, err := s.Listener()
	if err != nil {
		log.Fatal(err)
	}
	defer received.Close()
	fmt.Printf("%T %t\n", received, received.Addr().String() == l.Addr().String())
	// Output: *sockets.TCPListener true
}

func ExampleUnixConn_ReceiveCred() {
	a, b, err := sockets.Pair("unix")
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	if err := sockopt.PassCred.Set(b, true); err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(a, "who am I?")
	buf := make([]byte, 100)
	n, cred, err := b.ReceiveCred(buf)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %t\n", buf[:n], cred.PID == os.Getpid())
	// Output: who am I? true
}

func ExampleUnixConn_SendCred() {
	a, b, err := sockets.Pair("unixgram")
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	if err := sockopt.PassCred.Set(b, true); err != nil {
		log.Fatal(err)
	}
	if _, err := a.SendCred([]byte("me"), sockopt.Ucred{}); err != nil {
		log.Fatal(err)
	}
	_, cred, err := b.ReceiveCred(make([]byte, 100))
	fmt.Println(cred.UID == uint32(os.Geteuid()), err)
	// Output: true <nil>
}

func ExampleFromFile() {
	// A file that another library made from a socket.
	std, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	f, err := std.(*net.UDPConn).File()
	if err != nil {
		log.Fatal(err)
	}
	std.Close()

	s, err := sockets.FromFile(f)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	f.Close() // the Socket has its own copy
	c, err := s.PacketConn()
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Printf("%T %t\n", c, c.LocalAddr().String() == std.LocalAddr().String())
	// Output: *sockets.UDPConn true
}

func ExampleFromFD() {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET, 0)
	if err != nil {
		log.Fatal(err)
	}
	syscall.Close(fds[1])

	s, err := sockets.FromFD(fds[0])
	if err != nil {
		syscall.Close(fds[0]) // still ours
		log.Fatal(err)
	}
	defer s.Close()
	fmt.Println(s, s.Connected(), s.Listening())
	// Output: unix seqpacket socket connected from @ to @ true false
}

func ExampleSetBlocking() {
	a, b, err := sockets.Pair("unix")
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()

	// cat cannot wait on a non-blocking standard input. The socket is not used here
	// any more, so that its mode may change.
	if err := sockets.SetBlocking(b, true); err != nil {
		log.Fatal(err)
	}
	f, err := b.File()
	if err != nil {
		log.Fatal(err)
	}
	b.Close()
	cmd := exec.Command("cat")
	cmd.Stdin = f
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	f.Close()
	fmt.Fprint(a, "read by cat")
	a.Close()
	err = cmd.Wait()
	fmt.Println(out.String(), err)
	// Output: read by cat <nil>
}

func ExampleBlocking() {
	c, err := sockets.New("udp")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	on, err := sockets.Blocking(c)
	fmt.Println(on, err)
	// Output: false <nil>
}
