package codec

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/encoding"
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

// rows returns the index: the names that IANA and WHATWG have, then what the users
// of iconv, Python and ICU type.
//
// It is a function so that a program that never asks for a name does not have
// the tables linked. For the same reason it has values of x/text for the forms of
// Unicode only: the start of x/text's other packages refers to all their tables.
func rows() []row {
	list := []row{
		{"big5", &big5, "big5tw csbig5 cnbig5 xxbig5 big5hkscs hkscs big5eten bigfive", []int{950, 951, 1370, 1375}},
		{"euc-jp", &eucJP, "eucjp ujis ujiseucjp extendedunixcodepackedformatforjapanese cseucpkdfmtjapanese xeucjp eucjpms eucjpwin eucjpopen", []int{20932, 51932, 954, 33722}},
		{"euc-kr", &eucKR, "euckr uhc mscp949 ksc5601 ksc56011987 ksc56011989 korean csksc56011987 cseuckr isoir149 ksx1001 xwindows949", []int{949, 51949, 970, 1363}},
		{"gb18030", &gb18030of2022, "gb180302022 csgb18030", []int{54936, 1392}},
		{"gbk", &gbk, "gb2312 cngb gb231280 gb23121980 euccn xgbk chinese csgb2312 csiso58gb231280 isoir58 eucgb2312cn csgbk xeuccn", []int{936, 1386, 20936, 51936, 1383}},
		{"hz-gb-2312", &hzGB2312, "hz hzgb hzgb2312 cshzgb2312", []int{52936}},
		{"iso-2022-jp", &iso2022JP, "iso2022jp csiso2022jp jis jisencoding jis7", []int{50220, 50221, 50222}},
		{"replacement", encoding.Replacement, "", nil},
		{"shift_jis", &shiftJIS, "sjis mskanji csshiftjis windows31j cswindows31j xsjis shiftjisx0201 mswin31j xmscp932 sjiswin sjisopen", []int{932, 943, 942}},
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
	}
	for i := range pages {
		p := &pages[i]
		list = append(list, row{p.name, p, p.aliases, p.numbers})
	}
	return append(list, row{gb18030of2005.name, &gb18030of2005, "gb180302000 gb180302005", nil})
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
		return inUse(c)
	}
	if n, ok := pageNumber(key); ok {
		if c := x.byPage[n]; c != nil {
			return inUse(c)
		}
	}
	return nil
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
		return errors.New("the name is not valid")
	}
	if Lookup(name) != nil {
		return errors.New("the name is in use")
	}
	c := Of(enc)
	x := names()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byName[key] != nil {
		return errors.New("the name is in use")
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
