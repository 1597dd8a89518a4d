package codec

import "strings"

// lookalikes are written, in replace policy, for characters that an East Asian
// encoding lacks. The input methods and fonts of one system produce one of two
// characters that look alike, and the tables of another have the other: Unicode's
// own table of JIS X 0208 has U+2212 where Microsoft's has U+FF0D. In strict
// policy they are lacking, as they are not read back.
//
// U+2212, U+00A5 and U+203E are those of WHATWG's encoders; the private
// characters of GB 18030-2005 are written by WHATWG's GBK encoder, too. The
// others are those of Microsoft's code page 932 and of glibc's.
var lookalikes = []struct {
	r, instead rune
	only       string // the encodings, if not all East Asian ones
}{
	{'−', '－', ""},                 // U+2212 minus, U+FF0D full-width hyphen-minus
	{'〜', '～', ""},                 // U+301C wave dash, U+FF5E full-width tilde
	{'‖', '∥', ""},                 // U+2016 double vertical line, U+2225 parallel to
	{'—', '―', ""}, {'―', '—', ""}, // U+2014 em dash, U+2015 horizontal bar
	{'¢', '￠', ""},                  // U+00A2, U+FFE0
	{'£', '￡', ""},                  // U+00A3, U+FFE1
	{'¬', '￢', ""},                  // U+00AC, U+FFE2
	{'¥', '\\', "shift_jis euc-jp"}, // U+00A5, the glyph of 5C
	{'‾', '~', "shift_jis euc-jp"},  // U+203E, the glyph of 7E
}

// instead returns what is written for r, which the encoding lacks.
func (e *Encoder) instead(r rune) rune {
	switch e.charset.kind {
	case kindDouble, kindISO2022JP, kindHZ:
	default:
		return e.sub[0]
	}
	for _, l := range lookalikes {
		if l.r != r || l.only != "" && !strings.Contains(" "+l.only+" ", " "+e.charset.Name+" ") {
			continue
		}
		st := e.st
		if e.m.encodeRune(&st, e.room[:], l.instead) > 0 {
			return l.instead
		}
	}
	if e.charset.Name == "gbk" {
		for _, x := range editionOf2022 {
			if x.was == r {
				return x.now
			}
		}
	}
	return e.sub[0]
}
