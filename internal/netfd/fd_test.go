//go:build linux

package netfd

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// socketPair returns two ends that are in the poller.
func socketPair(t *testing.T, typ int) (a, b *FD) {
	t.Helper()
	fds, errno := sys.Socketpair(sys.AF_UNIX, typ, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	var ends [2]*FD
	for i := range ends {
		fd, err := New(fds[i], Kind{sys.AF_UNIX, typ, 0, "unix"})
		if err == nil {
			err = fd.Init()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { fd.Close() })
		ends[i] = fd
	}
	return ends[0], ends[1]
}

// TestPollerRefuses registers what cannot be polled. The descriptor is closed once,
// so that another file that gets its number stays open.
func TestPollerRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := func() int {
		n, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	fd, err := New(open(), Kind{sys.AF_UNIX, sys.SOCK_STREAM, 0, "unix"})
	if err != nil {
		t.Fatal(err)
	}
	err = fd.Init()
	var refused *PollerError
	if !errors.Is(err, ErrPoller) || !errors.As(err, &refused) || refused.Errno != syscall.EPERM || refused.Temporary() {
		t.Fatalf("Init of a regular file: %v, want ErrPoller with EPERM, not temporary", err)
	}
	refused.Errno = syscall.ENOSPC
	if err := error(&net.OpError{Op: "accept", Err: refused}); !err.(net.Error).Temporary() || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v: not temporary, want a server to go on", err)
	}
	other := open()
	defer syscall.Close(other)
	if err := fd.Close(); err != net.ErrClosed {
		t.Errorf("Close: %v, want ErrClosed", err)
	}
	runtime.GC() // a second owner would close its number
	runtime.GC()
	time.Sleep(10 * time.Millisecond) // there is no telling when it has
	var st syscall.Stat_t
	if err := syscall.Fstat(other, &st); err != nil {
		t.Errorf("a stranger's descriptor: %v", err)
	}
}

// TestLowDescriptor moves what os.File would treat as standard output.
func TestLowDescriptor(t *testing.T) {
	for low := range 3 {
		t.Run(strconv.Itoa(low), func(t *testing.T) {
			saved, err := syscall.Dup(low)
			if err != nil {
				t.Fatal(err)
			}
			syscall.CloseOnExec(saved)
			defer func() {
				if err := syscall.Dup3(saved, low, 0); err != nil {
					t.Fatal(err)
				}
				syscall.Close(saved)
			}()
			s, errno := sys.Socket(sys.AF_UNIX, sys.SOCK_STREAM, 0)
			if errno != 0 {
				t.Fatal(errno)
			}
			if err := syscall.Dup3(s, low, 0); err != nil {
				t.Fatal(err)
			}
			sys.Close(s)
			fd, err := New(low, Kind{sys.AF_UNIX, sys.SOCK_STREAM, 0, "unix"})
			if err != nil {
				t.Fatal(err)
			}
			defer fd.Close()
			fd.Control(func(s uintptr) {
				if s <= 2 {
					t.Errorf("descriptor %d", s)
				}
			})
		})
	}
}

