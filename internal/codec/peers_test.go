package codec

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding"
)

// table is an encoding as pairs of code and text.
type table struct {
	dec map[string]string
	enc map[rune]string
}

// codes returns every code of c that could be one character, with what puts
// its set in force and out of force.
func codes(c *Charset) []string {
	var list []string
	pairs := func(before string, from, to int, after string) {
		for hi := from; hi <= to; hi++ {
			for lo := from & 0x7f; lo <= to; lo++ {
				list = append(list, before+string([]byte{byte(hi), byte(lo)})+after)
			}
		}
	}
	switch c.kind {
	case kindHZ:
		for i := range 0x80 {
			list = append(list, string([]byte{byte(i)}))
		}
		pairs("~{", 0x21, 0x7e, "~}")
		return list
	case kindISO2022JP:
		for i := range 0x80 {
			list = append(list, string([]byte{byte(i)}), "\x1b(J"+string([]byte{byte(i)})+"\x1b(B", "\x1b(I"+string([]byte{byte(i)})+"\x1b(B")
		}
		for _, before := range []string{"\x1b$B", "\x1b$@", "\x1b$(D"} {
			pairs(before, 0x21, 0x7e, "\x1b(B")
		}
		return list
	}
	for i := range 0x100 {
		list = append(list, string([]byte{byte(i)}))
	}
	if c.kind != kindDouble {
		return list
	}
	for hi := 0x80; hi <= 0xff; hi++ {
		if m := c.machine().(*double); m.dec[hi&0x7f<<8]>>28 == 1 {
			continue // two characters
		}
		for lo := range 0x100 {
			list = append(list, string([]byte{byte(hi), byte(lo)}))
		}
	}
	switch c.machine().(*double).long {
	case threeEUC:
		pairs("\x8f", 0xa1, 0xfe, "")
	case gb18030:
		for n := range fourBasic {
			list = append(list, string(fourOf(n)))
		}
		for n := fourAstral; n < fourAstral+0x100000; n += 1021 {
			list = append(list, string(fourOf(n)))
		}
	}
	return list
}

func fourOf(n int) []byte {
	return []byte{byte(0x81 + n/12600), byte('0' + n/1260%10), byte(0x81 + n/10%126), byte('0' + n%10)}
}

// runes calls do for the runes that peers.py asks about.
func runes(c *Charset, do func(r rune)) {
	single := c.kind == kindSingle
	for r := rune(0); r < 0x30000; r++ {
		if r >= 0xd800 && r < 0xe000 || single && (r >= 0x10000 || r >= 0x3400 && r < 0xd800 && r%17 != 0) {
			continue
		}
		do(r)
	}
	for r := rune(0x30000); r <= utf8.MaxRune; r += 0x1003 {
		do(r)
	}
}

// ours returns the table that this package has for c.
func ours(c *Charset) table {
	t := table{make(map[string]string), make(map[rune]string)}
	for _, code := range codes(c) {
		if res := oneShot(Format{Charset: c, Strict: true}, []byte(code)); res.Status == More && res.Text != "" {
			t.dec[code] = res.Text
		}
	}
	m := c.machine()
	runes(c, func(r rune) {
		var st state
		var room [2 * maxRune]byte
		m.start(&st)
		if n := m.encodeRune(&st, room[:], r); n > 0 {
			n += m.finish(&st, room[n:])
			t.enc[r] = string(room[:n])
		}
	})
	return t
}

// xtextTable returns the table that x/text has in enc, which is its c.
func xtextTable(c *Charset, enc encoding.Encoding) table {
	x := table{make(map[string]string), make(map[rune]string)}
	dec, e := enc.NewDecoder(), enc.NewEncoder()
	for _, code := range codes(c) {
		if text, err := dec.Bytes([]byte(code)); err == nil && len(text) > 0 && !bytes.Contains(text, []byte("\ufffd")) {
			x.dec[code] = string(text)
		}
	}
	if c.kind == kindHZ || c.kind == kindISO2022JP {
		x.enc = nil // which never return to ASCII
		return x
	}
	runes(c, func(r rune) {
		if code, err := e.Bytes([]byte(string(r))); err == nil {
			x.enc[r] = string(code)
		}
	})
	if c.kind == kindDouble && c.Encodes(utf8.RuneError) {
		code := x.enc[utf8.RuneError]
		x.dec[code] = "\ufffd"
	}
	return x
}

// script is a running peers.py.
type script struct {
	in  io.Writer
	out *bufio.Reader
}

