//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
	"golang.org/x/sys/unix"
)

// awaitParked returns once n goroutines wait for input or output in a method of a
// socket's whose name has the given end.
func awaitParked(t *testing.T, method string, n int) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for deadline := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
		count := 0
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "[IO wait") && strings.Contains(g, method) {
				count++
			}
		}
		if count >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d calls of %s wait, want %d", count, method, n)
		}
	}
}

// withinTime fails the test if call waits.
func withinTime(t *testing.T, name string, call func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { call(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s waits", name)
	}
}

// TestDontWaitBehindReader has calls that do not wait come to their end while another
// waits for the same direction.
func TestDontWaitBehindReader(t *testing.T) {
	type conn interface {
		net.Conn
		ReceiveFrom([]byte, sockets.MsgFlags) (int, net.Addr, error)
	}
	conns := map[string]func(t *testing.T) (conn, net.Conn){
		"tcp": func(t *testing.T) (conn, net.Conn) {
			a, b := tcpPair(t)
			return a, b
		},
		"udp": func(t *testing.T) (conn, net.Conn) {
			a, b := udpPair(t, false)
			return a, b
		},
		"udp, offload": func(t *testing.T) (conn, net.Conn) {
			a, b := udpPair(t, true)
			return a, b
		},
	}
	for _, network := range socktest.UnixNetworks {
		conns[network] = func(t *testing.T) (conn, net.Conn) {
			a, b := conntest.Pair(t, network)
			return a, b
		}
	}
	for name, open := range conns {
		t.Run(name, func(t *testing.T) {
			a, b := open(t)
			defer b.Close()
			var wg sync.WaitGroup
			wg.Go(func() { a.Read(make([]byte, 10)) })
			awaitParked(t, ".Read(", 1)
			for _, flags := range []sockets.MsgFlags{sockets.MsgDontWait, sockets.MsgDontWait | sockets.MsgPeek} {
				withinTime(t, fmt.Sprintf("ReceiveFrom(%v)", flags), func() {
					n, _, err := a.ReceiveFrom(make([]byte, 10), flags)
					if n != 0 || !errors.Is(err, sockets.ErrWouldBlock) {
						t.Errorf("ReceiveFrom(%v) = %d, %v, want ErrWouldBlock", flags, n, err)
					}
				})
			}
			if r, ok := a.(interface {
				ReadBatch([]sockets.Message, int) (int, error)
			}); ok && name != "unix" {
				for _, flags := range []int{unix.MSG_DONTWAIT, unix.MSG_DONTWAIT | unix.MSG_ERRQUEUE} {
					withinTime(t, "ReadBatch", func() {
						n, err := r.ReadBatch([]sockets.Message{{Buffers: [][]byte{make([]byte, 10)}}}, flags)
						if n != 0 || !errors.Is(err, syscall.EAGAIN) {
							t.Errorf("ReadBatch(%#x) = %d, %v, want EAGAIN", flags, n, err)
						}
					})
				}
			}
			a.Close()
			wg.Wait()
		})
	}
}

// TestDontWaitBehindWriter has SendTo and WriteBatch with DontWait fail while a Write
// waits for room, and keep out of the middle of what it writes.
func TestDontWaitBehindWriter(t *testing.T) {
	type sender interface {
		net.Conn
		SendTo([]byte, net.Addr, sockets.MsgFlags) (int, error)
	}
	for _, network := range append([]string{"tcp"}, socktest.UnixNetworks...) {
		t.Run(network, func(t *testing.T) {
			var a sender
			var b net.Conn
			if network == "tcp" {
				a, b = tcpPair(t)
			} else {
				a, b = conntest.Pair(t, network)
			}
			const size = 20 << 20
			wrote := make(chan error, 1)
			go func() {
				if network == "tcp" || network == "unix" {
					_, err := a.Write(make([]byte, size))
					wrote <- err
					return
				}
				for range 2000 {
					if _, err := a.Write(make([]byte, 2000)); err != nil {
						wrote <- err
						return
					}
				}
				wrote <- nil
			}()
			awaitParked(t, ".Write(", 1)
			withinTime(t, "SendTo", func() {
				if n, err := a.SendTo([]byte("middle"), nil, sockets.MsgDontWait); n != 0 || !errors.Is(err, sockets.ErrWouldBlock) {
					t.Errorf("SendTo(DontWait) = %d, %v, want ErrWouldBlock", n, err)
				}
			})
			if network == "unixgram" || network == "unixpacket" {
				withinTime(t, "WriteBatch", func() {
					n, err := a.(*sockets.UnixConn).WriteBatch([]sockets.Message{{Buffers: [][]byte{{1}}}}, unix.MSG_DONTWAIT)
					if n != 0 || !errors.Is(err, syscall.EAGAIN) {
						t.Errorf("WriteBatch(MSG_DONTWAIT) = %d, %v, want EAGAIN", n, err)
					}
				})
			} else {
				// Room comes, and still nothing gets in between.
				go func() {
					for range 2000 {
						a.SendTo([]byte("x"), nil, sockets.MsgDontWait)
						runtime.Gosched()
					}
				}()
				got := make([]byte, size)
				if _, err := io.ReadFull(b, got); err != nil {
					t.Fatal(err)
				}
				for i, c := range got {
					if c != 0 {
						t.Fatalf("byte %d is of another call", i)
					}
				}
			}
			b.Close()
			a.Close()
			<-wrote
		})
	}
}

// TestDontWaitErrorQueue reads a report while another call waits for datagrams.
func TestDontWaitErrorQueue(t *testing.T) {
	u, v := udpPair(t, false)
	v.Close()
	socktest.Check(t, sockopt.ReceiveError.Set(u, true))
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if _, err := u.Read(make([]byte, 1)); err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
				return
			}
		}
	})
	awaitParked(t, ".Read(", 1)
	if _, err := u.Write([]byte("to a closed port")); err != nil {
		t.Fatal(err)
	}
	withinTime(t, "ReadBatch of the error queue", func() {
		ms := []sockets.Message{{Buffers: [][]byte{make([]byte, 100)}, OOB: make([]byte, 200)}}
		n, err := u.ReadBatch(ms, unix.MSG_ERRQUEUE)
		if n != 1 || err != nil || string(ms[0].Buffers[0][:ms[0].N]) != "to a closed port" {
			t.Errorf("ReadBatch(MSG_ERRQUEUE) = %d, %v, %q", n, err, ms[0].Buffers[0][:ms[0].N])
		}
	})
	u.Close()
	wg.Wait()
}

