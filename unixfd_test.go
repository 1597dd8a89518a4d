//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

func TestSendFD(t *testing.T) {
	regular := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(regular, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	type closer interface {
		syscall.Conn
		io.Closer
	}
	// listener is a net.Listener of any make.
	listen := func(l net.Listener, err error) (closer, error) {
		if err != nil {
			return nil, err
		}
		return l.(closer), nil
	}
	packet := func(c net.PacketConn, err error) (closer, error) {
		if err != nil {
			return nil, err
		}
		return c.(closer), nil
	}
	sources := []struct {
		name string
		open func() (closer, error)
	}{
		{"regular file", func() (closer, error) { return os.Open(regular) }},
		{"directory", func() (closer, error) { return os.Open("/") }},
		{"device", func() (closer, error) { return os.Open("/dev/zero") }},
		{"pipe", func() (closer, error) { r, w, err := os.Pipe(); w.Close(); return r, err }},
		{"net tcp listener", func() (closer, error) { return listen(net.Listen("tcp", "127.0.0.1:0")) }},
		{"net udp", func() (closer, error) { return packet(net.ListenPacket("udp", "127.0.0.1:0")) }},
		{"tcp listener", func() (closer, error) { return listen(sockets.Listen("tcp", "127.0.0.1:0")) }},
		{"unix listener", func() (closer, error) { return listen(sockets.Listen("unix", "")) }},
		{"udp", func() (closer, error) { return packet(sockets.ListenPacket("udp", "127.0.0.1:0")) }},
		{"tcp", func() (closer, error) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			defer l.Close()
			c, err := sockets.Dial("tcp", l.Addr().String())
			if err != nil {
				return nil, err
			}
			return c.(closer), nil
		}},
		{"socket", func() (closer, error) { return sockets.New("tcp") }},
	}
	for _, network := range socktest.UnixNetworks {
		for _, tt := range sources {
			t.Run(network+"/"+tt.name, func(t *testing.T) {
				socktest.CheckNoLeak(t)
				a, b := conntest.Pair(t, network)
				f, err := tt.open()
				if err != nil {
					t.Fatal(err)
				}
				want := socktest.IDOf(t, f)
				if err := a.SendFD(f); err != nil {
					t.Fatal(err)
				}
				if err := f.Close(); err != nil {
					t.Errorf("closing what was sent: %v", err)
				}
				got, err := b.ReceiveFD()
				if err != nil {
					t.Fatal(err)
				}
				defer got.Close()
				socktest.CheckCloseOnExec(t, got)
				if diff := cmp.Diff(want, socktest.IDOf(t, got)); diff != "" {
					t.Errorf("another file came (-want +got):\n%s", diff)
				}
			})
		}
	}
	t.Run("itself", func(t *testing.T) {
		a, b := conntest.Pair(t, "unix")
		if err := a.SendFD(a); err != nil {
			t.Fatal(err)
		}
		s, err := b.ReceiveSocket()
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Conn()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "over the copy")
		buf := make([]byte, 100)
		n, err := b.Read(buf)
		if err != nil || string(buf[:n]) != "over the copy" {
			t.Errorf("read %q, %v", buf[:n], err)
		}
	})
}