func startScript(t *testing.T) *script {
	cmd := exec.Command("python3", "testdata/peers.py")
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	cmd.Stderr = os.Stderr
	if err := cmp.Or(err1, err2, cmd.Start()); err != nil {
		missing(t, err.Error())
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("peers.py: %v", err)
		}
	})
	return &script{in, bufio.NewReaderSize(out, 1<<20)}
}

// table asks for what peer has for c under name. It reports false if peer
// does not have it.
func (s *script) table(t *testing.T, peer, name string, c *Charset) (table, bool) {
	scope := "all"
	if c.kind == kindSingle {
		scope = "few"
	}
	list := codes(c)
	var ask bytes.Buffer
	fmt.Fprintf(&ask, "%s %s %s", peer, name, scope)
	for _, code := range list {
		fmt.Fprintf(&ask, " %x", code)
	}
	ask.WriteByte('\n')
	_, err1 := s.in.Write(ask.Bytes())
	texts, err2 := s.out.ReadString('\n')
	pairs, err3 := s.out.ReadString('\n')
	if err := cmp.Or(err1, err2, err3); err != nil {
		t.Fatalf("%s %s: %v", peer, name, err)
	}
	words := strings.Fields(texts)
	if words[0] != "ok" {
		return table{}, false
	}
	if words = words[1:]; len(words) != len(list) {
		t.Fatalf("%s %s: %d answers to %d codes", peer, name, len(words), len(list))
	}
	x := table{make(map[string]string), make(map[rune]string)}
	for i, word := range words {
		if text, err := hex.DecodeString(word); err == nil {
			x.dec[list[i]] = string(text)
		}
	}
	for pair := range strings.FieldsSeq(pairs) {
		r, code, _ := strings.Cut(pair, "=")
		n, err1 := strconv.ParseInt(r, 16, 32)
		b, err2 := hex.DecodeString(code)
		if err := cmp.Or(err1, err2); err != nil {
			t.Fatal(err)
		}
		x.enc[rune(n)] = string(b)
	}
	return x, true
}

// whatwg reads the indexes of the Encoding Standard.
func whatwg(t *testing.T) map[string][]*rune {
	const file = "/usr/share/javascript/text-encoding/encoding-indexes.js"
	src, err := os.ReadFile(file)
	if err != nil {
		missing(t, err.Error())
	}
	x := make(map[string][]*rune)
	for _, m := range regexp.MustCompile(`"([a-z0-9-]+)":(\[[0-9a-z,]*\])`).FindAllSubmatch(src, -1) {
		var index []*rune
		if err := json.Unmarshal(m[2], &index); err != nil {
			t.Fatal(err)
		}
		x[string(m[1])] = index
	}
	if len(x) < 30 {
		t.Fatalf("%d indexes in %s", len(x), file)
	}
	return x
}

// whatwgTable returns what the indexes say of c, in the direction of decoding.
func whatwgTable(x map[string][]*rune, c *Charset) (table, bool) {
	t := table{dec: make(map[string]string)}
	at := func(index string, pointer int, code ...byte) {
		if list := x[index]; pointer >= 0 && pointer < len(list) && list[pointer] != nil {
			t.dec[string(code)] = string(*list[pointer])
		}
	}
	for i := range 0x80 {
		t.dec[string(rune(i))] = string(rune(i))
	}
	if c.kind == kindSingle {
		name := map[string]string{"cp866": "ibm866"}[c.Name]
		for i := range 0x80 {
			at(cmp.Or(name, c.Name), i, byte(i+0x80))
		}
		return t, len(x[cmp.Or(name, c.Name)]) > 0
	}
	for hi := 0x80; hi <= 0xff; hi++ {
		for lo := 0x40; lo <= 0xfe; lo++ {
			past7f := 0
			if lo > 0x7f {
				past7f = 1
			}
			code := []byte{byte(hi), byte(lo)}
			switch {
			case lo == 0x7f:
			case c.Name == "big5" && hi > 0x80 && (lo < 0x7f || lo > 0xa0):
				pointer := (hi-0x81)*157 + lo - 0x40
				if lo > 0xa0 {
					pointer = (hi-0x81)*157 + lo - 0x62
				}
				at("big5", pointer, code...)
				for n, s := range map[int]string{1133: "Ê̄", 1135: "Ê̌", 1164: "ê̄", 1166: "ê̌"} {
					if n == pointer {
						t.dec[string(code)] = s
					}
				}
			case c.Name == "euc-kr" && hi > 0x80 && lo > 0x40:
				at("euc-kr", (hi-0x81)*190+lo-0x41, code...)
			case (c.Name == "gbk" || c.Name == "gb18030" || c.Name == "gb18030-2005") && hi > 0x80:
				at("gb18030", (hi-0x81)*190+lo-0x40-past7f, code...)
			case c.Name == "euc-jp" && hi > 0xa0 && lo > 0xa0:
				at("jis0208", (hi-0xa1)*94+lo-0xa1, code...)
				at("jis0212", (hi-0xa1)*94+lo-0xa1, append([]byte{0x8f}, code...)...)
			case c.Name == "euc-jp" && hi == 0x8e && lo > 0xa0 && lo < 0xe0:
				t.dec[string(code)] = string(rune(0xff61 + lo - 0xa1))
			case c.Name == "shift_jis" && (hi > 0x80 && hi < 0xa0 || hi > 0xdf && hi < 0xfd) && lo < 0xfd:
				lead := 0x81
				if hi > 0xdf {
					lead = 0xc1
				}
				pointer := (hi-lead)*188 + lo - 0x40 - past7f
				at("jis0208", pointer, code...)
				if pointer >= 8836 && pointer <= 10715 {
					t.dec[string(code)] = string(rune(0xe000 - 8836 + pointer))
				}
			}
		}
	}
	switch c.Name {
	case "gbk", "gb18030", "gb18030-2005":
		t.dec["\x80"] = "€"
	case "shift_jis":
		t.dec["\x80"] = "\u0080"
		for i := range 63 {
			t.dec[string([]byte{byte(i + 0xa1)})] = string(rune(0xff61 + i))
		}
	case "big5", "euc-kr", "euc-jp":
	default:
		return t, false
	}
	return t, true
}

