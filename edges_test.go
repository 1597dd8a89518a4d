//go:build linux

package sockets_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// Write(nil) on a connection that FastOpenConnect has not begun yet is no error.
func TestFastOpenWritesNothing(t *testing.T) {
	netns := socktest.NewNetNS(t)
	socktest.InNetNS(t, netns, func() {
		if err := os.WriteFile("/proc/sys/net/ipv4/tcp_fastopen", []byte("3"), 0); err != nil {
			t.Skip(err)
		}
	})
	lc := sockets.ListenConfig{NetNS: netns, Options: []sockopt.Setting{sockopt.FastOpen.With(16)}}
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	d := sockets.Dialer{NetNS: netns, Options: []sockopt.Setting{sockopt.FastOpenConnect.With(true)}}
	first, err := d.Dial("tcp4", l.Addr().String()) // gets a cookie
	socktest.Check(t, err)
	_, err = first.Write([]byte("cookie"))
	socktest.Check(t, err)
	s, err := l.Accept()
	socktest.Check(t, err)
	conntest.WantMessage(t, s, "cookie")
	first.Close()
	s.Close()

	c, err := d.Dial("tcp4", l.Addr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	if n, err := c.Write(nil); n != 0 || err != nil {
		t.Errorf("Write(nil): %d, %v", n, err)
	}
	_, err = c.Write([]byte("hello"))
	socktest.Check(t, err)
	s, err = l.Accept()
	socktest.Check(t, err)
	socktest.CloseLater(t, s)
	conntest.WantMessage(t, s, "hello")
}

func init() {
	socktest.Children["broken stdout"] = func() error {
		args := flag.Args()
		return copyToStdout(args[0], args[1], args[2], args[3])
	}
}

// copyToStdout copies a connection, which net or this package dialed, to its standard
// output, which is broken.
func copyToStdout(who, how, network, amount string) error {
	address := map[string]string{"tcp4": "127.0.0.1:0", "unix": "@broken" + strconv.Itoa(os.Getpid())}[network]
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		b := make([]byte, 5)
		if amount == "much" {
			b = make([]byte, 100000)
		}
		for range 50 {
			if _, err = c.Write(b); err != nil {
				return
			}
		}
		c.Close()
	}()
	dial := net.Dial
	if who == "ours" {
		dial = sockets.Dial
	}
	c, err := dial(network, l.Addr().String())
	if err != nil {
		return err
	}
	switch how {
	case "io.Copy":
		_, err = io.Copy(os.Stdout, c)
	case "LimitedReader":
		_, err = io.Copy(os.Stdout, io.LimitReader(c, 1e6))
	case "Copy":
		_, err = sockets.Copy(os.Stdout, c)
	case "WriteTo":
		_, err = c.(io.WriterTo).WriteTo(os.Stdout)
	}
	fmt.Fprintln(os.Stderr, "goes on:", errors.Is(err, syscall.EPIPE))
	return nil
}

// Copying to a standard output that is broken ends as with package net.
func TestCopyToBrokenStdout(t *testing.T) {
	run := func(stdout string, args ...string) string {
		cmd := socktest.ChildCommand(t, "broken stdout", args...)
		var w *os.File
		if stdout == "pipe" {
			r, pipe, err := os.Pipe()
			socktest.Check(t, err)
			r.Close()
			w = pipe
		} else {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			socktest.Check(t, err)
			unix.Close(fds[0])
			w = os.NewFile(uintptr(fds[1]), "socket")
		}
		defer w.Close()
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = w, &stderr
		err := cmd.Run()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return exit.String() + " " + stderr.String()
		}
		socktest.Check(t, err)
		return strings.TrimSpace(stderr.String())
	}
	for _, stdout := range []string{"pipe", "socket"} {
		for _, tt := range []struct{ how, ours, network string }{
			{"io.Copy", "io.Copy", "tcp4"},
			{"WriteTo", "WriteTo", "tcp4"},
			{"LimitedReader", "Copy", "tcp4"},
			{"io.Copy", "Copy", "unix"}, // package os knows net's own conns, and no others
		} {
			for _, amount := range []string{"little", "much"} {
				want, got := run(stdout, "net", tt.how, tt.network, amount), run(stdout, "ours", tt.ours, tt.network, amount)
				if got != want {
					t.Errorf("%s to a %s, %s, %s: %s, with package net's %s %s", tt.ours, stdout, tt.network, amount, got, tt.how, want)
				}
			}
		}
	}
}

// AcceptWith ends with its context, and leaves the listener as it was.
func TestAcceptContext(t *testing.T) {
	l := conntest.Listen4(t)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, config := range map[string]sockets.AcceptConfig{
		"ended":          {Context: canceled},
		"ended, no wait": {Context: canceled, NoWait: true},
		"ended, timeout": {Context: canceled, Timeout: time.Hour},
	} {
		if _, err := l.AcceptWith(config); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", name, err)
		}
	}
	expired, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := l.AcceptWith(sockets.AcceptConfig{Context: expired})
	socktest.WantError(t, err, "accept", context.DeadlineExceeded)
	if op, ok := errors.AsType[*net.OpError](err); !ok || !op.Timeout() {
		t.Errorf("%v is no timeout", err)
	}
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		socktest.WhileBlocked(t, func() {
			_, err := l.AcceptWith(sockets.AcceptConfig{Context: ctx})
			socktest.WantError(t, err, "accept", context.Canceled)
		}, cancel)
	}
	// The next call is not struck.
	c := conntest.DialTo(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := l.AcceptWith(sockets.AcceptConfig{Context: ctx})
	socktest.Check(t, err)
	socktest.CloseLater(t, s)
	cancel()
	_, err = c.Write([]byte("hello"))
	socktest.Check(t, err)
	conntest.WantMessage(t, s, "hello")
}