func TestSendFDErrors(t *testing.T) {
	a, b := conntest.Pair(t, "unix")
	closedFile := socktest.Pipes(t, 1)[0]
	closedFile.Close()
	closedConn, other := conntest.Pair(t, "unix")
	closedConn.Close()
	closedSocket, err := sockets.New("tcp")
	if err != nil {
		t.Fatal(err)
	}
	closedSocket.Close()
	netListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	netListener.Close()
	ok := socktest.Pipes(t, 1)[0]
	tests := []struct {
		name string
		f    syscall.Conn
		want error
	}{
		{"nil", nil, syscall.EINVAL},
		{"nil file", (*os.File)(nil), syscall.EINVAL},
		{"closed file", closedFile, os.ErrClosed},
		{"closed conn", closedConn, net.ErrClosed},
		{"closed socket", closedSocket, net.ErrClosed},
		{"closed listener of net", netListener.(*net.TCPListener), net.ErrClosed},
		{"zero conn", new(sockets.TCPConn), syscall.EINVAL},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := a.SendFDs([]byte("x"), ok, tt.f)
			var de *sockets.DescriptorError
			if !errors.Is(err, tt.want) || !errors.As(err, &de) || de.Index != 1 {
				t.Errorf("SendFDs: %v, want a DescriptorError for 1 with %v", err, tt.want)
			}
			if err := a.SendFD(tt.f); !errors.Is(err, tt.want) {
				t.Errorf("SendFD: %v, want %v", err, tt.want)
			}
		})
	}
	t.Run("too many", func(t *testing.T) {
		fds := make([]syscall.Conn, sockets.MaxDescriptors+1)
		for i := range fds {
			fds[i] = ok
		}
		n, err := a.SendFDs([]byte("x"), fds...)
		var ae *sockets.ArgumentError
		if n != 0 || !errors.As(err, &ae) || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%d, %v, want an ArgumentError", n, err)
		}
	})
	// Nothing of all that was sent.
	a.CloseWrite()
	if _, err := b.ReceiveFD(); err != io.EOF {
		t.Errorf("after refused calls: %v, want EOF", err)
	}
	t.Run("closed", func(t *testing.T) {
		err := closedConn.SendFD(ok)
		var oe *net.OpError
		if !errors.Is(err, net.ErrClosed) || !errors.As(err, &oe) || oe.Op != "write" {
			t.Errorf("SendFD: %v", err)
		}
		if _, err := closedConn.ReceiveFD(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ReceiveFD: %v", err)
		}
		if _, _, err := closedConn.ReceiveFDs(make([]byte, 1), 1); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ReceiveFDs: %v", err)
		}
		if err := other.SendFD(ok); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("SendFD to nobody: %v", err)
		}
	})
	t.Run("zero", func(t *testing.T) {
		var c sockets.UnixConn
		if err := c.SendFD(ok); err != syscall.EINVAL {
			t.Errorf("SendFD: %v", err)
		}
		if _, err := c.ReceiveFD(); err != syscall.EINVAL {
			t.Errorf("ReceiveFD: %v", err)
		}
		if _, err := c.ReceiveSocket(); err != syscall.EINVAL {
			t.Errorf("ReceiveSocket: %v", err)
		}
	})
	t.Run("unconnected", func(t *testing.T) {
		c, err := sockets.ListenPacket("unixgram", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.(*sockets.UnixConn).SendFD(ok); !errors.Is(err, syscall.ENOTCONN) {
			t.Errorf("SendFD: %v, want ENOTCONN", err)
		}
	})
}

// rawID is idOf for a number, which must be close-on-exec.
func rawID(t *testing.T, fd int) socktest.FileID {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor %d: flags %#x, %v, want close-on-exec", fd, flags, err)
	}
	return socktest.FileID{Dev: uint64(st.Dev), Ino: st.Ino}
}

func TestRawFDs(t *testing.T) {
	for _, network := range socktest.UnixNetworks {
		for _, count := range []int{0, 1, 2, sockets.MaxDescriptors} {
			t.Run(network, func(t *testing.T) {
				socktest.CheckNoLeak(t)
				socktest.NeedFiles(t, count)
				a, b := conntest.Pair(t, network)
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				defer w.Close()
				ids := []socktest.FileID{socktest.IDOf(t, r), socktest.IDOf(t, w)}
				numbers := []int{int(r.Fd()), int(w.Fd())}
				var send []int
				var want []socktest.FileID
				for i := range count {
					send, want = append(send, numbers[i%2]), append(want, ids[i%2])
				}
				if n, err := a.SendRawFDs([]byte("data"), send...); n != 4 || err != nil {
					t.Fatalf("SendRawFDs: %d, %v", n, err)
				}
				buf, fds := make([]byte, 10), make([]int, sockets.MaxDescriptors)
				n, nfds, err := b.ReceiveRawFDs(buf, fds)
				if err != nil || string(buf[:n]) != "data" {
					t.Fatalf("ReceiveRawFDs: %q, %v", buf[:n], err)
				}
				var got []socktest.FileID
				for _, fd := range fds[:nfds] {
					got = append(got, rawID(t, fd))
					unix.Close(fd)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("files (-sent +received):\n%s", diff)
				}
			})
		}
	}
}

// TestRawFDsTooMany checks that descriptors for which there is no room are closed.
func TestRawFDsTooMany(t *testing.T) {
	socktest.CheckNoLeak(t)
	a, b := conntest.Pair(t, "unix")
	if _, err := a.SendRawFDs([]byte("x"), 0, 1, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte("behind")); err != nil {
		t.Fatal(err)
	}
	buf, fds := make([]byte, 1), make([]int, 2)
	n, nfds, err := b.ReceiveRawFDs(buf, fds)
	if n != 1 || nfds != 0 || !errors.Is(err, sockets.ErrTooManyDescriptors) {
		t.Errorf("ReceiveRawFDs: %d, %d, %v", n, nfds, err)
	}
	buf = make([]byte, 10)
	if n, err := b.Read(buf); string(buf[:n]) != "behind" || err != nil {
		t.Errorf("then: %q, %v", buf[:n], err)
	}
}

