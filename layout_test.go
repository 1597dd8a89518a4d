package sockets_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// TestLayout keeps the rules of CONTRIBUTING.md about what goes where.
func TestLayout(t *testing.T) {
	for _, fault := range layoutFaults(os.DirFS(".")) {
		t.Error(fault)
	}
}

const (
	modulePath   = "github.com/iolib-go/sockets"
	maxLines     = 600
	maxRootNames = 110
)

// layers are the directories of the module, by what they may import: only what comes
// in an earlier row. The root is ".".
var layers = [][]string{
	{"internal/sys", "internal/codec", "internal/socktest"},
	{"internal/netfd"},
	{"sockopt"},
	{"."},
	{"activation", "internal/socktest/conntest", "examples/internal/cli"},
	{"upgrade"},
	{"compat", "compat/internal/gen"},
	{"examples", "internal/test"},
}

// layerOf is the row of a directory, which has that of the directories around it.
func layerOf(dir string) (row int, ok bool) {
	for ; ; dir = path.Dir(dir) {
		for row, dirs := range layers {
			for _, d := range dirs {
				if d == dir {
					return row, d != "." || dir == d
				}
			}
		}
		if path.Dir(dir) == "." {
			return 0, false
		}
	}
}

// systems are the names that build constraints, and the suffixes of files, have for
// operating systems and architectures.
var systems = func() map[string]bool {
	m := make(map[string]bool)
	for _, name := range strings.Fields(`unix
		aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1 windows
		386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm`) {
		m[name] = true
	}
	return m
}()

// layoutFaults says what in a tree of the module is not where it should be.
func layoutFaults(tree fs.FS) (faults []string) {
	fault := func(file, format string, args ...any) {
		faults = append(faults, file+": "+fmt.Sprintf(format, args...))
	}
	names := 0
	if err := fs.WalkDir(tree, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if file != "." && path.Dir(file) == "." && file != ".git" {
			names++
		}
		if d.IsDir() {
			if _, err := fs.Stat(tree, path.Join(file, "go.mod")); err == nil && file != "." || strings.HasPrefix(d.Name(), ".") && file != "." || d.Name() == "testdata" {
				return fs.SkipDir // another module
			}
			return nil
		}
		if path.Ext(file) != ".go" {
			return nil
		}
		source, err := fs.ReadFile(tree, file)
		if err != nil {
			return err
		}
		if n := bytes.Count(source, []byte("\n")); n > maxLines {
			fault(file, "%d lines, more than %d: split it by subject", n, maxLines)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ParseComments)
		if err != nil {
			return err
		}
		if strings.HasSuffix(file, "_test.go") {
			return nil
		}
		dir := path.Dir(file)
		checkSystems(dir, file, parsed, fault)
		checkImports(dir, file, parsed, fault)
		if !isTool(dir) {
			checkErrors(file, parsed, fault)
		}
		if dir == "." {
			checkRoot(file, parsed, fault)
		}
		return nil
	}); err != nil {
		fault(".", "%v", err)
	}
	if names > maxRootNames {
		fault(".", "%d names, more than %d", names, maxRootNames)
	}
	return faults
}

// descriptors are functions that open and close descriptors by their numbers.
var descriptors = map[string]bool{
	"Accept": true, "Accept4": true, "Close": true, "Dup": true, "Dup2": true, "Dup3": true, "LockFile": true, "NewFile": true,
	"Open": true, "OpenNull": true, "Pipe": true, "Pipe2": true, "Socket": true, "Socketpair": true,
}

// checkRoot finds what the layers below package sockets do for it.
func checkRoot(file string, parsed *ast.File, fault func(file, format string, args ...any)) {
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if !ok || !descriptors[n.Sel.Name] {
				break
			}
			if x.Name == "sys" || x.Name == "syscall" || x.Name == "unix" || x.Name == "os" && n.Sel.Name == "NewFile" {
				fault(file, "%s.%s; internal/netfd opens and closes descriptors", x.Name, n.Sel.Name)
			}
		}
		return true
	})
}

