package codec

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"
)

// lists are the packages of x/text that have encodings, with their own lists,
// and with the variables that are in none.
var lists = []struct {
	path  string
	all   []encoding.Encoding
	other []string
}{
	{"encoding/charmap", charmap.All, nil},
	{"encoding/japanese", japanese.All, nil},
	{"encoding/korean", korean.All, nil},
	{"encoding/simplifiedchinese", simplifiedchinese.All, nil},
	{"encoding/traditionalchinese", traditionalchinese.All, nil},
	{"encoding/unicode", unicode.All, []string{"ErrMissingBOM", "UTF8BOM"}},
	{"encoding/unicode/utf32", utf32.All, []string{"ErrMissingBOM"}},
}

// inXText are the encodings of x/text by the names that they have here.
var inXText = func() map[string]encoding.Encoding {
	usASCII, err := ianaindex.IANA.Encoding("us-ascii")
	if err != nil {
		panic(err)
	}
	m := map[string]encoding.Encoding{"us-ascii": usASCII, "utf-8-sig": unicode.UTF8BOM}
	for _, l := range lists {
		for _, e := range l.all {
			m[Of(e).Name] = e
		}
	}
	return m
}()

// TestSources holds the machines that are made of x/text's values against those that
// are made of the tables of this package.
func TestSources(t *testing.T) {
	if len(inXText) < 60 {
		t.Fatalf("%d encodings of x/text", len(inXText))
	}
	for _, r := range rows() {
		enc := inXText[r.name]
		if enc == nil {
			continue
		}
		theirs, ours := Of(enc), Of(r.enc)
		if theirs.Encoding != enc || ours.Encoding != r.enc {
			t.Errorf("%s: the charset of an encoding is that of another", r.name)
		}
		if theirs.Name != r.name || ours.Name != r.name || theirs.kind != ours.kind || theirs.mark != ours.mark || theirs.little != ours.little {
			t.Errorf("%s: %+v and %+v", r.name, theirs, ours)
		}
		if !reflect.DeepEqual(theirs.machine(), ours.machine()) {
			t.Errorf("%s: the tables are not the same", r.name)
		}
	}
}