// TestSendRawFDsRefused checks that nothing is sent then.
func TestSendRawFDsRefused(t *testing.T) {
	closed := 1 << 20 // beyond the limit of descriptors
	for _, tt := range []struct {
		name string
		fds  []int
		want func(error) bool
	}{
		{"negative", []int{0, -1}, descriptorError(1)},
		{"low bits of another", []int{wide(-1 << 32)}, descriptorError(0)},
		{"high", []int{0, 1, wide(math.MaxInt32 + 1)}, descriptorError(2)},
		{"closed", []int{closed}, func(err error) bool { return errors.Is(err, syscall.EBADF) }},
		{"too many", make([]int, sockets.MaxDescriptors+1), func(err error) bool {
			var e *sockets.ArgumentError
			return errors.As(err, &e) && e.Value == sockets.MaxDescriptors+1
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := conntest.Pair(t, "unix")
			if n, err := a.SendRawFDs([]byte("lost"), tt.fds...); n != 0 || !tt.want(err) {
				t.Errorf("SendRawFDs: %d, %v", n, err)
			}
			if _, err := a.Write([]byte("next")); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 10)
			if n, err := b.Read(buf); string(buf[:n]) != "next" || err != nil {
				t.Errorf("then: %q, %v", buf[:n], err)
			}
		})
	}
}

func descriptorError(index int) func(error) bool {
	return func(err error) bool {
		var e *sockets.DescriptorError
		return errors.As(err, &e) && e.Index == index && errors.Is(err, syscall.EBADF)
	}
}

func TestRawFDsOfNothing(t *testing.T) {
	c := new(sockets.UnixConn)
	if _, err := c.SendRawFDs(nil); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("SendRawFDs: %v", err)
	}
	if _, _, err := c.ReceiveRawFDs(nil, nil); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("ReceiveRawFDs: %v", err)
	}
	a, _ := conntest.Pair(t, "unix")
	a.Close()
	if _, err := a.SendRawFDs([]byte("x"), 0); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SendRawFDs on a closed connection: %v", err)
	}
}

func passPIDFD(tb testing.TB, c *sockets.UnixConn) {
	tb.Helper()
	if err := sockopt.PassPIDFD.Set(c, true); errors.Is(err, errors.ErrUnsupported) {
		tb.Skip("the kernel has no SO_PASSPIDFD")
	} else if err != nil {
		tb.Fatal(err)
	}
}

func passBoth(tb testing.TB, c *sockets.UnixConn) {
	conntest.PassCred(tb, c)
	passPIDFD(tb, c)
}

func TestCredentials(t *testing.T) {
	own := sockopt.Ucred{PID: os.Getpid(), UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	for _, network := range socktest.UnixNetworks {
		t.Run(network, func(t *testing.T) {
			socktest.CheckNoLeak(t)
			a, b := conntest.Pair(t, network)
			buf := make([]byte, 10)
			check := func(data string, want sockopt.Ucred, wantErr error) {
				t.Helper()
				n, got, err := b.ReceiveCred(buf)
				if string(buf[:n]) != data || !errors.Is(err, wantErr) {
					t.Errorf("ReceiveCred: %q, %v, want %q, %v", buf[:n], err, data, wantErr)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("credentials mismatch (-want +got):\n%s", diff)
				}
			}
			socktest.SendRaw(t, a, []byte("none"))
			check("none", sockopt.Ucred{}, sockets.ErrNoCredentials)
			passBoth(t, b)
			socktest.SendRaw(t, a, []byte("kernel's"))
			check("kernel's", own, nil)
			if n, err := a.SendCred([]byte("own"), sockopt.Ucred{}); n != 3 || err != nil {
				t.Errorf("SendCred: %d, %v", n, err)
			}
			check("own", own, nil)
			socktest.SendRaw(t, a, []byte("fd"), socktest.Pipes(t, 1)...)
			check("fd", sockopt.Ucred{}, sockets.ErrTooManyDescriptors)
			if other := (sockopt.Ucred{PID: 1, UID: 65534, GID: 65533}); socktest.MaySendCred(t, other.PID, int(other.UID), int(other.GID)) {
				if n, err := a.SendCred([]byte("other"), other); n != 5 || err != nil {
					t.Errorf("SendCred of others: %d, %v", n, err)
				}
				check("other", other, nil)
			}
			if _, err := a.SendCred([]byte("x"), sockopt.Ucred{PID: 1 << 30}); err == nil {
				t.Error("SendCred of a process that does not exist succeeded")
			}
			low32, arg := int64(1)<<32, new(sockets.ArgumentError)
			if pid := os.Getpid() + int(low32); strconv.IntSize > 32 {
				_, err := a.SendCred([]byte("x"), sockopt.Ucred{PID: pid, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())})
				if !errors.As(err, &arg) {
					t.Errorf("SendCred of process %d: %v, want an ArgumentError", pid, err)
				}
			}
			a.Close()
			if network != "unixgram" {
				check("", sockopt.Ucred{}, io.EOF)
			}
		})
	}
}