// checkErrors finds errors of package net that are made outside the package's error.go.
func checkErrors(file string, parsed *ast.File, fault func(file, format string, args ...any)) {
	if path.Base(file) == "error.go" {
		return
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if lit, ok := n.(*ast.CompositeLit); ok {
			if s, ok := lit.Type.(*ast.SelectorExpr); ok && s.Sel.Name == "OpError" {
				fault(file, "a literal of net.OpError; error.go has what makes them")
			}
		}
		return true
	})
}

// isTool reports whether dir has what only tests use.
func isTool(dir string) bool {
	return under(dir, "internal/socktest") || under(dir, "internal/test")
}

// under reports whether dir is top or in it.
func under(dir, top string) bool { return dir == top || strings.HasPrefix(dir, top+"/") }

// checkSystems finds files that are for some operating systems only. The tools for
// tests may be, and compat, which is package net on systems without sockets of ours.
func checkSystems(dir, file string, parsed *ast.File, fault func(file, format string, args ...any)) {
	if isTool(dir) || under(dir, "internal/sys") || under(dir, "compat") {
		return
	}
	parts := strings.Split(strings.TrimSuffix(path.Base(file), ".go"), "_")
	for _, part := range parts[1:] {
		if systems[part] && part != "unix" { // which is no suffix, but also a name of sockets
			fault(file, "a file for %s; internal/sys has what differs between systems", part)
		}
	}
	for _, group := range parsed.Comments {
		if group.Pos() > parsed.Package {
			break
		}
		for _, c := range group.List {
			expr, err := constraint.Parse(c.Text)
			if err != nil {
				continue
			}
			expr.Eval(func(tag string) bool {
				if systems[tag] {
					fault(file, "a build constraint about %s; internal/sys has what differs between systems", tag)
				}
				return true
			})
		}
	}
}

func checkImports(dir, file string, parsed *ast.File, fault func(file, format string, args ...any)) {
	row, known := layerOf(dir)
	if !known {
		fault(file, "%s has no layer", dir)
		return
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			fault(file, "%v", err)
			continue
		}
		if imported == "unsafe" && !isTool(dir) && dir != "internal/sys" ||
			imported == "encoding/binary" && (dir == "." || dir == "internal/netfd" || dir == "sockopt") {
			fault(file, "imports %s; internal/sys has the layouts of the kernel", imported)
		}
		if imported != modulePath && !strings.HasPrefix(imported, modulePath+"/") {
			continue
		}
		to := path.Clean("." + strings.TrimPrefix(imported, modulePath))
		if below, known := layerOf(to); !known || below >= row {
			fault(file, "imports %s, which is not below", imported)
		}
	}
}

