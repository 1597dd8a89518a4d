//go:build linux

package sockets_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
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
				// As long as those that wait: there may be room for a shorter one.
				if n, err := a.SendTo(make([]byte, 2000), nil, sockets.MsgDontWait); n != 0 || !errors.Is(err, sockets.ErrWouldBlock) {
					t.Errorf("SendTo(DontWait) = %d, %v, want ErrWouldBlock", n, err)
				}
			})
			if network == "unixgram" || network == "unixpacket" {
				withinTime(t, "WriteBatch", func() {
					n, err := a.(*sockets.UnixConn).WriteBatch([]sockets.Message{{Buffers: [][]byte{make([]byte, 2000)}}}, unix.MSG_DONTWAIT)
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

// TestDontWaitAfterWriter has DontWait find room again once those that had to wait for it
// have written everything.
func TestDontWaitAfterWriter(t *testing.T) {
	const size = 8 << 20
	data := make([]byte, size)
	writes := []struct {
		name  string
		write func(c *sockets.UnixConn) (int, error)
	}{
		{"Write", func(c *sockets.UnixConn) (int, error) { return c.Write(data) }},
		{"SendTo", func(c *sockets.UnixConn) (int, error) { return c.SendTo(data, nil, 0) }},
		{"WriteBuffers", func(c *sockets.UnixConn) (int, error) {
			bufs := net.Buffers{data[:size/2], data[size/2:]}
			n, err := c.WriteBuffers(&bufs)
			return int(n), err
		}},
		{"SendFDs", func(c *sockets.UnixConn) (int, error) { return c.SendFDs(data, os.Stderr) }},
	}
	for _, tt := range writes {
		t.Run(tt.name, func(t *testing.T) {
			a, b := conntest.Pair(t, "unix")
			var wg sync.WaitGroup
			wg.Go(func() {
				if n, err := tt.write(a); n != size || err != nil {
					t.Errorf("%s = %d, %v", tt.name, n, err)
				}
			})
			awaitParked(t, "."+tt.name+"(", 1)
			if _, err := io.ReadFull(b, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			wg.Wait()
			if n, err := a.SendTo([]byte("x"), nil, sockets.MsgDontWait); n != 1 || err != nil {
				t.Errorf("SendTo(DontWait) behind %s = %d, %v", tt.name, n, err)
			}
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
		var n int
		var err error
		socktest.WaitUntil(func() bool { // the report may come late; in gVisor poll does not tell it if Read took the error
			n, err = u.ReadBatch(ms, unix.MSG_ERRQUEUE)
			return !errors.Is(err, syscall.EAGAIN)
		})
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

// TestUrgentData follows one urgent byte through a TCP stream, RFC 9293 section
// 3.8.5.
func TestUrgentData(t *testing.T) {
	socktest.NeedUrgent(t)
	t.Run("none", func(t *testing.T) {
		_, b := conntest.Dialed(t, "tcp4")
		_, _, err := b.ReceiveFrom(make([]byte, 1), sockets.MsgOutOfBand)
		socktest.WantError(t, err, "read", syscall.EINVAL)
	})
	t.Run("apart", func(t *testing.T) {
		a, b := conntest.Dialed(t, "tcp4")
		conntest.Send(t, a, "ab!", sockets.MsgOutOfBand)
		conntest.Send(t, a, "cd", 0)
		// The stream stops at the mark once.
		conntest.WantReceive(t, b, 2, sockets.MsgWaitAll, "ab")
		conntest.WantReceive(t, b, 8, sockets.MsgOutOfBand|sockets.MsgPeek, "!")
		conntest.WantReceive(t, b, 8, sockets.MsgOutOfBand|sockets.MsgWaitAll, "!")
		_, _, err := b.ReceiveFrom(make([]byte, 1), sockets.MsgOutOfBand)
		socktest.WantError(t, err, "read", syscall.EINVAL)
		conntest.WantReceive(t, b, 2, sockets.MsgWaitAll, "cd")
	})
	t.Run("inline", func(t *testing.T) {
		a, b := conntest.Dialed(t, "tcp4")
		socktest.Check(t, sockopt.OOBInline.Set(b, true))
		conntest.Send(t, a, "ab!", sockets.MsgOutOfBand)
		conntest.Send(t, a, "cd", 0)
		conntest.WantReceive(t, b, 5, sockets.MsgWaitAll, "ab!cd")
		_, _, err := b.ReceiveFrom(make([]byte, 1), sockets.MsgOutOfBand)
		socktest.WantError(t, err, "read", syscall.EINVAL)
	})
	t.Run("unix", func(t *testing.T) {
		socktest.NeedUrgentUnix(t)
		a, b := conntest.Dialed(t, "unix")
		conntest.Send(t, a, "ab!", sockets.MsgOutOfBand)
		conntest.WantReceive(t, b, 8, sockets.MsgOutOfBand, "!")
		conntest.WantReceive(t, b, 8, 0, "ab")
	})
	t.Run("datagram", func(t *testing.T) {
		a, b := conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4")
		_, err := a.SendTo([]byte("x"), b.LocalAddr(), sockets.MsgOutOfBand)
		socktest.WantError(t, err, "write", syscall.EOPNOTSUPP)
	})
}

// TestUrgentDataOfMany sends so much that the kernel takes it in parts: the last
// byte alone is urgent, and nothing else is missing from the stream.
func TestUrgentDataOfMany(t *testing.T) {
	socktest.NeedUrgent(t)
	a, b := conntest.Dialed(t, "tcp4")
	socktest.Check(t, sockopt.SendBuffer.Set(a, 4096))
	data := append(bytes.Repeat([]byte("."), 1<<20), '!')
	sent := make(chan error, 1)
	go func() {
		n, err := a.SendTo(data, nil, sockets.MsgOutOfBand)
		if err == nil && n != len(data) {
			err = io.ErrShortWrite
		}
		sent <- err
		a.Close()
	}()
	got, err := io.ReadAll(b)
	socktest.Check(t, err)
	socktest.Check(t, <-sent)
	if diff := cmp.Diff(len(data)-1, len(got)); diff != "" || bytes.IndexByte(got, '!') >= 0 {
		t.Errorf("the stream has another length than all but the urgent byte (-want +got):\n%s", diff)
	}
}

// TestWaitAll ends the wait for a full buffer in every way there is.
func TestWaitAll(t *testing.T) {
	for _, flags := range []sockets.MsgFlags{sockets.MsgWaitAll, sockets.MsgWaitAll | sockets.MsgPeek} {
		for _, network := range []string{"tcp4", "unix"} {
			t.Run(network+" "+flags.String(), func(t *testing.T) {
				if network == "unix" && flags&sockets.MsgPeek != 0 {
					socktest.NeedPeek(t)
				}
				t.Run("full", func(t *testing.T) {
					a, b := conntest.Dialed(t, network)
					conntest.Send(t, a, "first ", 0)
					socktest.WhileBlocked(t, func() { conntest.WantReceive(t, b, 12, flags, "first second") }, func() {
						conntest.Send(t, a, "second third", 0)
					})
				})
				t.Run("end of the stream", func(t *testing.T) {
					a, b := conntest.Dialed(t, network)
					conntest.Send(t, a, "last", 0)
					socktest.WhileBlocked(t, func() { conntest.WantReceive(t, b, 12, flags, "last") }, func() {
						socktest.Check(t, a.Close())
					})
					if flags&sockets.MsgPeek != 0 {
						conntest.WantReceive(t, b, 12, 0, "last")
					}
					n, _, err := b.ReceiveFrom(make([]byte, 1), flags)
					if n != 0 || err != io.EOF {
						t.Errorf("after the end %d, %v; want EOF", n, err)
					}
				})
				t.Run("deadline", func(t *testing.T) {
					a, b := conntest.Dialed(t, network)
					conntest.Send(t, a, "some", 0)
					// The data has arrived before the time starts.
					conntest.WantReceive(t, b, 4, sockets.MsgPeek|sockets.MsgWaitAll, "some")
					buf := make([]byte, 12)
					var n int
					var err error
					socktest.WhileBlocked(t, func() { n, _, err = b.ReceiveFrom(buf, flags) }, func() {
						socktest.Check(t, b.SetReadDeadline(time.Now()))
					})
					socktest.WantError(t, err, "read", os.ErrDeadlineExceeded)
					if got := string(buf[:n]); got != "some" {
						t.Errorf("received %q by the deadline, want some", got)
					}
				})
				t.Run("without waiting", func(t *testing.T) {
					a, b := conntest.Dialed(t, network)
					conntest.Send(t, a, "some", 0)
					conntest.WantReceive(t, b, 4, sockets.MsgPeek|sockets.MsgWaitAll, "some")
					conntest.WantReceive(t, b, 12, flags|sockets.MsgDontWait, "some")
				})
				t.Run("closed", func(t *testing.T) {
					_, b := conntest.Dialed(t, network)
					var err error
					socktest.WhileBlocked(t, func() { _, _, err = b.ReceiveFrom(make([]byte, 1), flags) }, func() {
						socktest.Check(t, b.Close())
					})
					socktest.WantError(t, err, "read", net.ErrClosed)
				})
			})
		}
	}
}

// TestWaitAllReset breaks the connection in the middle.
func TestWaitAllReset(t *testing.T) {
	a, b := conntest.Dialed(t, "tcp4")
	conntest.Send(t, a, "some", 0)
	buf := make([]byte, 12)
	var n int
	var err error
	socktest.WhileBlocked(t, func() { n, _, err = b.ReceiveFrom(buf, sockets.MsgWaitAll) }, func() {
		socktest.Check(t, a.(*sockets.TCPConn).SetLinger(0))
		socktest.Check(t, a.Close())
	})
	socktest.WantError(t, err, "read", syscall.ECONNRESET)
	if got := string(buf[:n]); got != "some" {
		t.Errorf("received %q before the reset, want some", got)
	}
}

// TestSendToBlocked fills the stream and waits for room, or the end of time.
func TestSendToBlocked(t *testing.T) {
	a, b := conntest.Dialed(t, "tcp4")
	data := bytes.Repeat([]byte("x"), 16<<20)
	socktest.StopWhenFull(t, a)
	n, err := a.SendTo(data, nil, 0)
	socktest.WantError(t, err, "write", os.ErrDeadlineExceeded)
	if n == 0 || n == len(data) {
		t.Fatalf("sent %d of %d by the deadline", n, len(data))
	}
	socktest.Check(t, a.SetWriteDeadline(time.Time{}))
	go func() {
		a.SendTo(data[n:], nil, 0)
		a.Close()
	}()
	if got, err := io.Copy(io.Discard, b); got != int64(len(data)) || err != nil {
		t.Errorf("received %d, %v; want %d", got, err, len(data))
	}
}

// TestMore counts segments: what More holds back goes with what follows.
func TestMore(t *testing.T) {
	socktest.NeedOption(t, "TCP_INFO")
	for _, tt := range []struct {
		flags sockets.MsgFlags
		want  uint32
	}{{sockets.MsgMore, 1}, {0, 2}} {
		a, b := conntest.Dialed(t, "tcp4")
		conntest.Send(t, a, "first", tt.flags)
		conntest.Send(t, a, "second", 0)
		conntest.WantReceive(t, b, 11, sockets.MsgWaitAll, "firstsecond")
		info, err := sockopt.ConnectionInfo.Get(a)
		socktest.Check(t, err)
		if info.DataSegsSent == 0 {
			t.Skip("the kernel does not count segments")
		}
		if info.DataSegsSent != tt.want {
			t.Errorf("%d segments with flags %q, want %d", info.DataSegsSent, tt.flags, tt.want)
		}
	}
}

// TestNoSignal writes to a peer that is closed, in a program that asks to be told
// of SIGPIPE: the kernel sends none.
func TestNoSignal(t *testing.T) {
	// A signal of a higher number, which comes after one that was raised before.
	const last = syscall.SIGWINCH
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGPIPE, last)
	defer signal.Stop(signals)
	for _, network := range []string{"unix", "unixgram", "unixpacket"} {
		for _, flags := range []sockets.MsgFlags{0, sockets.MsgDontWait} {
			a, b, err := sockets.Pair(network)
			socktest.Check(t, err)
			socktest.CloseLater(t, a)
			socktest.Check(t, b.Close())
			_, err = a.SendTo([]byte("x"), nil, flags)
			if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("SendTo on %s with %q: %v", network, flags, err)
			}
			socktest.Check(t, syscall.Kill(syscall.Getpid(), last))
			for sig := range signals {
				if sig == last {
					break
				}
				t.Errorf("SendTo on %s with %q raises a signal: %v", network, flags, sig)
			}
		}
	}
}
