//go:build linux

package sockets_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/sockopt"
)

// TestUrgentData follows one urgent byte through a TCP stream, RFC 9293 section
// 3.8.5.
func TestUrgentData(t *testing.T) {
	t.Run("none", func(t *testing.T) {
		_, b := dialed(t, "tcp4")
		_, _, err := b.ReceiveFrom(make([]byte, 1), sockets.MsgOutOfBand)
		wantError(t, err, "read", syscall.EINVAL)
	})
	t.Run("apart", func(t *testing.T) {
		a, b := dialed(t, "tcp4")
		send(t, a, "ab!", sockets.MsgOutOfBand)
		send(t, a, "cd", 0)
		// The stream stops at the mark once.
		wantReceive(t, b, 2, sockets.MsgWaitAll, "ab")
		wantReceive(t, b, 8, sockets.MsgOutOfBand|sockets.MsgPeek, "!")
		wantReceive(t, b, 8, sockets.MsgOutOfBand|sockets.MsgWaitAll, "!")
		_, _, err := b.ReceiveFrom(make([]byte, 1), sockets.MsgOutOfBand)
		wantError(t, err, "read", syscall.EINVAL)
		wantReceive(t, b, 2, sockets.MsgWaitAll, "cd")
	})
	t.Run("inline", func(t *testing.T) {
		a, b := dialed(t, "tcp4")
		check(t, sockopt.OOBInline.Set(b, true))
		send(t, a, "ab!", sockets.MsgOutOfBand)
		send(t, a, "cd", 0)
		wantReceive(t, b, 5, sockets.MsgWaitAll, "ab!cd")
		_, _, err := b.ReceiveFrom(make([]byte, 1), sockets.MsgOutOfBand)
		wantError(t, err, "read", syscall.EINVAL)
	})
	t.Run("unix", func(t *testing.T) {
		a, b := dialed(t, "unix")
		if _, err := a.SendTo([]byte("ab!"), nil, sockets.MsgOutOfBand); errors.Is(err, errors.ErrUnsupported) {
			t.Skip("this kernel has no urgent data on unix sockets:", err)
		}
		wantReceive(t, b, 8, sockets.MsgOutOfBand, "!")
		wantReceive(t, b, 8, 0, "ab")
	})
	t.Run("datagram", func(t *testing.T) {
		a, b := packets(t, "udp4"), packets(t, "udp4")
		_, err := a.SendTo([]byte("x"), b.LocalAddr(), sockets.MsgOutOfBand)
		wantError(t, err, "write", syscall.EOPNOTSUPP)
	})
}

// TestUrgentDataOfMany sends so much that the kernel takes it in parts: the last
// byte alone is urgent, and nothing else is missing from the stream.
func TestUrgentDataOfMany(t *testing.T) {
	a, b := dialed(t, "tcp4")
	check(t, sockopt.SendBuffer.Set(a, 4096))
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
	check(t, err)
	check(t, <-sent)
	if diff := cmp.Diff(len(data)-1, len(got)); diff != "" || bytes.IndexByte(got, '!') >= 0 {
		t.Errorf("the stream has another length than all but the urgent byte (-want +got):\n%s", diff)
	}
}

