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
	aliases string
	pages   []int
}

// rows returns the index: IANA's names first, then what the users of iconv,
// Python and ICU type. x/text's two indexes fill in the rest, see Lookup.
//
// It is a function so that a program that never asks for a name does not have
// all tables linked.
func rows() []row {
	// This one is in no package of x/text under a name of its own.
	usASCII, _ := ianaindex.IANA.Encoding("us-ascii")
	list := []row{
		{"big5", traditionalchinese.Big5, "big5tw csbig5 cnbig5 xxbig5 big5hkscs hkscs big5eten bigfive", []int{950, 951, 1370, 1375}},
		{"cp037", charmap.CodePage037, "ebcdiccpus ebcdiccpca ebcdiccpwt ebcdiccpnl csibm037 ebcdicus ibm039", []int{37}},
		{"cp1047", charmap.CodePage1047, "latin1open ebcdicopensystems", []int{1047}},
		{"cp1140", charmap.CodePage1140, "ebcdicus37+euro csibm01140", []int{1140}},
		{"cp437", charmap.CodePage437, "cspc8codepage437 oemus", []int{437}},
		{"cp850", charmap.CodePage850, "cspc850multilingual", []int{850}},
		{"cp852", charmap.CodePage852, "cspcp852", []int{852}},
		{"cp855", charmap.CodePage855, "csibm855", []int{855}},
		{"cp858", charmap.CodePage858, "pcmultilingual850+euro csibm00858 cspc858multilingual", []int{858}},
		{"cp860", charmap.CodePage860, "csibm860", []int{860}},
		{"cp862", charmap.CodePage862, "cspc862latinhebrew", []int{862}},
		{"cp863", charmap.CodePage863, "csibm863", []int{863}},
		{"cp865", charmap.CodePage865, "csibm865", []int{865}},
		{"cp866", charmap.CodePage866, "csibm866", []int{866}},
		{"euc-jp", japanese.EUCJP, "eucjp ujis ujiseucjp extendedunixcodepackedformatforjapanese cseucpkdfmtjapanese xeucjp eucjpms eucjpwin eucjpopen", []int{20932, 51932, 954, 33722}},
		{"euc-kr", korean.EUCKR, "euckr uhc mscp949 ksc5601 ksc56011987 ksc56011989 korean csksc56011987 cseuckr isoir149 ksx1001 xwindows949", []int{949, 51949, 970, 1363}},
		{"gb18030", simplifiedchinese.GB18030, "gb180302022 csgb18030", []int{54936, 1392}},
		{"gbk", simplifiedchinese.GBK, "gb2312 cngb gb231280 gb23121980 euccn xgbk chinese csgb2312 csiso58gb231280 isoir58 eucgb2312cn csgbk xeuccn", []int{936, 1386, 20936, 51936, 1383}},
		{"hz-gb-2312", simplifiedchinese.HZGB2312, "hz hzgb hzgb2312 cshzgb2312", []int{52936}},
		{"iso-2022-jp", japanese.ISO2022JP, "iso2022jp csiso2022jp jis jisencoding jis7", []int{50220, 50221, 50222}},
		{"iso-8859-1", charmap.ISO8859_1, "iso885911987 latin latin1 l1 iso8859 isoir100 csisolatin1 88591 8859", []int{819, 28591}},
		{"iso-8859-2", charmap.ISO8859_2, "iso885921987 latin2 l2 isoir101 csisolatin2 88592", []int{912, 28592}},
		{"iso-8859-3", charmap.ISO8859_3, "iso885931988 latin3 l3 isoir109 csisolatin3 88593", []int{913, 28593}},
		{"iso-8859-4", charmap.ISO8859_4, "iso885941988 latin4 l4 isoir110 csisolatin4 88594", []int{914, 28594}},
		{"iso-8859-5", charmap.ISO8859_5, "iso885951988 cyrillic isoir144 csisolatincyrillic 88595", []int{915, 28595}},
		{"iso-8859-6", charmap.ISO8859_6, "iso885961987 arabic asmo708 ecma114 isoir127 csisolatinarabic 88596", []int{1089, 28596}},
		{"iso-8859-6-e", charmap.ISO8859_6E, "csiso88596e", nil},
		{"iso-8859-6-i", charmap.ISO8859_6I, "csiso88596i", nil},
		{"iso-8859-7", charmap.ISO8859_7, "iso885971987 iso885972003 greek greek8 elot928 ecma118 isoir126 csisolatingreek suneugreek 88597", []int{813, 28597}},
		{"iso-8859-8", charmap.ISO8859_8, "iso885981988 hebrew visual isoir138 csisolatinhebrew 88598", []int{916, 28598}},
		{"iso-8859-8-e", charmap.ISO8859_8E, "csiso88598e", nil},
		{"iso-8859-8-i", charmap.ISO8859_8I, "csiso88598i logical", []int{38598}},
		{"iso-8859-9", charmap.ISO8859_9, "iso885991989 latin5 l5 isoir148 csisolatin5 88599", []int{920, 28599}},
		{"iso-8859-10", charmap.ISO8859_10, "iso8859101992 latin6 l6 isoir157 csisolatin6", []int{919, 28600}},
		{"iso-8859-13", charmap.ISO8859_13, "latin7 l7 isoir179 csiso885913", []int{921, 28603}},
		{"iso-8859-14", charmap.ISO8859_14, "iso8859141998 latin8 l8 isoir199 isoceltic csiso885914", []int{28604}},
		{"iso-8859-15", charmap.ISO8859_15, "iso8859151998 latin9 l9 latin0 isoir203 csiso885915 csisolatin9", []int{923, 28605}},
		{"iso-8859-16", charmap.ISO8859_16, "iso8859162001 latin10 l10 isoir226 csiso885916", []int{28606}},
		{"koi8-r", charmap.KOI8R, "koi koi8 koi8r cskoi8r", []int{20866, 878}},
		{"koi8-u", charmap.KOI8U, "koi8ru cskoi8u", []int{21866, 1168}},
		{"macintosh", charmap.Macintosh, "mac macroman xmacroman csmacintosh", []int{10000, 1275}},
		{"replacement", encoding.Replacement, "", nil},
		{"shift_jis", japanese.ShiftJIS, "sjis mskanji csshiftjis windows31j cswindows31j xsjis shiftjisx0201 mswin31j xmscp932 sjiswin sjisopen", []int{932, 943, 942}},
		{"us-ascii", usASCII, "ascii us isoir6 ansix341968 ansix341986 ansix34 iso646us iso646irv1991 iso646irv csascii 646", []int{367, 20127}},
		{"utf-16", xunicode.UTF16(xunicode.BigEndian, xunicode.UseBOM), "u16 csutf16", []int{1204}},
		{"utf-16-expect-bom", xunicode.UTF16(xunicode.BigEndian, xunicode.ExpectBOM), "", nil},
		{"utf-16be", xunicode.UTF16(xunicode.BigEndian, xunicode.IgnoreBOM), "csutf16be utf16bigunmarked unicodebigunmarked unicodefffe iso10646ucs2 csunicode ucs2be unicodebig", []int{1201}},
		{"utf-16le", xunicode.UTF16(xunicode.LittleEndian, xunicode.IgnoreBOM), "csutf16le unicodelittleunmarked unicodefeff ucs2 ucs2le unicode unicodelittle", []int{1200, 1202}},
		{"utf-16le-bom", xunicode.UTF16(xunicode.LittleEndian, xunicode.UseBOM), "xutf16lebom", nil},
		{"utf-16le-expect-bom", xunicode.UTF16(xunicode.LittleEndian, xunicode.ExpectBOM), "", nil},
		{"utf-32", utf32.UTF32(utf32.BigEndian, utf32.UseBOM), "u32 csutf32 ucs4 iso10646ucs4 csucs4", nil},
		{"utf-32-expect-bom", utf32.UTF32(utf32.BigEndian, utf32.ExpectBOM), "", nil},
		{"utf-32be", utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), "csutf32be ucs4be", []int{12001, 1232}},
		{"utf-32le", utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), "csutf32le ucs4le", []int{12000, 1234}},
		{"utf-32le-bom", utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), "xutf32lebom", nil},
		{"utf-32le-expect-bom", utf32.UTF32(utf32.LittleEndian, utf32.ExpectBOM), "", nil},
		{"utf-8", xunicode.UTF8, "u8 utf utf8ucs2 utf8ucs4 iso10646utf8 unicode11utf8 unicode20utf8 xunicode20utf8 csutf8 iso10646/utf8/ isoir193", []int{65001, 1208}},
		{"utf-8-sig", xunicode.UTF8BOM, "utf8bom xutf8bom", nil},
		{"windows-1250", charmap.Windows1250, "xcp1250 cswindows1250 mswinee msee", []int{1250}},
		{"windows-1251", charmap.Windows1251, "xcp1251 cswindows1251 mscyrl", []int{1251}},
		{"windows-1252", charmap.Windows1252, "xcp1252 cswindows1252 msansi ansi", []int{1252}},
		{"windows-1253", charmap.Windows1253, "xcp1253 cswindows1253 msgreek", []int{1253}},
		{"windows-1254", charmap.Windows1254, "xcp1254 cswindows1254 msturk", []int{1254}},
		{"windows-1255", charmap.Windows1255, "xcp1255 cswindows1255 mshebr", []int{1255}},
		{"windows-1256", charmap.Windows1256, "xcp1256 cswindows1256 msarab", []int{1256}},
		{"windows-1257", charmap.Windows1257, "xcp1257 cswindows1257 winbaltrim", []int{1257}},
		{"windows-1258", charmap.Windows1258, "xcp1258 cswindows1258", []int{1258}},
		{"windows-874", charmap.Windows874, "cswindows874", []int{874, 1162}},
		{"x-mac-cyrillic", charmap.MacintoshCyrillic, "maccyrillic msmaccyrillic xmacukrainian macukrainian macuk", []int{10007, 10017, 1283}},
		{"x-user-defined", charmap.XUserDefined, "xuserdefined", nil},
	}
	for i := range pages {
		p := &pages[i]
		list = append(list, row{p.name, p, p.aliases, p.numbers})
	}
	return append(list, row{gb18030of2005.name, gb18030of2005, "gb180302000 gb180302005", nil})
}