// TestLayoutFaults shows the checker trees with one fault each.
func TestLayoutFaults(t *testing.T) {
	const root = "package sockets\n"
	long := root + strings.Repeat("// line\n", maxLines)
	crowd := fstest.MapFS{".hidden": {}, ".git": {}}
	for i := range maxRootNames {
		crowd[fmt.Sprintf("f%d.txt", i)] = &fstest.MapFile{}
	}
	files := func(pairs ...string) fstest.MapFS {
		m := fstest.MapFS{"go.mod": {}}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
		}
		return m
	}
	tests := []struct {
		name string
		tree fstest.MapFS
		want []string
	}{
		{"nothing wrong", files(
			"conn.go", "package sockets\nimport _ \"github.com/iolib-go/sockets/internal/netfd\"\n",
			"addr_unix.go", root,
			"eof_go127.go", "//go:build go1.27\n\n"+root,
			"error.go", "package sockets\nimport \"net\"\nvar _ = &net.OpError{}\n",
			"conn_test.go", "//go:build linux\n\npackage sockets\nimport _ \"unsafe\"\n",
			"internal/sys/sys_linux.go", "//go:build linux\n\npackage sys\nimport _ \"unsafe\"\n",
			"internal/netfd/fd.go", "package netfd\nimport _ \"github.com/iolib-go/sockets/internal/sys\"\n",
			"internal/test/parity/impl.go", "package parity\nimport _ \"github.com/iolib-go/sockets\"\n",
			"bench/go.mod", "", "bench/os_linux.go", "package bench\n"), nil},
		{"suffix", files("conn_linux.go", root),
			[]string{"conn_linux.go: a file for linux; internal/sys has what differs between systems"}},
		{"suffix of an architecture", files("internal/netfd/fd_amd64.go", "package netfd\n"),
			[]string{"internal/netfd/fd_amd64.go: a file for amd64; internal/sys has what differs between systems"}},
		{"tag", files("conn.go", "//go:build !windows\n\n"+root),
			[]string{"conn.go: a build constraint about windows; internal/sys has what differs between systems"}},
		{"unsafe", files("conn.go", "package sockets\nimport \"unsafe\"\n"),
			[]string{"conn.go: imports unsafe; internal/sys has the layouts of the kernel"}},
		{"binary", files("addr.go", "package sockets\nimport \"encoding/binary\"\n"),
			[]string{"addr.go: imports encoding/binary; internal/sys has the layouts of the kernel"}},
		{"OpError", files("conn.go", "package sockets\nimport \"net\"\nvar _ = &net.OpError{}\n"),
			[]string{"conn.go: a literal of net.OpError; error.go has what makes them"}},
		{"unsafe below", files("internal/netfd/fd.go", "package netfd\nimport \"unsafe\"\n"),
			[]string{"internal/netfd/fd.go: imports unsafe; internal/sys has the layouts of the kernel"}},
		{"binary below", files("sockopt/ip.go", "package sockopt\nimport \"encoding/binary\"\n"),
			[]string{"sockopt/ip.go: imports encoding/binary; internal/sys has the layouts of the kernel"}},
		{"OpError below", files("sockopt/ip.go", "package sockopt\nimport \"net\"\nvar _ = net.OpError{}\n"),
			[]string{"sockopt/ip.go: a literal of net.OpError; error.go has what makes them"}},
		{"descriptor", files("conn.go", "package sockets\nimport \"os\"\nfunc f(fd int) { sys.Close(fd); os.NewFile(uintptr(fd), \"\"); os.Open(\"\") }\n"),
			[]string{"conn.go: sys.Close; internal/netfd opens and closes descriptors",
				"conn.go: os.NewFile; internal/netfd opens and closes descriptors"}},
		{"import that goes up", files("internal/netfd/fd.go", "package netfd\nimport _ \"github.com/iolib-go/sockets\"\n"),
			[]string{"internal/netfd/fd.go: imports github.com/iolib-go/sockets, which is not below"}},
		{"import that stays", files("internal/sys/a.go", "package sys\nimport _ \"github.com/iolib-go/sockets/internal/codec\"\n"),
			[]string{"internal/sys/a.go: imports github.com/iolib-go/sockets/internal/codec, which is not below"}},
		{"tools for tests", files("activation/a.go", "package activation\nimport _ \"github.com/iolib-go/sockets/internal/test/seed\"\n"),
			[]string{"activation/a.go: imports github.com/iolib-go/sockets/internal/test/seed, which is not below"}},
		{"no layer", files("extra/a.go", "package extra\n"),
			[]string{"extra/a.go: extra has no layer"}},
		{"long", files("conn.go", long),
			[]string{"conn.go: 601 lines, more than 600: split it by subject"}},
		{"long test", files("conn_test.go", long),
			[]string{"conn_test.go: 601 lines, more than 600: split it by subject"}},
		{"crowded", crowd, []string{".: 111 names, more than 110"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, layoutFaults(tt.tree)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}
