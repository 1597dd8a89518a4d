package sockopt_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// TestDoc checks that the overview lists each option once.
func TestDoc(t *testing.T) {
	packages, err := parser.ParseDir(token.NewFileSet(), ".", func(f fs.FileInfo) bool {
		return !strings.HasSuffix(f.Name(), "_test.go")
	}, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]bool)
	var doc string
	for _, file := range packages["sockopt"].Files {
		if file.Doc != nil {
			doc += file.Doc.Text()
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
				if lit, ok := spec.Values[0].(*ast.CompositeLit); ok {
					if index, ok := lit.Type.(*ast.IndexExpr); ok {
						if name, ok := index.X.(*ast.Ident); ok && strings.HasSuffix(name.Name, "Option") && spec.Names[0].IsExported() {
							want[spec.Names[0].Name] = true
						}
					}
				}
			}
			return true
		})
	}
	_, index, ok := strings.Cut(doc, "# Options by level and purpose")
	if !ok || len(want) < 100 {
		t.Fatalf("%d options, and an index: %v", len(want), ok)
	}
	listed := make(map[string]bool)
	for _, m := range regexp.MustCompile(`\[(\w+)\]`).FindAllStringSubmatch(index, -1) {
		if listed[m[1]] || !want[m[1]] {
			t.Errorf("%s is listed twice, or is no option", m[1])
		}
		listed[m[1]] = true
	}
	for name := range want {
		if !listed[name] {
			t.Errorf("%s is not listed", name)
		}
	}
}
