package codec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	xunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// row is an encoding with its names: the first is the canonical one, and the
// numbers are the code pages and CCSIDs that "cp", "ibm-" and "windows-" go
// before. Names are written as fold leaves them.
type row struct {
	name    string
	enc     encoding.Encoding
	kind    kind
	aliases string
	pages   []int
}

// usASCII is in no package of x/text under a name of its own.
var usASCII, _ = ianaindex.IANA.Encoding("us-ascii")

// rows is the index: IANA's names first, then what the users of iconv, Python
// and ICU type. x/text's two indexes fill in the rest, see lookup.
var rows = []row{
	{"big5", traditionalchinese.Big5, kindDouble, "big5tw csbig5 cnbig5 xxbig5 big5hkscs hkscs big5eten bigfive", []int{950, 951, 1370, 1375}},
	{"cp037", charmap.CodePage037, kindSingle, "ebcdiccpus ebcdiccpca ebcdiccpwt ebcdiccpnl csibm037 ebcdicus ibm039", []int{37}},
	{"cp1047", charmap.CodePage1047, kindSingle, "latin1open ebcdicopensystems", []int{1047, 924}},
	{"cp1140", charmap.CodePage1140, kindSingle, "ebcdicus37+euro csibm01140", []int{1140}},
	{"cp437", charmap.CodePage437, kindSingle, "cspc8codepage437 oemus", []int{437}},
	{"cp850", charmap.CodePage850, kindSingle, "cspc850multilingual", []int{850}},
	{"cp852", charmap.CodePage852, kindSingle, "cspcp852", []int{852}},
	{"cp855", charmap.CodePage855, kindSingle, "csibm855", []int{855}},
	{"cp858", charmap.CodePage858, kindSingle, "pcmultilingual850+euro csibm00858 cspc858multilingual", []int{858}},
	{"cp860", charmap.CodePage860, kindSingle, "csibm860", []int{860}},
	{"cp862", charmap.CodePage862, kindSingle, "cspc862latinhebrew", []int{862}},
	{"cp863", charmap.CodePage863, kindSingle, "csibm863", []int{863}},
	{"cp865", charmap.CodePage865, kindSingle, "csibm865", []int{865}},
	{"cp866", charmap.CodePage866, kindSingle, "csibm866", []int{866}},
	{"euc-jp", japanese.EUCJP, kindDouble, "eucjp ujis ujiseucjp extendedunixcodepackedformatforjapanese cseucpkdfmtjapanese xeucjp eucjpms eucjpwin eucjpopen", []int{20932, 51932, 954, 33722}},
	{"euc-kr", korean.EUCKR, kindDouble, "euckr uhc mscp949 ksc5601 ksc56011987 ksc56011989 korean csksc56011987 cseuckr isoir149 ksx1001 xwindows949", []int{949, 51949, 970, 1363}},
	{"gb18030", simplifiedchinese.GB18030, kindDouble, "gb180302000 gb180302005 csgb18030", []int{54936, 1392}},
	{"gbk", simplifiedchinese.GBK, kindDouble, "gb2312 cngb gb231280 gb23121980 euccn xgbk chinese csgb2312 csiso58gb231280 isoir58 eucgb2312cn csgbk xeuccn", []int{936, 1386, 20936, 51936, 1383}},
	{"hz-gb-2312", simplifiedchinese.HZGB2312, kindHZ, "hz hzgb hzgb2312 cshzgb2312", []int{52936}},
	{"iso-2022-jp", japanese.ISO2022JP, kindISO2022JP, "iso2022jp csiso2022jp jis jisencoding jis7", []int{50220, 50221, 50222}},
	{"iso-8859-1", charmap.ISO8859_1, kindSingle, "iso885911987 latin latin1 l1 iso8859 isoir100 csisolatin1 88591 8859", []int{819, 28591}},
	{"iso-8859-2", charmap.ISO8859_2, kindSingle, "iso885921987 latin2 l2 isoir101 csisolatin2 88592", []int{912, 28592}},
	{"iso-8859-3", charmap.ISO8859_3, kindSingle, "iso885931988 latin3 l3 isoir109 csisolatin3 88593", []int{913, 28593}},
	{"iso-8859-4", charmap.ISO8859_4, kindSingle, "iso885941988 latin4 l4 isoir110 csisolatin4 88594", []int{914, 28594}},
	{"iso-8859-5", charmap.ISO8859_5, kindSingle, "iso885951988 cyrillic isoir144 csisolatincyrillic 88595", []int{915, 28595}},
	{"iso-8859-6", charmap.ISO8859_6, kindSingle, "iso885961987 arabic asmo708 ecma114 isoir127 csisolatinarabic 88596", []int{1089, 28596}},
	{"iso-8859-6-e", charmap.ISO8859_6E, kindSingle, "csiso88596e", nil},
	{"iso-8859-6-i", charmap.ISO8859_6I, kindSingle, "csiso88596i", nil},
	{"iso-8859-7", charmap.ISO8859_7, kindSingle, "iso885971987 iso885972003 greek greek8 elot928 ecma118 isoir126 csisolatingreek suneugreek 88597", []int{813, 28597}},
	{"iso-8859-8", charmap.ISO8859_8, kindSingle, "iso885981988 hebrew visual isoir138 csisolatinhebrew 88598", []int{916, 28598}},
	{"iso-8859-8-e", charmap.ISO8859_8E, kindSingle, "csiso88598e", nil},
	{"iso-8859-8-i", charmap.ISO8859_8I, kindSingle, "csiso88598i logical", []int{38598}},
	{"iso-8859-9", charmap.ISO8859_9, kindSingle, "iso885991989 latin5 l5 isoir148 csisolatin5 88599", []int{920, 28599}},
	{"iso-8859-10", charmap.ISO8859_10, kindSingle, "iso8859101992 latin6 l6 isoir157 csisolatin6", []int{919, 28600}},
	{"iso-8859-13", charmap.ISO8859_13, kindSingle, "latin7 l7 isoir179 csiso885913", []int{921, 28603}},
	{"iso-8859-14", charmap.ISO8859_14, kindSingle, "iso8859141998 latin8 l8 isoir199 isoceltic csiso885914", []int{28604}},
	{"iso-8859-15", charmap.ISO8859_15, kindSingle, "iso8859151998 latin9 l9 latin0 isoir203 csiso885915 csisolatin9", []int{923, 28605}},
	{"iso-8859-16", charmap.ISO8859_16, kindSingle, "iso8859162001 latin10 l10 isoir226 csiso885916", []int{28606}},
	{"koi8-r", charmap.KOI8R, kindSingle, "koi koi8 koi8r cskoi8r", []int{20866, 878}},
	{"koi8-u", charmap.KOI8U, kindSingle, "koi8ru cskoi8u", []int{21866, 1168}},
	{"macintosh", charmap.Macintosh, kindSingle, "mac macroman xmacroman csmacintosh", []int{10000, 1275}},
	{"replacement", encoding.Replacement, kindForeign, "", nil},
	{"shift_jis", japanese.ShiftJIS, kindDouble, "sjis mskanji csshiftjis windows31j cswindows31j xsjis shiftjisx0201 mswin31j xmscp932 sjiswin sjisopen", []int{932, 943, 942}},
	{"us-ascii", usASCII, kindSingle, "ascii us isoir6 ansix341968 ansix341986 ansix34 iso646us iso646irv1991 iso646irv csascii 646", []int{367, 20127}},
	{"utf-16", xunicode.UTF16(xunicode.BigEndian, xunicode.UseBOM), kindUTF16, "u16 csutf16", []int{1204}},
	{"utf-16-expect-bom", xunicode.UTF16(xunicode.BigEndian, xunicode.ExpectBOM), kindUTF16, "", nil},
	{"utf-16be", xunicode.UTF16(xunicode.BigEndian, xunicode.IgnoreBOM), kindUTF16, "csutf16be utf16bigunmarked unicodebigunmarked unicodefffe iso10646ucs2 csunicode ucs2be unicodebig", []int{1201}},
	{"utf-16le", xunicode.UTF16(xunicode.LittleEndian, xunicode.IgnoreBOM), kindUTF16, "csutf16le unicodelittleunmarked unicodefeff ucs2 ucs2le unicode unicodelittle", []int{1200, 1202}},
	{"utf-16le-bom", xunicode.UTF16(xunicode.LittleEndian, xunicode.UseBOM), kindUTF16, "xutf16lebom", nil},
	{"utf-16le-expect-bom", xunicode.UTF16(xunicode.LittleEndian, xunicode.ExpectBOM), kindUTF16, "", nil},
	{"utf-32", utf32.UTF32(utf32.BigEndian, utf32.UseBOM), kindUTF32, "u32 csutf32 ucs4 iso10646ucs4 csucs4", nil},
	{"utf-32-expect-bom", utf32.UTF32(utf32.BigEndian, utf32.ExpectBOM), kindUTF32, "", nil},
	{"utf-32be", utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), kindUTF32, "csutf32be ucs4be", []int{12001, 1232}},
	{"utf-32le", utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), kindUTF32, "csutf32le ucs4le", []int{12000, 1234}},
	{"utf-32le-bom", utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), kindUTF32, "xutf32lebom", nil},
	{"utf-32le-expect-bom", utf32.UTF32(utf32.LittleEndian, utf32.ExpectBOM), kindUTF32, "", nil},
	{"utf-8", xunicode.UTF8, kindUTF8, "u8 utf utf8ucs2 utf8ucs4 iso10646utf8 unicode11utf8 unicode20utf8 xunicode20utf8 csutf8 iso10646/utf8/ isoir193", []int{65001, 1208}},
	{"utf-8-sig", xunicode.UTF8BOM, kindUTF8, "utf8bom xutf8bom", nil},
	{"windows-1250", charmap.Windows1250, kindSingle, "xcp1250 cswindows1250 mswinee msee", []int{1250}},
	{"windows-1251", charmap.Windows1251, kindSingle, "xcp1251 cswindows1251 mscyrl", []int{1251}},
	{"windows-1252", charmap.Windows1252, kindSingle, "xcp1252 cswindows1252 msansi ansi", []int{1252}},
	{"windows-1253", charmap.Windows1253, kindSingle, "xcp1253 cswindows1253 msgreek", []int{1253}},
	{"windows-1254", charmap.Windows1254, kindSingle, "xcp1254 cswindows1254 msturk", []int{1254}},
	{"windows-1255", charmap.Windows1255, kindSingle, "xcp1255 cswindows1255 mshebr", []int{1255}},
	{"windows-1256", charmap.Windows1256, kindSingle, "xcp1256 cswindows1256 msarab", []int{1256}},
	{"windows-1257", charmap.Windows1257, kindSingle, "xcp1257 cswindows1257 winbaltrim", []int{1257}},
	{"windows-1258", charmap.Windows1258, kindSingle, "xcp1258 cswindows1258", []int{1258}},
	{"windows-874", charmap.Windows874, kindSingle, "cswindows874 tis620 tis6200 tis62025290 tis62025291 tis62025330 cstis620 iso885911 iso8859112001 isoir166 thai", []int{874, 28601, 1162}},
	{"x-mac-cyrillic", charmap.MacintoshCyrillic, kindSingle, "maccyrillic msmaccyrillic xmacukrainian macukrainian macuk", []int{10007, 10017, 1283}},
	{"x-user-defined", charmap.XUserDefined, kindSingle, "xuserdefined", nil},
}

