package codec

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorded decodes the pieces and returns the text and the commands. The bytes that end
// it in a strict format come behind "!" if they are malformed, and behind "…" if they are
// unfinished.
func recorded(f Format, pieces [][]byte, size int) (string, []string) {
	var d Decoder
	var commands []string
	d.Init(f)
	d.SetHook(func(c Command) { commands = append(commands, fmt.Sprintf("%d %d %x", c.Code, c.Option, c.Data)) })
	var text strings.Builder
	var pending []byte
	p := make([]byte, size)
	for i := 0; i <= len(pieces); i++ {
		if i < len(pieces) {
			pending = append(pending, pieces[i]...)
		}
		eof := i == len(pieces) || len(pieces) == 1 // the end is seen later, or at once
		for {
			nDst, nSrc, status := d.Decode(p, pending, eof)
			text.Write(p[:nDst])
			pending = pending[nSrc:]
			switch status {
			case Malformed:
				return text.String() + fmt.Sprintf("!%x", pending[:d.Bad()]), commands
			case Truncated:
				return text.String() + fmt.Sprintf("…%x", pending[:d.Bad()]), commands
			}
			if status == More {
				break
			}
		}
	}
	return text.String(), commands
}

// A hook that is set in a format without commands is called once there are some.
func TestTelnetHookBeforeFormat(t *testing.T) {
	var d Decoder
	var got []Command
	d.Init(Format{Charset: Lookup("utf-8")})
	d.SetHook(func(c Command) { got = append(got, c) })
	d.Init(Format{Charset: Lookup("utf-8"), Newline: NVT})
	d.Decode(make([]byte, 10), []byte("a\xff\xfb\x01"), true)
	if diff := cmp.Diff([]Command{{Code: telnetWILL, Option: 1}}, got); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

func TestTelnetCommands(t *testing.T) {
	long := strings.Repeat("x", maxSub+1)
	tests := []struct {
		charset, wire string
		strict        bool
		want          string
		commands      []string
	}{
		{"iso-8859-1", "a\xff\xff\xe9", false, "aÿé", nil},
		{"iso-8859-1", "a\xff\xf1b", false, "ab", []string{"241 0 "}},
		{"iso-8859-1", "\xff\xfb\x01a\xff\xfd\xff\xff\xfe\x03", true, "a", []string{"251 1 ", "253 255 ", "254 3 "}},
		{"iso-8859-1", "a\xff\xfa\x18\x01\xff\xffz\xff\xf0b", false, "ab", []string{"250 24 01ff7a"}},
		{"iso-8859-1", "a\xff\xfa\x18\x01\xff\xf1b", false, "ab", []string{"250 24 01", "241 0 "}},
		{"iso-8859-1", "a\xff\xfa\x18" + long + "\xff\xf0b", false, "ab", nil},
		{"iso-8859-1", "a\r\xff\xf1\nb\r\xff\xf1\x00c", false, "a\nb\rc", []string{"241 0 ", "241 0 "}},
		{"iso-8859-1", "a\xff", false, "a", nil},
		{"iso-8859-1", "a\xff", true, "a…ff", nil},
		{"iso-8859-1", "a\xff\xfb", true, "a…fffb", nil},
		{"utf-8", "\xc3\xff\xf1\xa9\xff\xffx", false, "é\ufffdx", []string{"241 0 "}},
		{"utf-16be", "\x00\xff\xff\xff\xff\x01\x00\xff\xf6a", false, "ÿ！a", []string{"246 0 "}}, // FF01
		{"utf-16be", "\x00\xff\xfa\x01\xff\xf0a", true, "a", []string{"250 1 "}},
		{"utf-16be", "\x00" + strings.Repeat("\xff\xf1", 13) + "\x00a", false, "\ufffda", slices.Repeat([]string{"241 0 "}, 13)},
		{"utf-16be", "\x00" + strings.Repeat("\xff\xf1", 13), true, "!00", nil},
		{"utf-16be", "\x00" + strings.Repeat("\xff\xf1", 12) + "\xff\xfa", true, "!00", nil},
		{"utf-16be", "\x00" + strings.Repeat("\xff\xf1", 12), true, "…00", nil},
		{"bytes", "\xff\xff\xff\xf1\x80", false, "\xff\x80", []string{"241 0 "}},
		{"cp500", "\xff\xff\xc1", false, "\u009fA", nil},
		{"gbk", "\xd6\xff\xf9\xd0", true, "中", []string{"249 0 "}},
		{"iso-2022-jp", "\x1b\xff\xf1$B\x46\xff\xf1\x7c", true, "日", []string{"241 0 ", "241 0 "}},
	}
	for _, tt := range tests {
		f := Format{Charset: Lookup(tt.charset), Newline: NVT, Strict: tt.strict}
		check := func(how string, pieces [][]byte, size int) {
			t.Helper()
			text, commands := recorded(f, pieces, size)
			if diff := cmp.Diff(tt.want, text); diff != "" {
				t.Errorf("%s, % x, %s (-want +got):\n%s", tt.charset, tt.wire, how, diff)
			}
			if diff := cmp.Diff(tt.commands, commands); diff != "" {
				t.Errorf("%s, % x, %s: commands (-want +got):\n%s", tt.charset, tt.wire, how, diff)
			}
		}
		wire := []byte(tt.wire)
		if len(wire) < 100 {
			for i := range wire {
				check(fmt.Sprint("split at ", i), [][]byte{wire[:i], wire[i:]}, 64)
			}
		}
		check("byte by byte", bytewise(wire), 8)
		check("at once", [][]byte{wire}, 8192)
	}
}

// TestTelnetText writes every character of encodings that have the byte FF, and
// reads it back.
func TestTelnetText(t *testing.T) {
	for _, name := range []string{"bytes", "iso-8859-1", "koi8-r", "cp500", "utf-16", "utf-16le", "utf-32", "macintosh", "utf-8", "shift_jis"} {
		c := Lookup(name)
		var text []byte
		for r := rune(0); r < 0x300; r++ {
			if name == "bytes" {
				text = append(text, byte(r))
			} else if c.Encodes(r) {
				text = append(text, string(r)...)
			}
		}
		text = append(text, strings.Repeat("a", 100)...)
		f := Format{Charset: c, Newline: NVT, Strict: true}
		wire := write(f, [][]byte{text}, 1<<14)
		plain := write(Format{Charset: c, Newline: CRLF, Strict: true}, [][]byte{text}, 1<<14)
		if n, want := strings.Count(wire.Text, "\xff"), 2*strings.Count(plain.Text, "\xff"); n != want {
			t.Errorf("%s: %d times FF, want %d", name, n, want)
		}
		for _, size := range []int{FinishLen, 100, 1 << 14} {
			if got := write(f, bytewise(text), size); got.Text != wire.Text || got.Status != More {
				t.Errorf("%s: into %d bytes %s, want %s", name, size, got, wire)
			}
			if got := read(f, [][]byte{[]byte(wire.Text)}, size); got.Text != string(text) || got.Status != More {
				t.Errorf("%s: back by %d bytes %s", name, size, got)
			}
		}
	}
}

func TestAppendCommand(t *testing.T) {
	want := []string{"241 0 ", "251 3 ", "250 255 00ffff", "250 24 "}
	var wire []byte
	wire = AppendCommand(wire, Command{Code: 241})
	wire = AppendCommand(wire, Command{Code: 251, Option: 3})
	wire = AppendCommand(wire, Command{Code: 250, Option: 255, Data: []byte("\x00\xff\xff")})
	wire = AppendCommand(wire, Command{Code: 250, Option: 24})
	text, commands := recorded(Format{Charset: Bytes, Newline: NVT}, [][]byte{wire}, 64)
	if diff := cmp.Diff(want, commands); diff != "" || text != "" {
		t.Errorf("text %q, commands (-want +got):\n%s", text, diff)
	}
}

func TestLookalikes(t *testing.T) {
	tests := []struct{ charset, text, want string }{
		{"shift_jis", "−〜‖—¢£¬¥‾", "\x81\x7c\x81\x60\x81\x61\x81\x5c\x81\x91\x81\x92\x81\xca\x5c\x7e"},
		{"euc-jp", "−〜‖—¥", "\xa1\xdd\xa1\xc1\xa1\xc2\xa1\xbd\x5c"},
		{"iso-2022-jp", "−¥", "\x1b$B\x21\x5d\x1b(J\x5c\x1b(B"},
		{"gbk", "〜\ue78d", "\xa1\xab\xa6\xd9"},
		{"euc-kr", "—〜", "\xa1\xaa\xa2\xa6"},
		{"big5", "‖", "\xa1\xfc"},
		{"iso-8859-1", "−", "?"},
		{"cp500", "−", "\x3f"},
	}
	for _, tt := range tests {
		c := Lookup(tt.charset)
		if got := write(Format{Charset: c}, [][]byte{[]byte(tt.text)}, 256); got.Text != tt.want {
			t.Errorf("%s: %q is %x, want %x", tt.charset, tt.text, got.Text, tt.want)
		}
		if got := write(Format{Charset: c}, bytewise([]byte(tt.text)), 256); got.Text != tt.want {
			t.Errorf("%s: %q, byte by byte, is %x, want %x", tt.charset, tt.text, got.Text, tt.want)
		}
		for _, r := range tt.text {
			if c.Encodes(r) {
				continue
			}
			if got := write(Format{Charset: c, Strict: true}, [][]byte{[]byte(string(r))}, 256); got.Status != Malformed {
				t.Errorf("%s, strict: %U is %s", tt.charset, r, got)
			}
		}
	}
	// None is of no use, and none takes the place of a character that is there.
	for _, l := range lookalikes {
		used := 0
		for _, name := range Names() {
			if c := Lookup(name); (c.kind == kindDouble || c.kind == kindHZ || c.kind == kindISO2022JP) && !c.Encodes(l.r) && c.Encodes(l.instead) {
				used++
			}
		}
		if used == 0 {
			t.Errorf("%U for %U is written by no encoding", l.instead, l.r)
		}
	}
}

// TestTelnetUntil reads lines: each command is reported once, and those behind
// a line not before the next one.
func TestTelnetUntil(t *testing.T) {
	for _, name := range []string{"iso-8859-1", "utf-16be"} {
		f := Format{Charset: Lookup(name), Newline: NVT}
		nl := write(f, [][]byte{[]byte("\n")}, 256).Text
		a := write(f, [][]byte{[]byte("aÿ")}, 256).Text
		wire := []byte("\xff\xf1" + a + "\xff\xfd\x01" + nl + "\xff\xfa\x18x\xff\xf0" + a + nl + a)
		var d Decoder
		var commands []string
		d.Init(f)
		d.SetHook(func(c Command) { commands = append(commands, fmt.Sprintf("%d %d %s", c.Code, c.Option, c.Data)) })
		dst := make([]byte, 100)
		want := []struct {
			text     string
			commands []string
		}{
			{"aÿ\n", []string{"241 0 ", "253 1 "}},
			{"aÿ\n", []string{"241 0 ", "253 1 ", "250 24 x"}},
			{"aÿ", []string{"241 0 ", "253 1 ", "250 24 x"}},
		}
		for _, w := range want {
			nDst, nSrc, _ := d.DecodeUntil(dst, wire, '\n', true)
			wire = wire[nSrc:]
			if got := string(dst[:nDst]); got != w.text {
				t.Errorf("%s: line %q, want %q", name, got, w.text)
			}
			if diff := cmp.Diff(w.commands, commands); diff != "" {
				t.Errorf("%s: commands (-want +got):\n%s", name, diff)
			}
		}
	}
}
