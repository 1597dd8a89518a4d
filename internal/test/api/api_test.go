// Package api compares the exported names of the public packages with api.txt, so that
// no name changes unseen.
package api

import (
	"flag"
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write api.txt")

const (
	module = "github.com/iolib-go/sockets"
	list   = "../../../api.txt"
)

// TestAPI fails if api.txt is not what the packages export. After a change that is
// meant, write it anew: go test ./internal/test/api -update
func TestAPI(t *testing.T) {
	var got []string
	for _, pkg := range publicPackages(t) {
		got = append(got, exported(pkg)...)
	}
	if *update {
		if err := os.WriteFile(list, []byte(strings.Join(got, "\n")+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("exported names (-api.txt +code); after a change that is meant: go test ./internal/test/api -update\n%s", diff)
	}
}

// publicPackages returns what other modules can import, but compat, which has the names
// of the package net of each Go release.
func publicPackages(t *testing.T) (pkgs []*types.Package) {
	t.Helper()
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Name}}\t{{.Export}}", module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	var paths []string
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) < 3 {
			continue
		}
		path, name := f[0], f[1]
		files[path] = f[2]
		ours := path == module || strings.HasPrefix(path, module+"/")
		if ours && name != "main" && name != "compat" && !strings.Contains(path, "/internal/") {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(files[path]) })
	for _, path := range paths {
		pkg, err := imp.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, pkg)
	}
	return pkgs
}

// exported returns a line for each name: of a function, a method, a promoted one too,
// a type, a field, a constant without its value, which may be the system's, and a
// variable.
func exported(pkg *types.Package) (lines []string) {
	qualifier := func(p *types.Package) string {
		if p == pkg {
			return ""
		}
		return p.Name()
	}
	add := func(format string, args ...any) {
		lines = append(lines, pkg.Name()+" "+fmt.Sprintf(format, args...))
	}
	typeOf := func(t types.Type) string { return types.TypeString(t, qualifier) }
	signature := func(f types.Object) string { return strings.TrimPrefix(typeOf(f.Type()), "func") }
	for _, name := range pkg.Scope().Names() {
		obj := pkg.Scope().Lookup(name)
		if !obj.Exported() {
			continue
		}
		switch obj := obj.(type) {
		case *types.Const:
			add("const %s %s", name, typeOf(obj.Type()))
		case *types.Var:
			add("var %s %s", name, typeOf(obj.Type()))
		case *types.Func:
			add("func %s%s", name, signature(obj))
		case *types.TypeName:
			if obj.IsAlias() {
				add("type %s = %s", name, typeOf(types.Unalias(obj.Type())))
				continue
			}
			kind := typeOf(obj.Type().Underlying())
			switch u := obj.Type().Underlying().(type) {
			case *types.Struct:
				kind = "struct"
				for f := range u.Fields() {
					if f.Exported() {
						add("field %s.%s %s", name, f.Name(), typeOf(f.Type()))
					}
				}
			case *types.Interface:
				kind = "interface"
			}
			add("type %s %s", typeOf(obj.Type()), kind)
			of, byValue := types.NewMethodSet(types.NewPointer(obj.Type())), types.NewMethodSet(obj.Type())
			star := "*"
			if types.IsInterface(obj.Type()) {
				of, star = byValue, ""
			}
			for i := range of.Len() {
				m := of.At(i).Obj()
				if !ast.IsExported(m.Name()) {
					continue
				}
				receiver := star + name
				if byValue.Lookup(pkg, m.Name()) != nil {
					receiver = name
				}
				add("method (%s) %s%s", receiver, m.Name(), signature(m))
			}
		}
	}
	slices.Sort(lines)
	return lines
}
