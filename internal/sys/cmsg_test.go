//go:build linux || darwin || freebsd || netbsd || openbsd

package sys

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

func TestCmsgs(t *testing.T) {
	var all []byte
	for i, n := range []int{0, 1, 4, 7, 8, 17} {
		var data []byte
		all, data = AppendCmsg(all, 1, i, n)
		if len(data) != n {
			t.Fatalf("message %d has room for %d bytes, want %d", i, len(data), n)
		}
		for k := range data {
			data[k] = byte(n)
		}
	}
	i := 0
	for c, rest, ok := NextCmsg(all); ok; c, rest, ok = NextCmsg(rest) {
		want := []int{0, 1, 4, 7, 8, 17}[i]
		if c.Level != 1 || c.Type != i || !bytes.Equal(c.Data, bytes.Repeat([]byte{byte(want)}, want)) || len(c.Whole) != CmsgSpace(want) {
			t.Errorf("message %d: %+v", i, c)
		}
		i++
	}
	if i != 6 {
		t.Errorf("found %d messages, want 6", i)
	}
	to := make([]byte, len(all))
	if n, complete := CopyCmsgs(to, all); n != len(all) || !complete || !bytes.Equal(to, all) {
		t.Errorf("copied %d of %d bytes, all %v", n, len(all), complete)
	}
	// The padding behind the last one may be missing; without all of its data it is
	// cut short, and without room for its header it is left out.
	last := len(all) - CmsgSpace(17)
	for room := last; room <= len(all); room++ {
		n, complete := CopyCmsgs(to[:room], all)
		want := room
		if room < last+cmsgLen(0) {
			want = last
		}
		if n != want || complete != (room >= last+cmsgLen(17)) {
			t.Errorf("with room for %d copied %d of %d bytes, all %v", room, n, len(all), complete)
		}
		if n == last {
			continue
		}
		if c, rest, ok := NextCmsg(to[last:n]); !ok || len(rest) > 0 || len(c.Data) != min(17, n-last-cmsgLen(0)) {
			t.Errorf("with room for %d the last message is %+v, %v", room, c, ok)
		}
	}
}

// A control message without padding behind it, as a caller may make it, gets some.
func TestAppendCmsgPads(t *testing.T) {
	all, _ := AppendCmsg(nil, 1, 1, 1)
	short := all[:len(all)-(CmsgSpace(1)-CmsgSpace(0))+1]
	all, _ = AppendCmsg(bytes.Clone(short), 1, 2, 4)
	_, rest, ok := NextCmsg(all)
	if c, _, ok2 := NextCmsg(rest); !ok || !ok2 || c.Type != 2 {
		t.Errorf("%x does not hold two messages", all)
	}
}

// Only a control message of the right level, type and length tells the size of
// segments, and is removed; others stay.
func TestSegmentSize(t *testing.T) {
	if SOL_UDP < 0 {
		t.Skip("no offload here")
	}
	for _, tt := range []struct{ level, typ, length, want int }{
		{SOL_UDP, UDP_GRO, 4, 1200},
		{SOL_UDP, UDP_GRO, 2, 0},
		{SOL_UDP, UDP_GRO, 8, 0},
		{SOL_UDP, UDP_GRO + 1, 4, 0},
		{SOL_UDP + 1, UDP_GRO, 4, 0},
	} {
		oob, data := AppendCmsg(nil, tt.level, tt.typ, tt.length)
		if tt.length >= 4 {
			binary.NativeEndian.PutUint32(data, 1200)
		}
		before, _ := AppendCmsg(nil, 1, 1, 3)
		behind, _ := AppendCmsg(nil, 2, 2, 5)
		all, want := slices.Concat(before, oob, behind), slices.Concat(before, oob, behind)
		if tt.want > 0 {
			want = slices.Concat(before, behind)
		}
		got, others := TakeSegmentSize(all)
		if got != tt.want || !bytes.Equal(others, want) {
			t.Errorf("%+v: segments of %d, others %x, want %d, %x", tt, got, others, tt.want, want)
		}
	}
}

