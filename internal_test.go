package sockets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/iolib-go/sockets/internal/codec"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/sys"
)

func parse(t testing.TB, s string) ExternalFormat {
	t.Helper()
	f, err := ParseFormat(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestWrapFormat(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	tests := []struct {
		format  string
		in, out int
		same    bool
		reason  error
	}{
		{"bytes", 0, 0, true, nil},
		{"utf-8", 0, 0, true, nil},
		{"utf-8,crlf", 0, 0, false, nil},
		{"bytes", 64, 0, false, nil},
		{"utf-8", 0, 4096, false, nil},
		{"utf-16", -1, 0, false, syscall.EINVAL},
		{"utf-16", 0, 63, false, syscall.EINVAL},
		{"bytes", 1, 0, false, syscall.EINVAL},
	}
	for _, tt := range tests {
		w := wireFormat{parse(t, tt.format), tt.in, tt.out}
		var c net.Conn
		err := w.check(sys.SOCK_STREAM)
		if err == nil {
			c = w.wrap(a)
		}
		if !errors.Is(err, tt.reason) || (c == nil) != (err != nil) || c == a != tt.same {
			t.Errorf("%s, %d, %d: %v, %v", tt.format, tt.in, tt.out, c, err)
		}
	}
	if err := (wireFormat{format: ExternalFormat{Newline: 77}}).check(sys.SOCK_STREAM); !errors.Is(err, ErrFormatOption) {
		t.Error(err)
	}
}

// textSource is a connection of which Read repeats data for ever, and which
// throws away what is written.
type textSource struct {
	net.Conn
	data []byte
}

func (s textSource) Read(p []byte) (int, error)  { return copy(p, s.data), nil }
func (s textSource) Write(p []byte) (int, error) { return len(p), nil }

func TestAnIdleConnCostsItsStruct(t *testing.T) {
	// Two characters and the beginning of a third, which stays behind.
	s := textSource{data: []byte("\x83e\x83X\x83")}
	for _, size := range []int{1, 3, 100, 512, 4096} {
		c := NewTextConn(s, parse(t, "shift_jis"))
		p := make([]byte, size)
		for range 10 {
			if _, err := c.Read(p); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write([]byte("テスト")); err != nil {
				t.Fatal(err)
			}
		}
		if c.r.block != nil || c.w.block != nil || c.r.own != nil || c.w.own != nil {
			t.Errorf("reading %d bytes at a time leaves memory behind", size)
		}
	}
	// What is too much for p stays in a block, and that goes back.
	c := NewTextConn(textSource{data: bytes.Repeat([]byte("\x83e"), 2000)}, parse(t, "shift_jis"))
	p := make([]byte, 4096)
	if _, err := c.Read(p); err != nil {
		t.Fatal(err)
	}
	if c.r.block == nil {
		t.Error("there must be something left")
	}
	if _, err := c.Read(p); err != nil {
		t.Fatal(err)
	}
	if c.r.block != nil {
		t.Error("an empty block must go back")
	}
}

func TestReadAndWriteDoNotAllocate(t *testing.T) {
	if socktest.Race {
		t.Skip("sync.Pool drops values at random under the race detector")
	}
	text := strings.Repeat("plain text, é Ж 日本語 한국어 テスト😀\r\n", 100)
	for _, name := range EncodingNames() {
		if name == "replacement" || strings.Contains(name, "rot") {
			continue
		}
		for _, style := range []string{"", ",crlf", ",strict"} {
			f := parse(t, name+style)
			var e codec.Encoder
			lax, _ := f.codec()
			lax.Strict = false
			e.Init(lax)
			wire := make([]byte, 1<<16)
			n, _, _ := e.Encode(wire, []byte(text))
			var src []byte
			for _, r := range text {
				if codec.Of(f.Encoding).Encodes(r) {
					src = append(src, string(r)...)
				}
			}
			if style == ",strict" {
				e.Init(lax)
				n, _, _ = e.Encode(wire, src)
			} else {
				src = []byte(text)
			}
			c := NewTextConn(textSource{data: wire[:n]}, f)
			p := make([]byte, 1<<16) // all of wire, which textSource begins anew each time
			if allocs := testing.AllocsPerRun(50, func() {
				for range 4 {
					if _, err := c.Read(p); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := c.Write(src); err != nil {
					t.Fatal(err)
				}
			}); allocs > 0 {
				t.Errorf("%s%s: %v allocations", name, style, allocs)
			}
		}
	}
	c := NewTextConn(textSource{}, parse(t, "utf-16"))
	if allocs := testing.AllocsPerRun(50, func() { c.WriteString(text) }); allocs > 0 {
		t.Errorf("WriteString: %v allocations", allocs)
	}
}

func TestBuffersAreMadeOnce(t *testing.T) {
	c := NewTextConn(textSource{data: []byte("x")}, parse(t, "iso-8859-1"))
	if err := c.SetBufferSizes(4096, 4096); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	if allocs := testing.AllocsPerRun(50, func() {
		if _, err := c.Read(p); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(p); err != nil {
			t.Fatal(err)
		}
	}); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestTablesAreMadeOnce(t *testing.T) {
	grow := func() uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 50 {
			c := NewTextConn(textSource{data: []byte("x")}, parse(t, "big5,strict"))
			if _, err := io.ReadFull(c, make([]byte, 10)); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	grow()
	if n := grow(); n > 50*4096 {
		t.Errorf("%d bytes for 50 connections", n)
	}
}

// Only what has the right level, type and length is a report.
func TestParseQueuedError(t *testing.T) {
	if sys.IP_RECVERR < 0 {
		t.Skip("no error queue here")
	}
	// What the kernel tells of a port where nobody listens, with the reporter.
	const refused = 111
	full := make([]byte, 32)
	binary.NativeEndian.PutUint32(full, refused)
	full[4], full[5], full[6] = byte(QueuedICMP), 3, 3
	tests := []struct {
		name       string
		level, typ int
		data       []byte
		want       bool
	}{
		{"IPv4", sys.IPPROTO_IP, sys.IP_RECVERR, full, true},
		{"IPv6", sys.IPPROTO_IPV6, sys.IPV6_RECVERR, full, true},
		{"without the reporter", sys.IPPROTO_IP, sys.IP_RECVERR, full[:16], true},
		{"too short", sys.IPPROTO_IP, sys.IP_RECVERR, full[:15], false},
		{"empty", sys.IPPROTO_IP, sys.IP_RECVERR, nil, false},
		{"another level with the type of IPv4", sys.SOL_SOCKET, sys.IP_RECVERR, full, false},
		{"another level with the type of IPv6", sys.IPPROTO_IP, sys.IPV6_RECVERR, full, false},
		{"another type of IPv4", sys.IPPROTO_IP, sys.IP_TOS, full, false},
		{"another type of IPv6", sys.IPPROTO_IPV6, sys.IPV6_TCLASS, full, false},
	}
	for _, tt := range tests {
		oob, data := sys.AppendCmsg(nil, tt.level, tt.typ, len(tt.data))
		copy(data, tt.data)
		e, ok := parseQueuedError(oob)
		if ok != tt.want || ok && (e.Err != refused || e.Type != 3 || e.Code != 3 || e.Reporter.IsValid() || e.MTU != 0) {
			t.Errorf("%s: %+v, %v, want %v", tt.name, e, ok, tt.want)
		}
	}
}

func FuzzParseQueuedError(f *testing.F) {
	f.Add([]byte{})
	if sys.IP_RECVERR >= 0 {
		oob, data := sys.AppendCmsg(nil, sys.IPPROTO_IP, sys.IP_RECVERR, 32)
		copy(data, []byte{111, 0, 0, 0, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 127, 0, 0, 1})
		f.Add(oob)
	}
	f.Fuzz(func(t *testing.T, oob []byte) {
		if e, ok := parseQueuedError(oob); ok && e.Error() == "" {
			t.Error("no text")
		}
	})
}

// FuzzStripIPv4Header takes the header off whatever arrives: the rest of what arrived is
// in front, or all of it if that has no header of IPv4.
func FuzzStripIPv4Header(f *testing.F) {
	f.Add([]byte("\x45...................data"), 24)
	f.Add([]byte("\x4f........................................................."), 30)
	f.Add([]byte("\x45"), 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if n < 0 || n > len(b) {
			return
		}
		want := bytes.Clone(b[:n])
		if n >= 20 && b[0]>>4 == 4 {
			if header := 4 * int(b[0]&15); header >= 20 && header <= n {
				want = want[header:]
			}
		}
		n = stripIPv4Header(n, b)
		if n < 0 || n > len(b) || !bytes.Equal(want, b[:n]) {
			t.Errorf("%d bytes are left, want %d", n, len(want))
		}
	})
}