// pagePrefixes are what a code page number is written behind.
var pagePrefixes = []string{"cp", "ibm", "ms", "windows", "win", "xcp", "xibm", "ccsid", "codepage", "dos", "oem", "csibm"}

// index is what can be named. Names come in by Register too.
type index struct {
	mu        sync.RWMutex
	byName    map[string]*Charset
	byPage    map[int]*Charset
	byValue   map[encoding.Encoding]*Charset
	canonical []string
}

var names = sync.OnceValue(func() *index {
	x := &index{
		byName:    map[string]*Charset{"bytes": Bytes, "binary": Bytes},
		byPage:    make(map[int]*Charset),
		byValue:   make(map[encoding.Encoding]*Charset),
		canonical: []string{Bytes.Name},
	}
	for _, r := range rows {
		c := &Charset{Name: r.name, Encoding: r.enc, kind: r.kind}
		c.little = strings.HasPrefix(r.name, "utf-16le") || strings.HasPrefix(r.name, "utf-32le")
		switch {
		case strings.HasSuffix(r.name, "expect-bom"):
			c.mark = expectMark
		case r.name == "utf-16" || r.name == "utf-32" || r.name == "utf-8-sig" || strings.HasSuffix(r.name, "-bom"):
			c.mark = useMark
		}
		x.canonical = append(x.canonical, r.name)
		x.byValue[r.enc] = c
		x.byName[fold(r.name)] = c
		for _, a := range strings.Fields(r.aliases) {
			x.byName[a] = c
		}
		for _, p := range r.pages {
			x.byPage[p] = c
		}
	}
	slices.Sort(x.canonical)
	return x
})

