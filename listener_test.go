//go:build linux

package sockets_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

var (
	_ conntest.Acceptor = (*sockets.TCPListener)(nil)
	_ conntest.Acceptor = (*sockets.UnixListener)(nil)
	_ conntest.Acceptor = (*sockets.StreamListener)(nil)
)

func TestAcceptWith(t *testing.T) {
	past, future := time.Unix(1, 0), time.Now().Add(time.Hour)
	tests := []struct {
		name     string
		config   sockets.AcceptConfig
		deadline time.Time
		pending  bool
		want     error
	}{
		{"pending", sockets.AcceptConfig{}, time.Time{}, true, nil},
		{"pending, timeout", sockets.AcceptConfig{Timeout: time.Minute}, time.Time{}, true, nil},
		{"pending, no wait", sockets.AcceptConfig{NoWait: true}, time.Time{}, true, nil},
		{"pending, no wait, past deadline", sockets.AcceptConfig{NoWait: true}, past, true, nil},
		{"pending, no wait, past timeout", sockets.AcceptConfig{NoWait: true, Timeout: -1}, time.Time{}, true, nil},
		{"pending, past timeout", sockets.AcceptConfig{Timeout: -1}, time.Time{}, true, os.ErrDeadlineExceeded},
		{"pending, past deadline", sockets.AcceptConfig{Timeout: time.Minute}, past, true, os.ErrDeadlineExceeded},
		{"timeout", sockets.AcceptConfig{Timeout: time.Millisecond}, time.Time{}, false, os.ErrDeadlineExceeded},
		{"timeout before deadline", sockets.AcceptConfig{Timeout: time.Millisecond}, future, false, os.ErrDeadlineExceeded},
		{"deadline before timeout", sockets.AcceptConfig{Timeout: time.Hour}, past, false, os.ErrDeadlineExceeded},
		{"no wait", sockets.AcceptConfig{NoWait: true}, time.Time{}, false, sockets.ErrWouldBlock},
		{"no wait before timeout", sockets.AcceptConfig{NoWait: true, Timeout: time.Hour}, time.Time{}, false, sockets.ErrWouldBlock},
	}
	for _, network := range []string{"tcp4", "unix", "unixpacket"} {
		for _, tt := range tests {
			t.Run(network+" "+tt.name, func(t *testing.T) {
				l := conntest.ListenOn(t, network)
				socktest.Check(t, l.SetDeadline(tt.deadline))
				if tt.pending {
					conntest.DialTo(t, l)
				}
				c, err := l.AcceptWith(tt.config)
				if tt.want != nil {
					socktest.WantError(t, err, "accept", tt.want)
					if c != nil {
						t.Errorf("a connection with the error: %v", c)
					}
				} else {
					socktest.Check(t, err)
					socktest.CloseLater(t, c)
				}
				// The timeout was of the one call.
				if !tt.pending {
					conntest.DialTo(t, l)
				}
				if tt.deadline == past {
					socktest.Check(t, l.SetDeadline(time.Time{}))
				}
				if !tt.pending || tt.want != nil {
					c, err = l.Accept()
					socktest.Check(t, err)
					socktest.CloseLater(t, c)
				}
			})
		}
	}
}

// TestAcceptWithBlocked ends an AcceptWith that waits, in its own turn and for
// another call's.
func TestAcceptWithBlocked(t *testing.T) {
	forever := sockets.AcceptConfig{Timeout: time.Hour}
	t.Run("close", func(t *testing.T) {
		l := conntest.ListenOn(t, "tcp4")
		var err error
		socktest.WhileBlocked(t, func() { _, err = l.AcceptWith(forever) }, func() { socktest.Check(t, l.Close()) })
		socktest.WantError(t, err, "accept", net.ErrClosed)
	})
	t.Run("deadline", func(t *testing.T) {
		l := conntest.ListenOn(t, "tcp4")
		var err error
		socktest.WhileBlocked(t, func() { _, err = l.AcceptWith(forever) }, func() { socktest.Check(t, l.SetDeadline(time.Now())) })
		socktest.WantError(t, err, "accept", os.ErrDeadlineExceeded)
	})
	t.Run("connection", func(t *testing.T) {
		l := conntest.ListenOn(t, "unix")
		socktest.WhileBlocked(t, func() {
			c, err := l.AcceptWith(forever)
			socktest.Check(t, err)
			socktest.CloseLater(t, c)
		}, func() { conntest.DialTo(t, l) })
	})
	t.Run("behind Accept", func(t *testing.T) {
		l := conntest.ListenOn(t, "tcp4")
		socktest.WhileBlocked(t, func() {
			c, err := l.Accept()
			socktest.Check(t, err)
			socktest.CloseLater(t, c)
		}, func() {
			_, err := l.AcceptWith(sockets.AcceptConfig{Timeout: time.Millisecond})
			socktest.WantError(t, err, "accept", os.ErrDeadlineExceeded)
			_, err = l.AcceptWith(sockets.AcceptConfig{NoWait: true})
			socktest.WantError(t, err, "accept", sockets.ErrWouldBlock)
			conntest.DialTo(t, l)
		})
	})
}

