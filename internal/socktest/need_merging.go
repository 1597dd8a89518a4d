//go:build linux

package socktest

import (
	"encoding/binary"
	"errors"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// NeedMerging skips the test unless what was sent in one piece by UDP_SEGMENT comes in
// one piece to a socket of this host with UDP_GRO: older kernels cut it up on the way.
// It returns into how many datagrams the kernel cuts at most.
func NeedMerging(t testing.TB) (segments int) {
	t.Helper()
	NeedSizes(t)
	found, err := merging()
	Check(t, err)
	if found.merged < 2 {
		t.Skip("the kernel merges nothing over loopback")
	}
	return found.most
}

// NeedSizes skips the test if datagrams are sent or come merged without their size, as
// where an emulator does not know that control message and leaves it in another byte order.
func NeedSizes(t testing.TB) {
	t.Helper()
	if err := Sizes(); err != nil {
		t.Skip(err)
	}
}

// Sizes tries what NeedSizes needs.
func Sizes() error {
	found, err := merging()
	if err == nil && found.merged > 1 && !found.sized {
		err = errors.New("the kernel and this program do not tell each other the size of merged datagrams")
	}
	return err
}

// Segments returns into how many datagrams the kernel cuts at most, 1 if it does not.
func Segments(t testing.TB) int {
	t.Helper()
	found, err := merging()
	Check(t, err)
	return found.most
}

// Merges reports whether NeedMerging would go on.
func Merges(t testing.TB) bool {
	t.Helper()
	found, err := merging()
	Check(t, err)
	return found.merged > 1
}

// offloading is what a kernel does over loopback: into how many datagrams it cuts one at
// most, how many of them come merged, and whether it tells their size.
type offloading struct {
	most, merged int
	sized        bool
}

// merging sends by plain calls, more segments than there are before Linux 6.8 first.
var merging = sync.OnceValues(func() (found offloading, err error) {
	var fds [2]int
	for i := range fds {
		if fds[i], err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return found, err
		}
		defer unix.Close(fds[i])
	}
	if err := unix.Bind(fds[1], &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return found, err
	}
	to, err := unix.Getsockname(fds[1])
	if err != nil {
		return found, err
	}
	const size = 10
	segments := Control(unix.SOL_UDP, unix.UDP_SEGMENT, binary.NativeEndian.AppendUint16(nil, size))
	if unix.SetsockoptInt(fds[0], unix.SOL_UDP, unix.UDP_SEGMENT, 0) != nil {
		return offloading{most: 1, merged: 1}, nil
	}
	if err := unix.SetsockoptTimeval(fds[1], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 60}); err != nil {
		return found, err
	}
	merges := unix.SetsockoptInt(fds[1], unix.SOL_UDP, unix.UDP_GRO, 1) == nil
	for _, n := range []int{128, 64} {
		_, err := unix.SendmsgN(fds[0], make([]byte, n*size), segments, to, 0)
		if errors.Is(err, unix.EINVAL) {
			continue
		}
		if err != nil {
			return found, err
		}
		oob := make([]byte, 64)
		got, oobn, _, _, err := unix.Recvmsg(fds[1], make([]byte, 1<<16), oob, 0)
		switch {
		case got == n*size && !merges: // nothing was cut, as in gVisor
			return offloading{most: 1, merged: 1}, err
		case !merges:
			return offloading{most: n, merged: 1}, err
		}
		return offloading{n, got / size, tellsSize(oob[:oobn], size)}, err
	}
	return offloading{most: 1, merged: 1}, nil
})

// tellsSize reports whether control data have the size of merged datagrams.
func tellsSize(oob []byte, size int32) bool {
	messages, err := unix.ParseSocketControlMessage(oob)
	for _, m := range messages {
		if m.Header.Level == unix.SOL_UDP && m.Header.Type == unix.UDP_GRO {
			return err == nil && len(m.Data) == 4 && binary.NativeEndian.Uint32(m.Data) == uint32(size)
		}
	}
	return false
}
