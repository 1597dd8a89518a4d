package netfd

import (
	"syscall"
	"testing"

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
	type extent struct{ End, Size int }
	tests := []struct {
		name   string
		errno  syscall.Errno
		count  int
		worked bool

		before, same, smaller, other extent // what goes out together: until it works, and later
	}{
		{"too big", syscall.EMSGSIZE, 10, true, extent{1, 0}, extent{1, 0}, extent{10, 99}, extent{10, 100}},
		{"no offload on the path", syscall.EIO, 10, true, extent{1, 0}, extent{1, 0}, extent{1, 0}, extent{1, 0}},
		{"not to blame", syscall.EINVAL, 10, false, extent{1, 0}, extent{10, 100}, extent{10, 99}, extent{10, 100}},
		{"fewer segments", syscall.EINVAL, 100, true, extent{64, 100}, extent{64, 100}, extent{64, 99}, extent{64, 100}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := new(offload)
			o.segments.Store(maxSegments)
			here, other := inet4(t, 0, 1), inet4(t, 0, 2)
			check := func(what string, j joining, size int, to *sys.Sockaddr, want extent) {
				t.Helper()
				end, size := j.extent(equalMessages(tt.count, size), 0, to)
				if got := (extent{end, size}); got != want {
					t.Errorf("%s: %+v, want %+v", what, got, want)
				}
			}
			j := newJoining(o, 0)
			check("at first", j, 100, here, extent{tt.count, 100})
			if !j.failed(tt.errno, here, 100, 0, tt.count) {
				t.Fatal("the batch ends")
			}
			check("next attempt", j, 100, here, tt.before)
			if tt.worked {
				j.worked()
			}
			check("same size", newJoining(o, 0), 100, here, tt.same)
			check("smaller", newJoining(o, 0), 99, here, tt.smaller)
			check("other peer", newJoining(o, 0), 100, other, tt.other)
		})
	}
	j := newJoining(new(offload), 0)
	if j.failed(syscall.ECONNREFUSED, inet4(t, 0, 1), 100, 0, 10) {
		t.Error("ECONNREFUSED is taken for a matter of joining")
	}
}

func TestTooBigIsBounded(t *testing.T) {
	var tb tooBig
	for i := range 3 * maxTooBig {
		tb.add(inet4(t, byte(i>>8), byte(i)), 1000)
		if len(tb.to) > maxTooBig {
			t.Fatalf("remembers %d peers, want at most %d", len(tb.to), maxTooBig)
		}
	}
	last := inet4(t, 0, 0)
	tb.add(last, 1400)
	tb.add(last, 1300)
	tb.add(last, 1350)
	if !tb.refuses(last, 1300) || tb.refuses(last, 1299) {
		t.Error("does not remember the least size")
	}
	tb.clear()
	if tb.refuses(last, 1400) {
		t.Error("remembers what it was to forget")
	}
}
