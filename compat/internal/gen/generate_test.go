package main

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCommitted compares the generated files with those in the folder.
func TestCommitted(t *testing.T) {
	const dir = "../.."
	files, r, err := facade(dir)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this toolchain does not say which names are new: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	const remedy = "run go generate ./compat"
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%v; %s", err, remedy)
			continue
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is out of date, %s (-want +got):\n%s", name, remedy, diff)
		}
	}
	stale, err := staleFiles(dir, files, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range stale {
		t.Errorf("%s is not needed any more, %s", name, remedy)
	}
}

// sample type-checks text as package net.
func sample(t *testing.T, text string) *types.Package {
	t.Helper()
	imp, err := newImporter(".", "time")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "net.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	conf := types.Config{Importer: imp}
	pkg, err := conf.Check("net", fset, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

func TestGenerate(t *testing.T) {
	net := sample(t, `package net

import "time"

type Conn interface{ Close() error }
type TCPConn struct{}
type hidden struct{}

const Len, Typed = 4, time.Second

var Err error

func Join(time.Duration, ...string) (n int)
func Dial(network string) (Conn, error)
func Pipe() (Conn, Conn)
func Fresh(b []byte)
func FreshTCP(c Conn) *TCPConn
`)
	got, err := generate(net, releases{base: 26, toolchain: 28, since: map[string]int{
		"Conn": 0, "TCPConn": 0, "Len": 4, "Typed": 0, "Err": 0, "Join": 26, "Dial": 0, "Pipe": 0, "Fresh": 27, "FreshTCP": 27,
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"net.go": `
package compat

import (
	"net"
	"time"
)

// Conn is [net.Conn].
type Conn = net.Conn

// Constants of net, untyped where they are untyped there.
const (
	Len   = net.Len
	Typed = net.Typed
)

// Copies of the variables of net. Assigning to one does not change the other.
var (
	Err = net.Err
)

// Join is [net.Join].
func Join(p0 time.Duration, p1 ...string) (n int) {
	return net.Join(p0, p1...)
}

// Pipe is [net.Pipe].
func Pipe() (Conn, Conn) {
	return net.Pipe()
}
`,
		"sockets.go": `
//go:build SUPPORTED

package compat

import (
	"github.com/iolib-go/sockets"
)

// TCPConn is [sockets.TCPConn].
type TCPConn = sockets.TCPConn

// Dial is [sockets.Dial].
func Dial(network string) (Conn, error) {
	return sockets.Dial(network)
}
`,
		"other.go": `
//go:build !(SUPPORTED)

package compat

import (
	"net"
)

// TCPConn is [net.TCPConn].
type TCPConn = net.TCPConn

// Dial is [net.Dial].
func Dial(network string) (Conn, error) {
	return net.Dial(network)
}
`,
		"go1.27_net.go": `
//go:build go1.27

package compat

import (
	"net"
)

// Fresh is [net.Fresh].
func Fresh(b []byte) {
	net.Fresh(b)
}
`,
		"go1.27_sockets.go": `
//go:build go1.27 && (SUPPORTED)

package compat

import (
	"github.com/iolib-go/sockets"
)

// FreshTCP is [sockets.FreshTCP].
func FreshTCP(c Conn) *TCPConn {
	return sockets.FreshTCP(c)
}
`,
		"go1.27_other.go": `
//go:build go1.27 && !(SUPPORTED)

package compat

import (
	"net"
)

// FreshTCP is [net.FreshTCP].
func FreshTCP(c Conn) *TCPConn {
	return net.FreshTCP(c)
}
`,
	}
	text := make(map[string]string)
	for name, b := range got {
		body, ok := strings.CutPrefix(string(b), header)
		if !ok {
			t.Errorf("%s does not start as generated files do", name)
		}
		text[name] = strings.ReplaceAll(body, supported, "SUPPORTED")
	}
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("files mismatch (-want +got):\n%s", diff)
	}
}

// TestOlderModule generates for a module of Go 1.17, to which some names of
// today's net are new, and checks what Linux gets of it.
func TestOlderModule(t *testing.T) {
	imp, err := newImporter(".", "net", socketsPath)
	if err != nil {
		t.Fatal(err)
	}
	net, err := imp.Import("net")
	if err != nil {
		t.Fatal(err)
	}
	goroot, err := goCommand(".", "linux", "env", "GOROOT")
	if err != nil {
		t.Fatal(err)
	}
	since, err := readAPI(os.DirFS(filepath.Join(goroot, "api")))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this toolchain does not say which names are new: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	files, err := generate(net, releases{base: 17, toolchain: 26, since: since})
	if err != nil {
		t.Fatal(err)
	}
	tagged := map[string]string{
		"go1.18_net.go": "func TCPAddrFromAddrPort(addr netip.AddrPort) *TCPAddr",
		"go1.23_net.go": "type KeepAliveConfig = net.KeepAliveConfig",
	}
	for name, decl := range tagged {
		if !strings.Contains(string(files[name]), decl) {
			t.Errorf("%s does not declare %s:\n%s", name, decl, files[name])
		}
	}
	delete(files, "other.go")
	sources := make(map[string]string)
	for name, text := range files {
		sources[name] = string(text)
	}
	c := checker{imp: imp, sockets: true}
	for _, problem := range c.check(sources) {
		t.Error(problem)
	}
}

func TestGenerateRefusesTypeParameters(t *testing.T) {
	for _, decl := range []string{"func F[T any](t T) {}", "type G[T any] struct{ t T }"} {
		if _, err := generate(sample(t, "package net\n"+decl), releases{}); err == nil {
			t.Errorf("%s: no error", decl)
		}
	}
}

func TestStaleFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"net.go", "go1.26_net.go", "go1.27_net.go", "go1.27_other.go", "go1.28_net.go", "go1.x_net.go"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	current := map[string][]byte{"net.go": nil, "go1.27_net.go": nil}
	got, err := staleFiles(dir, current, releases{base: 26, toolchain: 27})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"go1.26_net.go", "go1.27_other.go"}, got); diff != "" {
		t.Errorf("stale files mismatch (-want +got):\n%s", diff)
	}
}
