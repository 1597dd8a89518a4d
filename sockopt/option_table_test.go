//go:build linux

package sockopt

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An optionSpec is one line of a table of options in the source.
type optionSpec struct {
	ident string // as in Go
	name  string // as in C
	doc   string
}

// parseOptions returns the tables of options, by the variables of one var block.
func parseOptions(t *testing.T) [][]optionSpec {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var tables [][]optionSpec
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			var table []optionSpec
			if decl, ok := decl.(*ast.GenDecl); ok && decl.Tok == token.VAR {
				for _, spec := range decl.Specs {
					spec := spec.(*ast.ValueSpec)
					if len(spec.Values) != 1 || !isOption(spec.Values[0]) {
						continue
					}
					lit := spec.Values[0].(*ast.CompositeLit)
					table = append(table, optionSpec{spec.Names[0].Name, stringLit(t, lit.Elts[0]), spec.Doc.Text()})
				}
			}
			if table != nil {
				tables = append(tables, table)
			}
		}
	}
	return tables
}

// isOption reports whether x is an Option[T]{...} or a ReadOnlyOption[T]{...}.
func isOption(x ast.Expr) bool {
	lit, ok := x.(*ast.CompositeLit)
	if !ok {
		return false
	}
	index, ok := lit.Type.(*ast.IndexExpr)
	if !ok {
		return false
	}
	name, ok := index.X.(*ast.Ident)
	return ok && strings.HasSuffix(name.Name, "Option")
}

func stringLit(t *testing.T, x ast.Expr) string {
	t.Helper()
	lit, ok := x.(*ast.BasicLit)
	if !ok {
		t.Fatalf("%v is no literal", x)
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOptionTables(t *testing.T) {
	var inSource []string
	for _, table := range parseOptions(t) {
		idents := make([]string, len(table))
		for i, o := range table {
			idents[i] = strings.ToLower(o.ident)
			inSource = append(inSource, o.name)
			if !strings.HasPrefix(o.doc, o.ident+", "+o.name) {
				t.Errorf("the comment of %s does not start with %q", o.ident, o.ident+", "+o.name)
			}
		}
		if !slices.IsSorted(idents) {
			t.Errorf("not sorted: %v", idents)
		}
	}
	var inTest []string
	for _, row := range optionRows() {
		inTest = append(inTest, row.name)
	}
	slices.Sort(inSource)
	slices.Sort(inTest)
	if diff := cmp.Diff(inSource, inTest); diff != "" {
		t.Errorf("options (-) and rows of TestOptions (+):\n%s", diff)
	}
	if len(inSource) < 100 {
		t.Errorf("found %d options, there are more", len(inSource))
	}
}

// TestOptionNumbers checks the tables of every operating system, not only of the
// one that runs the test.
func TestOptionNumbers(t *testing.T) {
	var known []string
	for _, table := range parseOptions(t) {
		for _, o := range table {
			known = append(known, o.name)
		}
	}
	slices.Sort(known)

	for _, system := range []string{"bsd", "darwin", "freebsd", "linux", "netbsd", "openbsd"} {
		t.Run(system, func(t *testing.T) {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "internal", "sys", "opt_"+system+".go"), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			ast.Inspect(f, func(n ast.Node) bool {
				if kv, ok := n.(*ast.KeyValueExpr); ok && kv.Key.(*ast.Ident).Name == "Name" {
					names = append(names, stringLit(t, kv.Value))
				}
				return true
			})
			// sys.OptFind searches by halves.
			if !slices.IsSorted(names) {
				t.Errorf("not sorted: %v", names)
			}
			for _, name := range names {
				if _, ok := slices.BinarySearch(known, name); !ok {
					t.Errorf("no option is called %s", name)
				}
			}
			if system == "linux" {
				if diff := cmp.Diff(known, names); diff != "" {
					t.Errorf("options (-) and numbers (+):\n%s", diff)
				}
			}
			if len(names) == 0 {
				t.Error("found no numbers")
			}
		})
	}
}