// TestIndexesOfXText holds the names against those of x/text's indexes.
func TestIndexesOfXText(t *testing.T) {
	root, err := build.Import("golang.org/x/text/encoding", ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range []string{"ianaindex/tables.go", "htmlindex/tables.go"} {
		source, err := os.ReadFile(filepath.Join(root.Dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, quoted := range regexp.MustCompile("\"[^\"\\\\\n]+\"").FindAllString(string(source), -1) {
			name := strings.Trim(quoted, "\"")
			enc, err := ianaindex.IANA.Encoding(name)
			if err != nil || enc == nil {
				enc, err = htmlindex.Get(name)
			}
			if err != nil || enc == nil || enc == encoding.Replacement {
				continue
			}
			found++
			if c := Lookup(name); c == nil {
				t.Errorf("%q is not found, which is %v", name, enc)
			}
		}
	}
	if found < 400 {
		t.Errorf("only %d names", found)
	}
}

// TestEveryEncodingOfXTextHasAName fails when x/text adds an encoding, or a
// package of them.
func TestEveryEncodingOfXTextHasAName(t *testing.T) {
	for _, l := range lists {
		for _, e := range l.all {
			c := Of(e)
			if c.kind == kindForeign {
				t.Errorf("%s: %v has no name", l.path, e)
				continue
			}
			if found := Lookup(c.Name); found != c || found.Encoding != e {
				t.Errorf("%s: %v is found as %v", l.path, e, found)
			}
		}
	}
	root, err := build.Import("golang.org/x/text/encoding", ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string][]string)
	err = fs.WalkDir(os.DirFS(root.Dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "internal") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), root.Dir+"/"+path, nil, parser.SkipObjectResolution)
		if err != nil || file.Name.Name == "main" {
			return err
		}
		pkg := "encoding/" + path[:max(0, strings.LastIndexByte(path, '/'))]
		for _, decl := range file.Decls {
			if g, ok := decl.(*ast.GenDecl); ok && g.Tok == token.VAR {
				for _, spec := range g.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						if name.IsExported() && name.Name != "All" {
							found[pkg] = append(found[pkg], name.Name)
						}
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lists {
		vars := slices.DeleteFunc(found[l.path], func(name string) bool { return slices.Contains(l.other, name) })
		// UTF-16 and UTF-32 are made by functions, one for each policy.
		if n := len(vars); n != len(l.all) && !strings.HasPrefix(l.path, "encoding/unicode") {
			t.Errorf("%s has %d encodings, its list %d: %q", l.path, n, len(l.all), vars)
		}
		delete(found, l.path)
	}
	// encoding itself has Nop and Replacement, and the indexes have none.
	for _, known := range []string{"encoding/", "encoding/htmlindex", "encoding/ianaindex"} {
		delete(found, known)
	}
	for pkg, vars := range found {
		t.Errorf("%s is a package that nobody here knows, with %q", pkg, vars)
	}
	for _, e := range []encoding.Encoding{unicode.UTF8BOM, encoding.Replacement} {
		if c := Lookup(Of(e).Name); c == nil || c.Encoding != e {
			t.Errorf("%v has no name", e)
		}
	}
	for _, order := range []unicode.Endianness{unicode.BigEndian, unicode.LittleEndian} {
		for _, policy := range []unicode.BOMPolicy{unicode.IgnoreBOM, unicode.UseBOM, unicode.ExpectBOM} {
			if c := Of(unicode.UTF16(order, policy)); c.kind != kindUTF16 || Lookup(c.Name) != c {
				t.Errorf("UTF-16, %v, %v is %s", order, policy, c.Name)
			}
		}
	}
	for _, order := range []utf32.Endianness{utf32.BigEndian, utf32.LittleEndian} {
		for _, policy := range []utf32.BOMPolicy{utf32.IgnoreBOM, utf32.UseBOM, utf32.ExpectBOM} {
			if c := Of(utf32.UTF32(order, policy)); c.kind != kindUTF32 || Lookup(c.Name) != c {
				t.Errorf("UTF-32, %v, %v is %s", order, policy, c.Name)
			}
		}
	}
}

// TestValuesForXText uses the encodings of this package as x/text's functions do.
func TestValuesForXText(t *testing.T) {
	for _, r := range rows() {
		switch r.enc.(type) {
		case *page, *eastAsian:
		default:
			continue // which is x/text's own
		}
		text := sample(Of(r.enc))
		if Of(r.enc).Encodes('中') {
			text += "中" // and a shift back
		}
		want := write(Format{Charset: Of(r.enc), Strict: true}, [][]byte{[]byte(text)}, 1<<12).Text
		wire, err := r.enc.NewEncoder().String(text)
		if diff := cmp.Diff(want, wire); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", r.name, err, diff)
		}
		back, err := r.enc.NewDecoder().String(wire)
		if diff := cmp.Diff(text, back); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", r.name, err, diff)
		}
		var b bytes.Buffer
		w := transform.NewWriter(&b, r.enc.NewEncoder())
		_, err1 := io.Copy(w, iotest.OneByteReader(strings.NewReader(text)))
		if err := errors.Join(err1, w.Close()); err != nil || b.String() != want {
			t.Errorf("%s: a writer makes %x, %v", r.name, b.String(), err)
		}
		got, err := io.ReadAll(transform.NewReader(iotest.OneByteReader(&b), r.enc.NewDecoder()))
		if diff := cmp.Diff(text, string(got)); diff != "" || err != nil {
			t.Errorf("%s: a reader: %v (-want +got):\n%s", r.name, err, diff)
		}
		if s := fmt.Sprint(r.enc); s != r.name {
			t.Errorf("%s calls itself %s", r.name, s)
		}
	}
}
