//go:build linux

package sockets_test

import (
	"errors"
	"math"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
)

// rawID is idOf for a number, which must be close-on-exec.
func rawID(t *testing.T, fd int) fileID {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor %d: flags %#x, %v, want close-on-exec", fd, flags, err)
	}
	return fileID{uint64(st.Dev), st.Ino}
}

func TestRawFDs(t *testing.T) {
	for _, network := range unixNetworks {
		for _, count := range []int{0, 1, 2, sockets.MaxDescriptors} {
			t.Run(network, func(t *testing.T) {
				checkNoLeak(t)
				a, b := pair(t, network)
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				defer w.Close()
				ids := []fileID{idOf(t, r), idOf(t, w)}
				numbers := []int{int(r.Fd()), int(w.Fd())}
				var send []int
				var want []fileID
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
				var got []fileID
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
	checkNoLeak(t)
	a, b := pair(t, "unix")
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
			a, b := pair(t, "unix")
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
	a, _ := pair(t, "unix")
	a.Close()
	if _, err := a.SendRawFDs([]byte("x"), 0); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SendRawFDs on a closed connection: %v", err)
	}
}
