//go:build linux

package netfd

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/sys"
)

func inet4(t *testing.T, a, b byte) *sys.Sockaddr {
	t.Helper()
	sa := new(sys.Sockaddr)
	if errno := sa.SetInet4([4]byte{10, 0, a, b}, 53); errno != 0 {
		t.Fatal(errno)
	}
	return sa
}

func equalMessages(n, size int) []Message {
	ms := make([]Message, n)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, size)}
	}
	return ms
}

// A refusal is remembered only once the same messages went out singly, for the
// peer and the size where the size was the matter, otherwise for the socket.
func TestJoiningRemembers(t *testing.T) {
	type together struct{ End, Size int }
	tests := []struct {
		name   string
		errno  syscall.Errno
		count  int
		worked bool

		before, same, smaller, other together // what goes out together: until it works, and later
	}{
		{"too big", syscall.EMSGSIZE, 10, true, together{1, 0}, together{1, 0}, together{10, 99}, together{10, 100}},
		{"too big, on older systems", syscall.EINVAL, 10, true, together{1, 0}, together{1, 0}, together{10, 99}, together{10, 100}},
		{"no offload on the path", syscall.EIO, 10, true, together{1, 0}, together{1, 0}, together{1, 0}, together{10, 100}},
		{"not to blame", syscall.EINVAL, 10, false, together{1, 0}, together{10, 100}, together{10, 99}, together{10, 100}},
		{"fewer segments", syscall.EINVAL, 100, true, together{64, 100}, together{64, 100}, together{64, 99}, together{64, 100}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer segments.Store(segments.Load())
			segments.Store(maxSegments)
			fd := &FD{}
			fd.need().offload.Store(new(offload))
			fd.offloads().on.Store(true)
			here, other := inet4(t, 0, 1), inet4(t, 0, 2)
			check := func(what string, j joining, size int, to *sys.Sockaddr, want together) {
				t.Helper()
				x := j.extent(equalMessages(tt.count, size), 0, to)
				if x.size > 0 && x.total != x.end*size {
					t.Errorf("%s: %d messages of %d bytes have %d", what, x.end, size, x.total)
				}
				if got := (together{x.end, x.size}); got != want {
					t.Errorf("%s: %+v, want %+v", what, got, want)
				}
			}
			j := fd.newJoining(0)
			check("at first", j, 100, here, together{tt.count, 100})
			if !j.failed(tt.errno, here, 100, 0, tt.count) {
				t.Fatal("the batch ends")
			}
			check("next attempt", j, 100, here, tt.before)
			if tt.worked {
				j.worked()
			}
			check("same size", fd.newJoining(0), 100, here, tt.same)
			check("smaller", fd.newJoining(0), 99, here, tt.smaller)
			check("other peer", fd.newJoining(0), 100, other, tt.other)
		})
	}
	j := new(FD).newJoining(0)
	if j.failed(syscall.ECONNREFUSED, inet4(t, 0, 1), 100, 0, 10) {
		t.Error("ECONNREFUSED is taken for a matter of joining")
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	var r refusals
	for i := range 3 * maxRefusals {
		r.add(peerOf(inet4(t, byte(i>>8), byte(i))), 1000)
		if len(r.to) > maxRefusals {
			t.Fatalf("remembers %d peers, want at most %d", len(r.to), maxRefusals)
		}
	}
	last := inet4(t, 0, 0)
	r.add(peerOf(last), 1400)
	r.add(peerOf(last), 1300)
	r.add(peerOf(last), 1350)
	if !r.refuses(last, 1300) || r.refuses(last, 1299) {
		t.Error("does not remember the least size")
	}
	r.clear()
	if r.refuses(last, 1400) {
		t.Error("remembers what it was to forget")
	}
	r.add(peerOf(inet4(t, 0, 1)), 1000)
	if r.refuses(last, 1400) {
		t.Error("remembers what it was to forget once another path refuses something")
	}
}

// What a path refused is tried again later.
func TestRefusalsPass(t *testing.T) {
	var r refusals
	to := inet4(t, 0, 1)
	r.add(peerOf(to), 1000)
	old := r.to[peerOf(to)]
	if left := time.Until(old.until); left <= 0 || left > refusalLasts {
		t.Errorf("lasts %v more, want up to %v", left, refusalLasts)
	}
	old.until = time.Now().Add(-time.Second)
	r.to[peerOf(to)] = old
	if r.refuses(to, 1000) {
		t.Error("refused for ever")
	}
	r.add(peerOf(to), 1200)
	if !r.refuses(to, 1200) || r.refuses(to, 1199) {
		t.Error("the size that was refused before its time passed is remembered")
	}
}

// Where a sandbox refuses the option, readers have nothing to split.
func TestSetOffloadRefused(t *testing.T) {
	if sys.UDP_GRO < 0 {
		t.Skip("the system has no UDP_GRO")
	}
	fd, err := Socket(Kind{Family: sys.AF_INET, Type: sys.SOCK_DGRAM, Network: "udp4"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // which ends with the thread
		r := socktest.Refusal{Call: unix.SYS_SETSOCKOPT, Args: map[uint32]uint32{1: uint32(sys.SOL_UDP), 2: uint32(sys.UDP_GRO)}, Errno: syscall.EPERM}
		if err := r.OnThread(); err != nil {
			t.Log(err)
			done <- nil
			return
		}
		done <- fd.SetOffload(true)
	}()
	if err := <-done; err == nil {
		t.Skip("the option is not refused")
	}
	if fd.offloads() != nil {
		t.Error("readers split all the same")
	}
}