// Control messages that do not fit are cut as recvmsg(2) does it.
func TestCopyCmsgs(t *testing.T) {
	one, _ := AppendCmsg(nil, 1, 2, 3)
	two, _ := AppendCmsg(bytes.Clone(one), 41, 50, 20)
	for room := range 2 * len(two) {
		dst := make([]byte, room)
		n, all := CopyCmsgs(dst, two)
		if whole := room >= len(one)+cmsgLen(20); all != whole || n > room {
			t.Errorf("room for %d: copied %d, all %v", room, n, all)
		}
		if all && !bytes.Equal(dst[:n], two[:n]) {
			t.Errorf("room for %d: copied %x, want %x", room, dst[:n], two)
		}
	}
}

// Whoever has said how to cut up a datagram, or says what cannot be read, is not to
// be completed.
func TestTakesSegmentSize(t *testing.T) {
	if SOL_UDP < 0 {
		t.Skip("no offload here")
	}
	one, _ := AppendCmsg(nil, SOL_UDP, UDP_SEGMENT+1, 2)
	two, _ := AppendCmsg(bytes.Clone(one), SOL_UDP+1, UDP_SEGMENT, 2)
	for _, tt := range []struct {
		name string
		oob  []byte
		want bool
	}{
		{"nothing", nil, true},
		{"others", two, true},
		{"a size", AppendSegmentSize(nil, 1), false},
		{"a size behind others", AppendSegmentSize(bytes.Clone(two), 1), false},
		{"less than a header", one[:cmsgLen(0)-1], false},
		{"less than the data", one[:cmsgLen(1)], false},
		{"less than a header behind others", append(bytes.Clone(two), 0), false},
	} {
		if got := TakesSegmentSize(tt.oob); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func FuzzNextCmsg(f *testing.F) {
	one, _ := AppendCmsg(nil, 1, 2, 3)
	two, _ := AppendCmsg(bytes.Clone(one), 41, 50, 20)
	f.Add([]byte{})
	f.Add(one)
	f.Add(two)
	if SOL_UDP >= 0 {
		three, data := AppendCmsg(bytes.Clone(one), SOL_UDP, UDP_GRO, 4)
		data[0] = 5
		f.Add(three)
		f.Add(AppendSegmentSize(bytes.Clone(two), 1200))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		seen := 0
		for c, rest, ok := NextCmsg(b); ok; c, rest, ok = NextCmsg(rest) {
			if len(c.Data) > len(c.Whole) || len(c.Whole) == 0 {
				t.Fatalf("message %+v", c)
			}
			seen += len(c.Whole)
		}
		if seen > len(b) {
			t.Fatalf("%d bytes of messages in %d", seen, len(b))
		}
		if _, others := TakeSegmentSize(bytes.Clone(b)); len(others) > len(b) {
			t.Fatalf("%d bytes of messages without the size, %d with it", len(others), len(b))
		}
		TakesSegmentSize(b)
		to := make([]byte, len(b))
		if n, all := CopyCmsgs(to, b); !all || !bytes.Equal(to[:n], b) {
			t.Fatalf("copied %x of %x, all %v", to[:n], b, all)
		}
		// No room is too little for a panic.
		for room := range len(b) {
			if n, _ := CopyCmsgs(to[:room], b); n > room {
				t.Fatalf("copied %d bytes into %d", n, room)
			}
		}
	})
}

// A message that a system lacks has a negative number, which nothing that is received
// matches.
func TestCmsgIs(t *testing.T) {
	tests := []struct {
		c          Cmsg
		level, typ int
		want       bool
	}{
		{Cmsg{Level: 1, Type: 2}, 1, 2, true},
		{Cmsg{Level: 1, Type: 2}, 1, 3, false},
		{Cmsg{Level: 0, Type: 2}, 1, 2, false},
		{Cmsg{Level: 0, Type: -1}, 0, -1, false},
		{Cmsg{Level: -1, Type: 1}, -1, 1, false},
	}
	for _, tt := range tests {
		if got := tt.c.Is(tt.level, tt.typ); got != tt.want {
			t.Errorf("%+v is level %d, type %d: %t, want %t", tt.c, tt.level, tt.typ, got, tt.want)
		}
	}
}