// missing skips a test whose peer is not installed.
func missing(t *testing.T, why string) {
	t.Helper()
	t.Skipf("%s; .ci/install-tools.sh installs it", why)
}

// normal drops what is no statement about a character: two characters for a
// lead byte that is one itself, escape sequences passed as text, and runes
// that a peer writes as the code of another one.
func (t table) normal() table {
	for code, text := range t.dec {
		_, alone := t.dec[code[:1]]
		if utf8.RuneCountInString(text) > 1 && (alone || strings.Contains(text, "\x1b")) {
			delete(t.dec, code)
		}
	}
	for r, code := range t.enc {
		if text, ok := t.dec[code]; ok && text != string(r) {
			delete(t.enc, r)
		}
	}
	return t
}

// label is a code as the list of differences has it: hex, with the final byte
// or bytes of an escape sequence in front.
func label(code string) string {
	for _, e := range []struct{ before, after, label string }{
		{"~{", "~}", ""}, {"\x1b$B", "\x1b(B", "B"}, {"\x1b$@", "\x1b(B", "@"}, {"\x1b$(D", "\x1b(B", "D"}, {"\x1b(J", "\x1b(B", "J"}, {"\x1b(I", "\x1b(B", "I"},
	} {
		if rest, ok := strings.CutPrefix(code, e.before); ok {
			if rest, ok = strings.CutSuffix(rest, e.after); ok && rest != "" {
				return fmt.Sprintf("%s%x", e.label, rest)
			}
		}
	}
	return fmt.Sprintf("%x", code)
}

// difference is a code that ours and a peer do not read alike, or if text is
// false, a rune that they do not write alike.
type difference struct {
	code         string
	ours, theirs string
	encode       bool
}

func (d difference) String() string {
	if d.encode {
		return fmt.Sprintf("%+q is written %s here, %s there", d.code, cmp.Or(d.ours, "nothing"), cmp.Or(d.theirs, "nothing"))
	}
	return fmt.Sprintf("%s is read %+q here, %+q there", d.code, d.ours, d.theirs)
}

// differences returns where ours and theirs differ. A rune is written another way
// only if not even its codes are read another way.
func differences(ours, theirs table) []difference {
	var list []difference
	read := make(map[string]bool)
	for code, text := range ours.dec {
		if len(code) > 3 && theirs.enc == nil && code[0] >= 0x80 {
			continue // WHATWG's index is of two bytes
		}
		if other := theirs.dec[code]; other != text {
			list = append(list, difference{label(code), text, other, false})
			read[code] = true
		}
	}
	for code, text := range theirs.dec {
		if _, ok := ours.dec[code]; !ok {
			list = append(list, difference{label(code), "", text, false})
			read[code] = true
		}
	}
	if theirs.enc == nil {
		return list
	}
	differ := func(r rune, a, b string) {
		if a != b && !(a != "" && read[a]) && !(b != "" && read[b]) {
			list = append(list, difference{string(r), label(a), label(b), true})
		}
	}
	for r, code := range ours.enc {
		differ(r, code, theirs.enc[r])
	}
	for r, code := range theirs.enc {
		if _, ok := ours.enc[r]; !ok {
			differ(r, "", code)
		}
	}
	return list
}