// TestWaitAll ends the wait for a full buffer in every way there is.
func TestWaitAll(t *testing.T) {
	for _, flags := range []sockets.MsgFlags{sockets.MsgWaitAll, sockets.MsgWaitAll | sockets.MsgPeek} {
		for _, network := range []string{"tcp4", "unix"} {
			t.Run(network+" "+flags.String(), func(t *testing.T) {
				t.Run("full", func(t *testing.T) {
					a, b := dialed(t, network)
					e := &env{TB: t, impl: sockImpl}
					send(t, a, "first ", 0)
					e.whileBlocked(func(seeFunc) { wantReceive(t, b, 12, flags, "first second") }, func() {
						send(t, a, "second third", 0)
					})
				})
				t.Run("end of the stream", func(t *testing.T) {
					a, b := dialed(t, network)
					e := &env{TB: t, impl: sockImpl}
					send(t, a, "last", 0)
					e.whileBlocked(func(seeFunc) { wantReceive(t, b, 12, flags, "last") }, func() {
						check(t, a.Close())
					})
					if flags&sockets.MsgPeek != 0 {
						wantReceive(t, b, 12, 0, "last")
					}
					n, _, err := b.ReceiveFrom(make([]byte, 1), flags)
					if n != 0 || err != io.EOF {
						t.Errorf("after the end %d, %v; want EOF", n, err)
					}
				})
				t.Run("deadline", func(t *testing.T) {
					a, b := dialed(t, network)
					send(t, a, "some", 0)
					// The data has arrived before the time starts.
					wantReceive(t, b, 4, sockets.MsgPeek|sockets.MsgWaitAll, "some")
					check(t, b.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
					buf := make([]byte, 12)
					n, _, err := b.ReceiveFrom(buf, flags)
					wantError(t, err, "read", os.ErrDeadlineExceeded)
					if got := string(buf[:n]); got != "some" {
						t.Errorf("received %q by the deadline, want some", got)
					}
				})
				t.Run("without waiting", func(t *testing.T) {
					a, b := dialed(t, network)
					send(t, a, "some", 0)
					wantReceive(t, b, 4, sockets.MsgPeek|sockets.MsgWaitAll, "some")
					wantReceive(t, b, 12, flags|sockets.MsgDontWait, "some")
				})
				t.Run("closed", func(t *testing.T) {
					_, b := dialed(t, network)
					e := &env{TB: t, impl: sockImpl}
					var err error
					e.whileBlocked(func(seeFunc) { _, _, err = b.ReceiveFrom(make([]byte, 1), flags) }, func() {
						check(t, b.Close())
					})
					wantError(t, err, "read", net.ErrClosed)
				})
			})
		}
	}
}

// TestWaitAllReset breaks the connection in the middle.
func TestWaitAllReset(t *testing.T) {
	a, b := dialed(t, "tcp4")
	e := &env{TB: t, impl: sockImpl}
	send(t, a, "some", 0)
	buf := make([]byte, 12)
	var n int
	var err error
	e.whileBlocked(func(seeFunc) { n, _, err = b.ReceiveFrom(buf, sockets.MsgWaitAll) }, func() {
		check(t, a.(*sockets.TCPConn).SetLinger(0))
		check(t, a.Close())
	})
	wantError(t, err, "read", syscall.ECONNRESET)
	if got := string(buf[:n]); got != "some" {
		t.Errorf("received %q before the reset, want some", got)
	}
}

// TestSendToBlocked fills the stream and waits for room, or the end of time.
func TestSendToBlocked(t *testing.T) {
	a, b := dialed(t, "tcp4")
	data := bytes.Repeat([]byte("x"), 16<<20)
	check(t, a.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
	n, err := a.SendTo(data, nil, 0)
	wantError(t, err, "write", os.ErrDeadlineExceeded)
	if n == 0 || n == len(data) {
		t.Fatalf("sent %d of %d by the deadline", n, len(data))
	}
	check(t, a.SetWriteDeadline(time.Time{}))
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
	for _, tt := range []struct {
		flags sockets.MsgFlags
		want  uint32
	}{{sockets.MsgMore, 1}, {0, 2}} {
		a, b := dialed(t, "tcp4")
		send(t, a, "first", tt.flags)
		send(t, a, "second", 0)
		wantReceive(t, b, 11, sockets.MsgWaitAll, "firstsecond")
		info, err := sockopt.ConnectionInfo.Get(a)
		check(t, err)
		if info.DataSegsSent != tt.want {
			t.Errorf("%d segments with flags %q, want %d", info.DataSegsSent, tt.flags, tt.want)
		}
	}
}

// TestNoSignal writes where nobody reads any more, in a program that asks to be told
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
			check(t, err)
			closeLater(t, a)
			check(t, b.Close())
			_, err = a.SendTo([]byte("x"), nil, flags)
			if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("SendTo on %s with %q: %v", network, flags, err)
			}
			check(t, syscall.Kill(syscall.Getpid(), last))
			for sig := range signals {
				if sig == last {
					break
				}
				t.Errorf("SendTo on %s with %q raises a signal: %v", network, flags, sig)
			}
		}
	}
}