// TestDontWaitPastDeadline has a deadline concern what waits alone.
func TestDontWaitPastDeadline(t *testing.T) {
	a, b := tcpPair(t)
	socktest.Check(t, a.SetDeadline(time.Unix(1, 0)))
	if _, err := b.Write([]byte("here")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4)
	for {
		n, _, err := a.ReceiveFrom(buf, sockets.MsgDontWait)
		if errors.Is(err, sockets.ErrWouldBlock) {
			continue
		}
		if err != nil || string(buf[:n]) != "here" {
			t.Errorf("ReceiveFrom(DontWait) = %q, %v", buf[:n], err)
		}
		break
	}
	if n, err := a.SendTo([]byte("there"), nil, sockets.MsgDontWait); n != 5 || err != nil {
		t.Errorf("SendTo(DontWait) = %d, %v", n, err)
	}
	if _, err := a.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: %v, want that the deadline is exceeded", err)
	}
}

// tcpPair returns the two ends of a TCP connection.
func tcpPair(tb testing.TB) (a, b *sockets.TCPConn) {
	tb.Helper()
	l, err := sockets.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	c, err := sockets.Dial("tcp", l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	d, err := l.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.Close() })
	return c.(*sockets.TCPConn), d.(*sockets.TCPConn)
}

// udpPair returns two UDP sockets that are connected with each other.
func udpPair(tb testing.TB, offload bool) (a, b *sockets.UDPConn) {
	tb.Helper()
	for _, c := range []**sockets.UDPConn{&a, &b} {
		pc, err := sockets.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { pc.Close() })
		*c = pc.(*sockets.UDPConn)
	}
	socktest.Check(tb, a.Connect(b.LocalAddr()))
	socktest.Check(tb, b.Connect(a.LocalAddr()))
	if offload {
		if err := a.SetOffload(true); errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOPROTOOPT) {
			tb.Skip(err)
		} else if err != nil {
			tb.Fatal(err)
		}
	}
	return a, b
}