func TestBare(t *testing.T) {
	fd, err := Socket(Kind{sys.AF_INET, sys.SOCK_DGRAM, 0, "udp"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := fd.RawRead(func(uintptr) bool { return false }); err != errBare {
		t.Errorf("a bare descriptor that would wait: %v, want %v", err, errBare)
	}
	if err := fd.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	for range 2 {
		if err := fd.Close(); err != net.ErrClosed {
			t.Errorf("second Close: %v, want ErrClosed", err)
		}
	}
	if err := fd.SetsockoptInt(sys.SOL_SOCKET, sys.SO_REUSEADDR, 1); err != net.ErrClosed {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
}

func TestSetLocal(t *testing.T) {
	fd, _ := socketPair(t, sys.SOCK_DGRAM)
	local, remote := &net.UnixAddr{Name: "@l"}, &net.UnixAddr{Name: "@r"}
	fd.SetAddrs(nil, remote, true)
	fd.SetLocal(local)
	if fd.Local() != local || fd.Remote() != remote || !fd.Connected() {
		t.Errorf("%v, %v, %v", fd.Local(), fd.Remote(), fd.Connected())
	}
}

// TestConnectCanceled leaves no deadline behind.
func TestConnectCanceled(t *testing.T) {
	a, b := socketPair(t, sys.SOCK_STREAM)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.WaitConnect(ctx); err != context.Canceled {
		t.Errorf("WaitConnect: %v, want Canceled", err)
	}
	if _, err := a.Write([]byte("x")); err != nil {
		t.Errorf("Write afterwards: %v", err)
	}
	if n, err := b.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("Read %d, %v", n, err)
	}
}

// TestHeldErrors has each call report, once, what a batch left to the next.
func TestHeldErrors(t *testing.T) {
	one := func(err error, n int) error {
		if err == nil && n != 1 {
			err = errors.New("not one byte")
		}
		return err
	}
	rights := func(f func(r *Rights) (int, error)) (int, error) {
		r := GetRights()
		defer r.Free()
		return f(r)
	}
	batch := func(fd *FD, f func(b *Batch) (int, error)) error {
		b := GetBatch(fd, []Message{{Buffers: [][]byte{make([]byte, 1)}}}, 0)
		defer b.Free()
		n, err := f(b)
		return one(err, n)
	}
	noName := func(*sys.Sockaddr, *FD, net.Addr) error { return nil }
	noAddr := func(*FD, *sys.Sockaddr, *Message) net.Addr { return nil }
	calls := []struct {
		name  string
		reads bool
		do    func(fd *FD, b []byte) error
	}{
		{"Read", true, func(fd *FD, b []byte) error { n, err := fd.Read(b); return one(err, n) }},
		{"RecvFrom", true, func(fd *FD, b []byte) error { n, err := fd.RecvFrom(b, 0, nil); return one(err, n) }},
		{"RecvMsg", true, func(fd *FD, b []byte) error { n, _, _, err := fd.RecvMsg(b, nil, 0, nil); return one(err, n) }},
		{"RecvSegments", true, func(fd *FD, b []byte) error {
			n, _, _, _, err := fd.RecvSegments(b, nil, new(sys.Sockaddr))
			return one(err, n)
		}},
		{"Readv", true, func(fd *FD, b []byte) error { n, err := fd.Readv([][]byte{b}); return one(err, int(n)) }},
		{"RecvRights", true, func(fd *FD, b []byte) error {
			n, err := rights(func(r *Rights) (int, error) { return fd.RecvRights(r, b) })
			return one(err, n)
		}},
		{"Recv", true, func(fd *FD, b []byte) error {
			return batch(fd, func(b *Batch) (int, error) { return b.Recv(noAddr) })
		}},
		{"Write", false, func(fd *FD, b []byte) error { n, err := fd.Write(b); return one(err, n) }},
		{"SendTo", false, func(fd *FD, b []byte) error { n, err := fd.SendTo(b, 0, nil); return one(err, n) }},
		{"SendMsg", false, func(fd *FD, b []byte) error { n, err := fd.SendMsg(b, nil, 0, nil); return one(err, n) }},
		{"Writev", false, func(fd *FD, b []byte) error {
			n, err := fd.Writev(&[][]byte{b})
			return one(err, int(n))
		}},
		{"SendRights", false, func(fd *FD, b []byte) error {
			n, err := rights(func(r *Rights) (int, error) { return fd.SendRights(r, b) })
			return one(err, n)
		}},
		{"Send", false, func(fd *FD, b []byte) error {
			return batch(fd, func(b *Batch) (int, error) { return b.Send(noName) })
		}},
	}
	for _, tt := range calls {
		t.Run(tt.name, func(t *testing.T) {
			fd, peer := socketPair(t, sys.SOCK_DGRAM)
			if tt.reads {
				if _, err := peer.Write([]byte{1}); err != nil {
					t.Fatal(err)
				}
				hold(&fd.need().heldRead, syscall.ECONNREFUSED)
			} else {
				hold(&fd.need().heldWrite, syscall.ECONNREFUSED)
			}
			if err := tt.do(fd, make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%v, want what was held", err)
			}
			if err := tt.do(fd, make([]byte, 1)); err != nil {
				t.Errorf("the second time: %v", err)
			}
		})
	}
}

// TestHeldErrorsGoWithThePeer gives a socket another peer, or none.
func TestHeldErrorsGoWithThePeer(t *testing.T) {
	var fds [2]*FD
	var to sys.Sockaddr
	for i := range fds {
		fd, err := Socket(Kind{Family: sys.AF_INET, Type: sys.SOCK_DGRAM, Network: "udp4"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer fd.Close()
		if errno := to.SetInet4([4]byte{127, 0, 0, 1}, 0); errno != 0 {
			t.Fatal(errno)
		}
		if err := errors.Join(fd.Bind(&to), fd.Init(), fd.Sockname(&to)); err != nil {
			t.Fatal(err)
		}
		fds[i] = fd
	}
	fd := fds[0]
	for name, change := range map[string]func() error{
		"SetPeer": func() error { return fd.SetPeer(&to) }, "Disconnect": fd.Disconnect,
	} {
		if err := fd.SetPeer(&to); err != nil {
			t.Fatal(err)
		}
		hold(&fd.need().heldWrite, syscall.ECONNREFUSED)
		hold(&fd.need().heldRead, syscall.ECONNREFUSED)
		fd.need().refusals.add(peer{}, 1000)
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if fd.need().refusals.refuses(new(sys.Sockaddr), 1000) {
			t.Errorf("after %s: what the path to the old peer refused is remembered", name)
		}
		if r, w := fd.takeReadError(), fd.takeWriteError(); r != 0 || w != 0 {
			t.Errorf("after %s: %v and %v are held", name, r, w)
		}
	}
}