// TestAcceptConcurrently has all kinds of accept on one listener while connections
// come, deadlines change, and at last the listener is closed. No connection is
// lost.
func TestAcceptConcurrently(t *testing.T) {
	l := conntest.ListenOn(t, "tcp4")
	const connections = 200
	var accepted atomic.Int32
	all := make(chan struct{})
	var wg sync.WaitGroup
	for _, config := range []sockets.AcceptConfig{{}, {}, {Timeout: time.Millisecond}, {Timeout: time.Hour}} {
		wg.Go(func() {
			for {
				c, err := l.AcceptWith(config)
				switch {
				case err == nil:
					c.Close()
					if accepted.Add(1) == connections {
						close(all)
					}
				case errors.Is(err, net.ErrClosed):
					return
				case !errors.Is(err, os.ErrDeadlineExceeded):
					t.Errorf("AcceptWith: %v", err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for i := 0; ; i++ {
			after := [...]time.Duration{0, time.Millisecond, time.Hour}[i%3]
			if err := l.SetDeadline(time.Now().Add(after)); err != nil {
				return
			}
			select {
			case <-all:
				return
			default:
				runtime.Gosched() // or on one processor the next deadline is there when this one is looked at
			}
		}
	})
	for range connections {
		socktest.Check(t, conntest.DialTo(t, l).Close())
	}
	select {
	case <-all:
	case <-time.After(30 * time.Second):
		t.Errorf("%d connections of %d were accepted", accepted.Load(), connections)
	}
	socktest.Check(t, l.Close())
	wg.Wait()
}

// TestAcceptInherits compares options of accepted connections with those of the
// listener they come from.
func TestAcceptInherits(t *testing.T) {
	lc := sockets.ListenConfig{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 7 * time.Second},
		Options:         []sockopt.Setting{sockopt.NoDelay.With(false), sockopt.TOS.With(0x28)},
	}
	l, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	conntest.DialTo(t, l)
	c, err := l.(conntest.Acceptor).AcceptWith(sockets.AcceptConfig{Timeout: time.Minute})
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	a := c.(syscall.Conn)
	noDelay, err := sockopt.NoDelay.Get(a)
	socktest.Check(t, err)
	idle, err := sockopt.KeepIdle.Get(a)
	socktest.Check(t, err)
	tos, err := sockopt.TOS.Get(a)
	socktest.Check(t, err)
	if noDelay || idle != 7*time.Second || tos != 0x28 {
		t.Errorf("no delay %v, idle time %v, TOS %#x; want false, 7s, 0x28", noDelay, idle, tos)
	}
}

// TestAcceptWithClosed has a closed listener say so, however little time there is.
func TestAcceptWithClosed(t *testing.T) {
	l, err := sockets.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for range 100 { // which of two ready cases a select takes is random
		for _, timeout := range []time.Duration{-1, 1, time.Hour} {
			if _, err := l.AcceptWith(sockets.AcceptConfig{Timeout: timeout}); !errors.Is(err, net.ErrClosed) {
				t.Fatalf("Timeout %d: %v, want net.ErrClosed", timeout, err)
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
	// So does one that waits for another call's turn.
	first, stop := context.WithCancel(t.Context())
	socktest.WhileBlocked(t, func() {
		_, err := l.AcceptWith(sockets.AcceptConfig{Context: first})
		socktest.WantError(t, err, "accept", context.Canceled)
	}, func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := l.AcceptWith(sockets.AcceptConfig{Context: ctx})
		socktest.WantError(t, err, "accept", context.DeadlineExceeded)
		stop()
	})
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

// TestAcceptFormat asks for a format that the connections of a listener cannot have: none
// is accepted.
func TestAcceptFormat(t *testing.T) {
	l := conntest.ListenOn(t, "unixpacket")
	conntest.DialTo(t, l)
	_, err := l.AcceptWith(sockets.AcceptConfig{Format: conntest.Format(t, "utf-16")})
	socktest.WantError(t, err, "accept", syscall.EINVAL)
	if arg, ok := errors.AsType[*sockets.ArgumentError](err); !ok || arg.Arg != "format" {
		t.Errorf("AcceptWith: %v, want a bad format", err)
	}
	c, err := l.AcceptWith(sockets.AcceptConfig{NoWait: true})
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
}

// TestMultipathDefault runs the tests that listen again, where Multipath TCP is not the
// default of listeners and where it is that of dialers as well.
func TestMultipathDefault(t *testing.T) {
	for _, setting := range []string{"multipathtcp=0", "multipathtcp=1"} {
		t.Run(setting, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), socktest.Executable(t),
				"-test.run", "Listen|Accept|Steer|Group|Option|Adopt|NetNS|Defaults|Format", "-test.skip", "^TestMultipathDefault$")
			cmd.Env = append(os.Environ(), "GODEBUG="+strings.TrimPrefix(os.Getenv("GODEBUG")+","+setting, ","))
			if out, err := cmd.CombinedOutput(); err != nil || bytes.Contains(out, []byte("no tests to run")) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// inherited are the options that TestNothingInherited looks at.
type inherited struct {
	NoDelay, KeepAlive      bool
	Idle, Interval, Timeout time.Duration
	Count, TOS              int
}

func inheritedBy(t *testing.T, c syscall.Conn) (got inherited) {
	t.Helper()
	var errs [7]error
	got.NoDelay, errs[0] = sockopt.NoDelay.Get(c)
	got.KeepAlive, errs[1] = sockopt.KeepAlive.Get(c)
	got.Idle, errs[2] = sockopt.KeepIdle.Get(c)
	got.Interval, errs[3] = sockopt.KeepInterval.Get(c)
	got.Timeout, errs[4] = sockopt.UserTimeout.Get(c)
	got.Count, errs[5] = sockopt.KeepCount.Get(c)
	got.TOS, errs[6] = sockopt.TOS.Get(c)
	socktest.Check(t, errors.Join(errs[:]...))
	return got
}

// TestNothingInherited is about a kernel whose connections have nothing from the
// listener, as those of gVisor: each of them is stripped before package sockets sees it.
func TestNothingInherited(t *testing.T) {
	plain, err := sockets.NewRaw(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	socktest.Check(t, err)
	defer plain.Close()
	if _, err := sockopt.UserTimeout.Get(plain); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	bare := inheritedBy(t, plain)
	strip := func(c syscall.Conn) {
		socktest.Check(t, errors.Join(
			sockopt.NoDelay.Set(c, bare.NoDelay), sockopt.KeepAlive.Set(c, bare.KeepAlive), sockopt.KeepIdle.Set(c, bare.Idle),
			sockopt.KeepInterval.Set(c, bare.Interval), sockopt.UserTimeout.Set(c, bare.Timeout),
			sockopt.KeepCount.Set(c, bare.Count), sockopt.TOS.Set(c, bare.TOS)))
		if diff := cmp.Diff(bare, inheritedBy(t, c)); diff != "" {
			t.Fatalf("a stripped connection (-want +got):\n%s", diff)
		}
	}
	keepAlive := net.KeepAliveConfig{Enable: true, Idle: 7 * time.Second, Interval: 3 * time.Second, Count: 4}
	options := []sockopt.Setting{sockopt.TOS.With(0x28), sockopt.UserTimeout.With(9 * time.Second)}
	for _, tt := range []struct {
		name string
		lc   sockets.ListenConfig
		want inherited
	}{
		{"defaults", sockets.ListenConfig{}, inherited{NoDelay: true, KeepAlive: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 9}},
		{"keep-alive", sockets.ListenConfig{KeepAliveConfig: keepAlive},
			inherited{NoDelay: true, KeepAlive: true, Idle: 7 * time.Second, Interval: 3 * time.Second, Count: 4}},
		{"options", sockets.ListenConfig{Options: append(options, sockopt.NoDelay.With(false)), KeepAliveConfig: keepAlive},
			inherited{KeepAlive: true, Idle: 7 * time.Second, Interval: 3 * time.Second, Count: 4, TOS: 0x28, Timeout: 9 * time.Second}},
		{"no keep-alive", sockets.ListenConfig{KeepAlive: -1, Options: options},
			inherited{NoDelay: true, Idle: bare.Idle, Interval: bare.Interval, Count: bare.Count, TOS: 0x28, Timeout: 9 * time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.lc.SetMultipathTCP(false)
			nl, err := tt.lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")
			socktest.Check(t, err)
			defer nl.Close()
			for i := range 3 {
				c, err := net.Dial("tcp4", nl.Addr().String())
				socktest.Check(t, err)
				defer c.Close()
				a, err := sockets.AcceptStripped(nl.(*sockets.TCPListener), strip)
				socktest.Check(t, err)
				defer a.Close()
				if diff := cmp.Diff(tt.want, inheritedBy(t, a)); diff != "" {
					t.Errorf("connection %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}