// TestDescriptorOfNil takes descriptors from what has none.
func TestDescriptorOfNil(t *testing.T) {
	a, b, err := sockets.Pair("unix")
	socktest.Check(t, err)
	socktest.CloseLater(t, a)
	socktest.CloseLater(t, b)
	for name, c := range map[string]syscall.Conn{
		"nil": nil, "nil conn": (*sockets.TCPConn)(nil), "nil Socket": (*sockets.Socket)(nil),
		"nil file": (*os.File)(nil), "zero listener": new(sockets.TCPListener),
	} {
		_, blocking := sockets.Blocking(c)
		_, several := a.SendFDs(nil, b, c)
		for call, err := range map[string]error{
			"Blocking": blocking, "SetBlocking": sockets.SetBlocking(c, false), "SendFD": a.SendFD(c), "SendFDs": several,
		} {
			_, argument := errors.AsType[*sockets.ArgumentError](err)
			if !errors.Is(err, syscall.EINVAL) || argument != strings.HasPrefix(name, "nil") {
				t.Errorf("%s of %s: %v, want EINVAL, of an ArgumentError if it is nil", call, name, err)
			}
		}
	}
}

func TestLeavePathOfNil(t *testing.T) {
	(*sockets.UnixListener)(nil).LeavePath()()
	new(sockets.UnixListener).LeavePath()()
}

// TestControlErrorText says what came, what was asked for, and all that is wrong.
func TestControlErrorText(t *testing.T) {
	for _, tt := range []struct {
		e    sockets.ControlError
		want string
		is   []error
	}{
		{sockets.ControlError{Max: 1, Err: sockets.ErrNoDescriptor}, "sockets: no descriptor received (asked for 1, got 0)", []error{sockets.ErrNoDescriptor}},
		{sockets.ControlError{Descriptors: 2, Max: 3, Err: sockets.ErrDescriptorsLost, Errno: syscall.EMFILE},
			"sockets: descriptors lost (asked for 3, got 2): too many open files", []error{sockets.ErrDescriptorsLost, syscall.EMFILE}},
		{sockets.ControlError{Descriptors: 2, Max: 1, Err: sockets.ErrTooManyDescriptors, TooLong: true},
			"sockets: too many descriptors received (asked for 1, got 2); sockets: message longer than the buffer",
			[]error{sockets.ErrTooManyDescriptors, sockets.ErrMessageTooLong}},
	} {
		if got := tt.e.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
		for _, target := range []error{
			sockets.ErrNoDescriptor, sockets.ErrTooManyDescriptors, sockets.ErrDescriptorsLost, sockets.ErrMessageTooLong,
			sockets.ErrUnknownControl, sockets.ErrNoCredentials, syscall.EMFILE,
		} {
			if got := errors.Is(&tt.e, target); got != slices.Contains(tt.is, target) {
				t.Errorf("%v matches %v: %v", &tt.e, target, got)
			}
		}
	}
}

// TestReceiveRefuses asks for what could only lose data.
func TestReceiveRefuses(t *testing.T) {
	a, b := conntest.Pair(t, "unix")
	conntest.MustWrite(t, a, "kept")
	for name, err := range map[string]error{
		"ReceiveFDs, fewer than none": func() error { _, _, err := b.ReceiveFDs(make([]byte, 1), -1); return err }(),
		"ReceiveFDs, no buffer":       func() error { _, _, err := b.ReceiveFDs(nil, 1); return err }(),
		"ReceiveRawFDs, no buffer":    func() error { _, _, err := b.ReceiveRawFDs(nil, make([]int, 1)); return err }(),
		"ReceiveCred, no buffer":      func() error { _, _, err := b.ReceiveCred(nil); return err }(),
	} {
		socktest.WantError(t, err, "read", syscall.EINVAL)
		if _, ok := errors.AsType[*sockets.ArgumentError](err); !ok {
			t.Errorf("%s: %v, want an *ArgumentError", name, err)
		}
	}
	conntest.WantMessage(t, b, "kept")
}
