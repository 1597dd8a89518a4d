package readme

import (
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readmeBlocks returns the blocks of Go in README.md.
func readmeBlocks(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(string(readme), -1) {
		blocks = append(blocks, m[1])
	}
	if n := strings.Count(string(readme), "```go"); n == 0 || len(blocks) != n {
		t.Fatalf("%d of %d blocks found", len(blocks), n)
	}
	return blocks
}

// TestReadmePrograms runs every Go program in README.md as a reader would.
func TestReadmePrograms(t *testing.T) {
	programs := 0
	for _, block := range readmeBlocks(t) {
		if !strings.HasPrefix(block, "package main\n") {
			continue
		}
		programs++
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("go", "run", file).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s\n%s", err, out, block)
		}
		if !strings.Contains(string(out), "200 OK") {
			t.Errorf("output %q, want 200 OK in it", out)
		}
	}
	if programs == 0 {
		t.Fatal("no program in README.md")
	}
}

// readmeScope is what the fragments of README.md are in: the packages that they
// may import, and the names that the text around them is about.
const readmeScope = `package fragments

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/sockopt"
)

var (
	ctx          context.Context
	cmd          *exec.Cmd
	conn         *sockets.UnixConn
	listener     *sockets.TCPListener
	file         *os.File
	f1, f2, f3   *os.File
	fd           int
	data, buf    []byte
)

func fragment() error {
%s
	return nil
}
`

// exportData finds the compiled form of the packages that file imports.
func exportData(t *testing.T, file *ast.File) types.Importer {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}"}
	for _, i := range file.Imports {
		args = append(args, strings.Trim(i.Path.Value, `"`))
	}
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		files[path] = file
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(files[path])
	})
}

// checkFragment reports why the compiler would refuse a fragment. It may leave
// variables unused and name them anew, as lists of calls do.
func checkFragment(t *testing.T, fragment string, imports types.Importer) error {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "../../../README.md", fmt.Sprintf(readmeScope, fragment), 0)
	if err != nil {
		return err
	}
	var hard error
	config := types.Config{Importer: imports, Error: func(err error) {
		var te types.Error
		if !errors.As(err, &te) || !te.Soft {
			hard = errors.Join(hard, err)
		}
	}}
	config.Check("fragments", fset, []*ast.File{file}, nil)
	return hard
}

// TestReadmeFragments compiles every piece of Go in README.md that is not a
// program.
func TestReadmeFragments(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "", fmt.Sprintf(readmeScope, ""), parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	imports := exportData(t, file)
	fragments := 0
	for _, block := range readmeBlocks(t) {
		if strings.HasPrefix(block, "package ") {
			continue
		}
		fragments++
		if err := checkFragment(t, block, imports); err != nil {
			t.Errorf("%v\n%s", err, block)
		}
	}
	if fragments == 0 {
		t.Error("no fragments in README.md")
	}
	for _, broken := range []string{
		"err := conn.SendFD(", "err := conn.SendFDD(file)", "n, err := conn.SendFD(file)", "var f sockets.ExternalFormats", "x = 1", "os.Exit()",
	} {
		if checkFragment(t, broken, imports) == nil {
			t.Errorf("%q compiles", broken)
		}
	}
}

// TestReadmeFiles checks that the map of the files names files that exist.
func TestReadmeFiles(t *testing.T) {
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, m, ok := strings.Cut(string(readme), "## Map of the files")
	if !ok {
		t.Fatal("no map of the files in README.md")
	}
	names := regexp.MustCompile(`[a-z_]+(\*)?\.go|internal/[a-z]+|compat/|bench/|sockopt/|activation/`).FindAllString(m, -1)
	if len(names) == 0 {
		t.Fatal("the map names no files")
	}
	for _, name := range names {
		if found, err := filepath.Glob("../../../" + name); err != nil || len(found) == 0 {
			t.Errorf("%s: no such file", name)
		}
	}
}