// A peer whose path fills sun_path is answered at the address that it was received from.
func TestAnswerLongPath(t *testing.T) {
	dir := socktest.ShortDir(t)
	path := dir + "/" + strings.Repeat("p", 108-len(dir)-1)
	peer, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	socktest.Check(t, err)
	defer unix.Close(peer)
	// unix.Bind refuses it.
	raw, err := sockets.FromFD(mustDup(t, peer))
	socktest.Check(t, err)
	defer raw.Close()
	socktest.Check(t, raw.Bind(&sockets.RawAddr{Family: unix.AF_UNIX, Data: []byte(path)}))
	c, err := sockets.ListenPacket("unixgram", dir+"/s")
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	socktest.Check(t, unix.Sendto(peer, []byte("question"), 0, &unix.SockaddrUnix{Name: dir + "/s"}))
	u := c.(*sockets.UnixConn)
	b := make([]byte, 20)
	n, from, err := u.ReadFrom(b)
	if string(b[:n]) != "question" || err != nil || from.String() != path {
		t.Fatalf("received %q from %v, %v", b[:n], from, err)
	}
	for name, answer := range map[string]func() error{
		"WriteTo":      func() error { return socktest.ErrOf(u.WriteTo([]byte("answer"), from)) },
		"WriteToUnix":  func() error { return socktest.ErrOf(u.WriteToUnix([]byte("answer"), from.(*net.UnixAddr))) },
		"SendTo":       func() error { return socktest.ErrOf(u.SendTo([]byte("answer"), from, 0)) },
		"WriteMsgUnix": func() error { _, _, err := u.WriteMsgUnix([]byte("answer"), nil, from.(*net.UnixAddr)); return err },
		"WriteBatch": func() error {
			return socktest.ErrOf(u.WriteBatch([]sockets.Message{{Buffers: [][]byte{[]byte("answer")}, Addr: from}}, 0))
		},
	} {
		if err := answer(); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n, err := unix.Read(peer, b); string(b[:n]) != "answer" || err != nil {
			t.Errorf("%s: the peer received %q, %v", name, b[:n], err)
		}
	}
	if _, err := u.WriteTo([]byte("x"), &net.UnixAddr{Name: path + "p", Net: "unixgram"}); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("path of 109 bytes: %v, want EINVAL", err)
	}
}

func mustDup(t *testing.T, fd int) int {
	t.Helper()
	fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	socktest.Check(t, err)
	return fd
}

// SendToAddrPort and ReceiveFromAddrPort are SendTo and ReceiveFrom without allocations.
func TestAddrPortForms(t *testing.T) {
	a := conntest.ListenUDP(t, "udp4", "127.0.0.1:0")
	b := conntest.ListenUDP(t, "udp4", "127.0.0.1:0")
	to, from := b.LocalAddr().(*net.UDPAddr).AddrPort(), a.LocalAddr().(*net.UDPAddr).AddrPort()
	buf, data := make([]byte, 8), []byte("hello")
	step := func() {
		if n, err := a.SendToAddrPort(data, to, sockets.MsgDontWait); n != 5 || err != nil {
			t.Fatal(n, err)
		}
		if n, got, err := b.ReceiveFromAddrPort(buf, sockets.MsgPeek); n != 5 || got != from || err != nil {
			t.Fatal(n, got, err)
		}
		if n, got, err := b.ReceiveFromAddrPort(buf, 0); string(buf[:n]) != "hello" || got != from || err != nil {
			t.Fatal(n, got, err)
		}
	}
	step()
	if n := testing.AllocsPerRun(100, step); n != 0 && !socktest.Race {
		t.Errorf("%v allocations", n)
	}
	_, err := a.SendToAddrPort([]byte("longer than that"), to, 0)
	socktest.Check(t, err)
	if n, got, err := b.ReceiveFromAddrPort(buf, 0); n != 8 || got != from || !errors.Is(err, io.ErrShortBuffer) {
		t.Errorf("cut: %d from %v, %v", n, got, err)
	}
	_, _, err = b.ReceiveFromAddrPort(buf, sockets.MsgDontWait)
	socktest.WantError(t, err, "read", sockets.ErrWouldBlock)
	_, err = a.SendToAddrPort(data, netip.MustParseAddrPort("[::1]:9"), 0)
	if addr, ok := errors.AsType[*net.AddrError](err); !ok {
		t.Errorf("IPv6: %v, want an *AddrError, not %v", err, addr)
	}
	_, err = a.SendToAddrPort(data, netip.AddrPort{}, 0)
	socktest.WantError(t, err, "write", syscall.EDESTADDRREQ)
	_, err = a.SendToAddrPort(data, to, 1<<30)
	socktest.WantError(t, err, "write", syscall.EINVAL)
	_, err = new(sockets.UDPConn).SendToAddrPort(data, to, 0)
	if err != syscall.EINVAL {
		t.Errorf("zero: %v", err)
	}
}

// Port 0 of a vsock listener is one that the kernel chooses.
func TestVsockPortZero(t *testing.T) {
	for _, address := range []string{":0", "*:0", "1:0"} {
		l, err := sockets.Listen("vsock", address)
		if errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Skip("no vsock: ", err)
		}
		socktest.Check(t, err)
		if port := l.Addr().(*sockets.VsockAddr).Port; port == 0 || port == sockets.VsockAny {
			t.Errorf("%s: port %d", address, port)
		}
		l.Close()
	}
}
