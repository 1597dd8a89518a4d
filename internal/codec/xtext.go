package codec

import (
	"fmt"
	"reflect"
	"strings"

	"golang.org/x/text/encoding"
)

// xtextRows are the encodings of golang.org/x/text by what they call themselves.
// The values themselves are not here: a program that has one links its table anyway,
// and one that has none shall not.
var xtextRows = []struct {
	says string
	name string
	kind kind
}{
	{"Big5", "big5", kindDouble},
	{"EUC-JP", "euc-jp", kindDouble},
	{"EUC-KR", "euc-kr", kindDouble},
	{"GB18030", "gb18030", kindDouble},
	{"GBK", "gbk", kindDouble},
	{"HZ-GB2312", "hz-gb-2312", kindHZ},
	{"IBM Code Page 037", "cp037", kindSingle},
	{"IBM Code Page 1047", "cp1047", kindSingle},
	{"IBM Code Page 1140", "cp1140", kindSingle},
	{"IBM Code Page 437", "cp437", kindSingle},
	{"IBM Code Page 850", "cp850", kindSingle},
	{"IBM Code Page 852", "cp852", kindSingle},
	{"IBM Code Page 855", "cp855", kindSingle},
	{"IBM Code Page 860", "cp860", kindSingle},
	{"IBM Code Page 862", "cp862", kindSingle},
	{"IBM Code Page 863", "cp863", kindSingle},
	{"IBM Code Page 865", "cp865", kindSingle},
	{"IBM Code Page 866", "cp866", kindSingle},
	{"ISO 8859-1", "iso-8859-1", kindSingle},
	{"ISO 8859-10", "iso-8859-10", kindSingle},
	{"ISO 8859-13", "iso-8859-13", kindSingle},
	{"ISO 8859-14", "iso-8859-14", kindSingle},
	{"ISO 8859-15", "iso-8859-15", kindSingle},
	{"ISO 8859-16", "iso-8859-16", kindSingle},
	{"ISO 8859-2", "iso-8859-2", kindSingle},
	{"ISO 8859-3", "iso-8859-3", kindSingle},
	{"ISO 8859-4", "iso-8859-4", kindSingle},
	{"ISO 8859-5", "iso-8859-5", kindSingle},
	{"ISO 8859-6", "iso-8859-6", kindSingle},
	{"ISO 8859-7", "iso-8859-7", kindSingle},
	{"ISO 8859-8", "iso-8859-8", kindSingle},
	{"ISO 8859-9", "iso-8859-9", kindSingle},
	{"ISO-2022-JP", "iso-2022-jp", kindISO2022JP},
	{"ISO-8859-6E", "iso-8859-6-e", kindSingle},
	{"ISO-8859-6I", "iso-8859-6-i", kindSingle},
	{"ISO-8859-8E", "iso-8859-8-e", kindSingle},
	{"ISO-8859-8I", "iso-8859-8-i", kindSingle},
	{"KOI8-R", "koi8-r", kindSingle},
	{"KOI8-U", "koi8-u", kindSingle},
	{"Macintosh", "macintosh", kindSingle},
	{"Macintosh Cyrillic", "x-mac-cyrillic", kindSingle},
	{"Shift JIS", "shift_jis", kindDouble},
	{"US-ASCII", "us-ascii", kindSingle},
	{"UTF-16BE (Expect BOM)", "utf-16-expect-bom", kindUTF16},
	{"UTF-16BE (Ignore BOM)", "utf-16be", kindUTF16},
	{"UTF-16BE (Use BOM)", "utf-16", kindUTF16},
	{"UTF-16LE (Expect BOM)", "utf-16le-expect-bom", kindUTF16},
	{"UTF-16LE (Ignore BOM)", "utf-16le", kindUTF16},
	{"UTF-16LE (Use BOM)", "utf-16le-bom", kindUTF16},
	{"UTF-32BE (Expect BOM)", "utf-32-expect-bom", kindUTF32},
	{"UTF-32BE (Ignore BOM)", "utf-32be", kindUTF32},
	{"UTF-32BE (Use BOM)", "utf-32", kindUTF32},
	{"UTF-32LE (Expect BOM)", "utf-32le-expect-bom", kindUTF32},
	{"UTF-32LE (Ignore BOM)", "utf-32le", kindUTF32},
	{"UTF-32LE (Use BOM)", "utf-32le-bom", kindUTF32},
	{"UTF-8", "utf-8", kindUTF8},
	{"UTF-8-BOM", "utf-8-sig", kindUTF8},
	{"Windows 1250", "windows-1250", kindSingle},
	{"Windows 1251", "windows-1251", kindSingle},
	{"Windows 1252", "windows-1252", kindSingle},
	{"Windows 1253", "windows-1253", kindSingle},
	{"Windows 1254", "windows-1254", kindSingle},
	{"Windows 1255", "windows-1255", kindSingle},
	{"Windows 1256", "windows-1256", kindSingle},
	{"Windows 1257", "windows-1257", kindSingle},
	{"Windows 1258", "windows-1258", kindSingle},
	{"Windows 874", "windows-874", kindSingle},
	{"Windows Code Page 858", "cp858", kindSingle},
	{"X-User-Defined", "x-user-defined", kindSingle},
}

// identify makes the charset of an encoding of this package or of x/text, else
// it returns nil.
func identify(enc encoding.Encoding) *Charset {
	switch enc := enc.(type) {
	case *page:
		return &Charset{Name: enc.name, Encoding: enc, kind: kindSingle}
	case *eastAsian:
		return &Charset{Name: enc.name, Encoding: enc, kind: enc.kind}
	}
	if enc == encoding.Replacement {
		return &Charset{Name: "replacement", Encoding: enc}
	}
	s, ok := enc.(fmt.Stringer)
	if !ok {
		return nil
	}
	// The name alone is no proof: anyone may choose it.
	t := reflect.TypeOf(enc)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !strings.Contains("/"+t.PkgPath()+"/", "/golang.org/x/text/encoding/") {
		return nil
	}
	says := s.String()
	for _, r := range xtextRows {
		if r.says != says {
			continue
		}
		c := &Charset{Name: r.name, Encoding: enc, kind: r.kind}
		c.little = strings.HasPrefix(r.name, "utf-16le") || strings.HasPrefix(r.name, "utf-32le")
		switch {
		case strings.HasSuffix(r.name, "expect-bom"):
			c.mark = expectMark
		case r.name == "utf-16" || r.name == "utf-32" || r.name == "utf-8-sig" || strings.HasSuffix(r.name, "-bom"):
			c.mark = useMark
		}
		return c
	}
	return nil
}