// TestPeers compares every table with every other source that has it.
func TestPeers(t *testing.T) {
	if testing.Short() || sparse > 1 {
		t.Skip("takes long")
	}
	if _, err := exec.LookPath("python3"); err != nil {
		missing(t, err.Error())
	}
	s := startScript(t)
	indexes := whatwg(t)
	real := make(map[int]bool)
	check := func(c *Charset, peer string, o, x table) {
		list := differences(o, x.normal())
		unexplained := 0
		for _, d := range list {
			i := slices.IndexFunc(knownDifferences, func(k knownDifference) bool { return k.explains(c.Name, peer, d) })
			if i >= 0 {
				real[i] = true
			} else if unexplained++; unexplained <= limit {
				t.Errorf("%s, %s: %s", c.Name, peer, d)
			}
		}
		if unexplained > limit {
			t.Errorf("%s, %s: %d differences that are not in the list", c.Name, peer, unexplained)
		}
	}
	compared := make(map[string]int)
	for _, name := range Names() {
		c := Lookup(name)
		switch c.kind {
		case kindSingle, kindDouble, kindHZ, kindISO2022JP:
		default:
			continue
		}
		o := ours(c)
		if enc := inXText[name]; enc != nil {
			check(c, "x/text", o, xtextTable(c, enc))
		}
		if x, ok := whatwgTable(indexes, c); ok {
			check(c, "whatwg", o, x)
			compared[name]++
		}
		for _, peer := range []string{"python", "iconv"} {
			if x, ok := s.table(t, peer, cmp.Or(peerNames[peer][name], name), c); ok {
				check(c, peer, o, x)
				compared[name]++
			}
		}
		if compared[name] == 0 && !slices.Contains(alone, name) {
			t.Errorf("%s is compared with nothing", name)
		}
	}
	for i, k := range knownDifferences {
		if !real[i] {
			t.Errorf("no difference any more: %+v", k)
		}
	}
}

const limit = 20

// alone are the encodings that no peer has.
var alone = []string{"x-user-defined"}

// peerNames are the names of peers that are not ours.
var peerNames = map[string]map[string]string{
	"python": {
		"big5": "big5hkscs", "euc-kr": "cp949", "shift_jis": "cp932", "iso-2022-jp": "iso2022_jp_ext", "hz-gb-2312": "hz", "gb18030-2005": "gb18030",
		"macintosh": "mac_roman", "x-mac-cyrillic": "mac_cyrillic", "x-mac-ce": "mac_latin2", "x-mac-croatian": "mac_croatian", "x-mac-greek": "mac_greek",
		"x-mac-icelandic": "mac_iceland", "x-mac-romanian": "mac_romanian", "x-mac-turkish": "mac_turkish", "windows-874": "cp874", "us-ascii": "ascii",
		"iso-8859-6-e": "iso-8859-6", "iso-8859-6-i": "iso-8859-6", "iso-8859-8-e": "iso-8859-8", "iso-8859-8-i": "iso-8859-8",
	},
	"iconv": {
		"big5": "BIG5-HKSCS", "euc-kr": "UHC", "shift_jis": "WINDOWS-31J", "euc-jp": "EUC-JP-MS", "gb18030-2005": "GB18030", "windows-874": "CP874",
		"x-mac-cyrillic": "MAC-CYRILLIC", "x-mac-ce": "MAC-CENTRALEUROPE", "x-mac-icelandic": "MAC-IS", "cp277": "IBM277",
	},
}

// knownDifference says why some codes are read, or runes written, another way.
type knownDifference struct {
	charsets string // names
	peers    string
	codes    string // codes and ranges of codes, in hex
	what     extent
	why      string
}

// extent says which differences an entry is about.
type extent uint8

const (
	reads  extent = iota // codes are read as other characters
	lacks                // codes are read here, and by the peers not at all
	writes               // characters are written as one of the codes by the peers, or only here
)

func (k knownDifference) explains(charset, peer string, d difference) bool {
	code := d.code
	if d.encode {
		code = cmp.Or(d.theirs, d.ours)
	}
	if (k.what == writes) != d.encode || k.what == lacks && d.theirs != "" || !slices.Contains(strings.Fields(k.charsets), charset) || !slices.Contains(strings.Fields(k.peers), peer) {
		return false
	}
	for part := range strings.FieldsSeq(k.codes) {
		from, to, ok := strings.Cut(part, "-")
		if !ok {
			to = from
		}
		if len(from) == len(code) && from <= code && code <= to {
			return true
		}
	}
	return false
}
