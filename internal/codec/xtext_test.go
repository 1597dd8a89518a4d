package codec

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
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