// pagePrefixes are what a code page number is written behind.
var pagePrefixes = []string{"cp", "ibm", "ms", "windows", "win", "xcp", "xibm", "ccsid", "codepage", "dos", "oem", "csibm"}

// index is what can be named. Names come in by Register too.
type index struct {
	mu        sync.RWMutex
	byName    map[string]*Charset
	byPage    map[int]*Charset
	canonical []string
}

// names returns the index, which is made at the first call. It is a function, and no
// value that package sync makes: the start of the program would refer to that, and to
// all tables with it.
func names() *index {
	indexOnce.Do(func() { theIndex = newIndex() })
	return theIndex
}

var (
	indexOnce sync.Once
	theIndex  *index
)

func newIndex() *index {
	x := &index{
		byName:    map[string]*Charset{"bytes": Bytes, "binary": Bytes},
		byPage:    make(map[int]*Charset),
		canonical: []string{Bytes.Name},
	}
	for _, r := range rows() {
		c := known(r.enc)
		x.canonical = append(x.canonical, r.name)
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
}

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

// Lookup returns the charset of that name, in any of its spellings, or nil.
func Lookup(name string) *Charset {
	x := names()
	x.mu.RLock()
	defer x.mu.RUnlock()
	key := fold(name)
	if c := x.byName[key]; c != nil {
		return c
	}
	if n, ok := pageNumber(key); ok {
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
	return known(enc)
}

// pageNumber parses a code page number with or without one of the prefixes.
func pageNumber(key string) (int, bool) {
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
		charsets.mu.Lock()
		defer charsets.mu.Unlock()
		if prev := charsets.byValue[enc]; prev != nil {
			c = prev
		} else {
			c = remember(&Charset{Name: name, Encoding: enc}, enc)
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