// fold drops what spellings of one name differ in: case, and "-", "_", " ", as
// well as ":" and "." in front of years and parts.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '-' || r == '_' || r == ' ' || r == ':' || r == '.':
			return -1
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

func known(enc encoding.Encoding) *Charset {
	x := names()
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.byValue[enc]
}

// Lookup returns the charset of that name, in any of its spellings, or nil.
func Lookup(name string) *Charset {
	x := names()
	x.mu.RLock()
	defer x.mu.RUnlock()
	key := fold(name)
	if c := x.byName[key]; c != nil {
		return c
	}
	if n, ok := page(key); ok {
		if c := x.byPage[n]; c != nil {
			return c
		}
	}
	// The indexes of x/text know rarer spellings. Some of their answers are
	// nil without an error, and some give a label to another encoding, but
	// those labels are in rows.
	enc, err := ianaindex.IANA.Encoding(name)
	if err != nil || enc == nil {
		enc, err = htmlindex.Get(name)
	}
	if err != nil || enc == nil || enc == encoding.Replacement {
		return nil
	}
	return x.byValue[enc]
}

// page parses a code page number with or without one of the prefixes.
func page(key string) (int, bool) {
	digits := strings.TrimLeft(key, "abcdefghijklmnopqrstuvwxyz")
	if prefix := key[:len(key)-len(digits)]; prefix != "" && !slices.Contains(pagePrefixes, prefix) {
		return 0, false
	}
	if len(digits) < 2 || len(digits) > 7 {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil
}

// Register gives enc a name. It fails if the name is in use, or if enc cannot
// be told from other values.
func Register(name string, enc encoding.Encoding) error {
	key := fold(name)
	if key == "" || strings.Contains(name, ",") || strings.ContainsFunc(name, unicode.IsSpace) {
		return fmt.Errorf("%q is no name", name)
	}
	if Lookup(name) != nil {
		return fmt.Errorf("%q is taken", name)
	}
	c := Of(enc)
	x := names()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byName[key] != nil {
		return fmt.Errorf("%q is taken", name)
	}
	if c.kind == kindForeign {
		if !isComparable(enc) {
			return fmt.Errorf("%T is not comparable", enc)
		}
		if prev := x.byValue[enc]; prev != nil {
			c = prev
		} else {
			c = &Charset{Name: name, Encoding: enc}
			x.byValue[enc] = c
			x.canonical = append(x.canonical, name)
			slices.Sort(x.canonical)
		}
	}
	x.byName[key] = c
	return nil
}

// Names returns the canonical names, sorted.
func Names() []string {
	x := names()
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Clone(x.canonical)
}

// Nearest returns up to three canonical names that name may be meant for,
// the nearest first.
func Nearest(name string) []string {
	x := names()
	x.mu.RLock()
	defer x.mu.RUnlock()
	key := fold(name)
	best := make(map[string]int)
	for alias, c := range x.byName {
		d := distance(key, alias)
		if d > 1+len(key)/3 {
			continue
		}
		if was, ok := best[c.Name]; !ok || d < was {
			best[c.Name] = d
		}
	}
	found := make([]string, 0, len(best))
	for n := range best {
		found = append(found, n)
	}
	slices.SortFunc(found, func(a, b string) int {
		if best[a] != best[b] {
			return best[a] - best[b]
		}
		return strings.Compare(a, b)
	})
	return found[:min(3, len(found))]
}

// distance is the number of insertions, deletions and substitutions between
// two names.
func distance(a, b string) int {
	const longest = 64 // nothing that long is near
	if len(a) > longest || len(b) > longest {
		return longest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
