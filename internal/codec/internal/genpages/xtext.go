package main

import (
	"fmt"
	"log"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// charmaps are the pages of x/text.
var charmaps = []struct {
	name string
	enc  encoding.Encoding
}{
	{"cp037", charmap.CodePage037},
	{"cp1047", charmap.CodePage1047},
	{"cp1140", charmap.CodePage1140},
	{"cp437", charmap.CodePage437},
	{"cp850", charmap.CodePage850},
	{"cp852", charmap.CodePage852},
	{"cp855", charmap.CodePage855},
	{"cp858", charmap.CodePage858},
	{"cp860", charmap.CodePage860},
	{"cp862", charmap.CodePage862},
	{"cp863", charmap.CodePage863},
	{"cp865", charmap.CodePage865},
	{"cp866", charmap.CodePage866},
	{"iso-8859-1", charmap.ISO8859_1},
	{"iso-8859-2", charmap.ISO8859_2},
	{"iso-8859-3", charmap.ISO8859_3},
	{"iso-8859-4", charmap.ISO8859_4},
	{"iso-8859-5", charmap.ISO8859_5},
	{"iso-8859-6", charmap.ISO8859_6},
	{"iso-8859-7", charmap.ISO8859_7},
	{"iso-8859-8", charmap.ISO8859_8},
	{"iso-8859-9", charmap.ISO8859_9},
	{"iso-8859-10", charmap.ISO8859_10},
	{"iso-8859-13", charmap.ISO8859_13},
	{"iso-8859-14", charmap.ISO8859_14},
	{"iso-8859-15", charmap.ISO8859_15},
	{"iso-8859-16", charmap.ISO8859_16},
	{"koi8-r", charmap.KOI8R},
	{"koi8-u", charmap.KOI8U},
	{"macintosh", charmap.Macintosh},
	{"us-ascii", usASCII()},
	{"windows-1250", charmap.Windows1250},
	{"windows-1251", charmap.Windows1251},
	{"windows-1252", charmap.Windows1252},
	{"windows-1253", charmap.Windows1253},
	{"windows-1254", charmap.Windows1254},
	{"windows-1255", charmap.Windows1255},
	{"windows-1256", charmap.Windows1256},
	{"windows-1257", charmap.Windows1257},
	{"windows-1258", charmap.Windows1258},
	{"windows-874", charmap.Windows874},
	{"x-mac-cyrillic", charmap.MacintoshCyrillic},
	{"x-user-defined", charmap.XUserDefined},
}

// usASCII is in no package of x/text under a name of its own.
func usASCII() encoding.Encoding {
	enc, err := ianaindex.IANA.Encoding("us-ascii")
	if err != nil {
		log.Fatal(err)
	}
	return enc
}

func writeXTextPages() {
	b := newFile(pagesComment + "They are those of\n// golang.org/x/text.\n")
	for _, p := range charmaps {
		var table []rune
		for c := range 256 {
			r, _ := decode(p.enc, []byte{byte(c)})
			if r < 0 {
				r = utf8.RuneError
			}
			table = append(table, r)
		}
		putPage(b, p.name, fmt.Sprintf("x/text's %q", p.enc), table)
	}
	writeFile("xtextpages.go", b)
}

// decode returns the characters that code stands for, the second of which is 0 in
// most cases, or -1.
func decode(enc encoding.Encoding, code []byte) (r, r2 rune) {
	text, err := enc.NewDecoder().Bytes(code)
	runes := []rune(string(text))
	if err != nil || len(runes) == 0 || runes[0] == utf8.RuneError {
		return -1, 0
	}
	if len(runes) > 1 {
		r2 = runes[1]
	}
	return runes[0], r2
}

// set is an encoding of more than one byte per character, of which first says
// where its codes begin.
type set struct {
	name    string
	enc     encoding.Encoding
	ranges  []codeRange
	comment string
}

// codeRange are the codes with a prefix and a lead and a trail byte in these
// bounds.
type codeRange struct {
	prefix   string
	from, to byte
}

var eastAsian = []set{
	{"Big5", traditionalchinese.Big5, []codeRange{{"", 0x81, 0xfe}}, ""},
	{
		"EUCJP", japanese.EUCJP, []codeRange{{"", 0x8e, 0x8e}, {"\x8f", 0xa1, 0xfe}},
		" without\n// those of JIS X 0208, which tableShiftJIS has",
	},
	{"EUCKR", korean.EUCKR, []codeRange{{"", 0x81, 0xfe}}, ""},
	{"GBK", simplifiedchinese.GBK, []codeRange{{"", 0x80, 0xfe}}, ""},
	{"ShiftJIS", japanese.ShiftJIS, []codeRange{{"", 0x80, 0xfc}}, ""},
}

func writeTable(s set) {
	b := newFile(`// Each line has a code and its characters, and those of the codes that follow; see
// type codeTable.
`)
	fmt.Fprintf(b, "// table%s are the characters of x/text's %q%s.\nconst table%s = \"\" +\n", s.name, s.enc, s.comment, s.name)
	line := ""
	flush := func() {
		if line != "" {
			fmt.Fprintf(b, "%s +\n", strconv.Quote(line+"\n"))
		}
		line = ""
	}
	put := func(code []byte) bool {
		r, r2 := decode(s.enc, code)
		if r < 0x80 {
			flush()
			return false
		}
		if line == "" {
			line = fmt.Sprintf("%x:", code)
		}
		line += string(r)
		if r2 != 0 {
			line += string(r2)
		}
		return true
	}
	lowest := make(map[rune]string)
	learn := func(code []byte) {
		r, r2 := decode(s.enc, code)
		if _, ok := lowest[r]; !ok && r >= 0x80 && r2 == 0 {
			lowest[r] = string(code)
		}
	}
	for _, c := range s.ranges {
		var pairs []byte
		for lead := int(c.from); lead <= int(c.to); lead++ {
			code := append([]byte(c.prefix), byte(lead))
			if r, r2 := decode(s.enc, code); c.prefix == "" && r >= 0x80 && r2 == 0 {
				put(code)
				learn(code)
				continue
			}
			flush()
			pairs = append(pairs, byte(lead))
		}
		flush()
		for _, lead := range pairs {
			for trail := 0x21; trail < 0x100; trail++ {
				code := append([]byte(c.prefix), lead, byte(trail))
				if put(code) && len(code) == 2 {
					learn(code)
				}
			}
			flush()
		}
	}
	// The characters that are not written as the lowest of their codes.
	var second []string
	for r := range rune(utf8.MaxRune) {
		code, ok := lowest[r]
		if !ok {
			continue
		}
		best, err := s.enc.NewEncoder().Bytes([]byte(string(r)))
		if err != nil || string(best) == code || len(best) > 2 {
			continue
		}
		if back, _ := decode(s.enc, best); back == r {
			second = append(second, strconv.Quote(fmt.Sprintf("=%x:%c\n", best, r)))
		}
	}
	flush()
	b.WriteString(strings.Join(append(second, `""`), " +\n"))
	b.WriteByte('\n')
	writeFile("table"+strings.ToLower(s.name)+".go", b)
}
