package readme

import (
	"bufio"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/sockopt"
)

// TestPrograms does what the text says with each Go program of the pages, which are web
// servers: it starts it twice on one port. Each of the two serves when it is alone.
func TestPrograms(t *testing.T) {
	socktest.NeedLoopback(t)
	const address = "127.0.0.1:8080"
	programs := 0
	for _, p := range pages(t) {
		for _, block := range p.blocks(t, "go") {
			if !strings.HasPrefix(block, "package main\n") {
				continue
			}
			programs++
			port := reservePort(t)
			file := filepath.Join(t.TempDir(), "main.go")
			if err := os.WriteFile(file, []byte(strings.Replace(block, address, port, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			exe := filepath.Join(t.TempDir(), "program")
			if out, err := exec.Command("go", "build", "-o", exe, file).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s\n%s", p.name, err, out, block)
			}
			stop := startServer(t, exe, port)
			checkServes(t, port)
			startServer(t, exe, port)
			stop()
			checkServes(t, port)
		}
	}
	if programs == 0 {
		t.Fatal("no programs")
	}
}

func checkServes(t *testing.T, address string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	resp, err := client.Get("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("it answers %s", resp.Status)
	}
}

// reservePort returns an address whose port only sockets with SO_REUSEPORT get.
func reservePort(t *testing.T) string {
	t.Helper()
	s, err := sockets.New("tcp4")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := sockopt.ReusePort.Set(s, true); err != nil {
		t.Fatal(err)
	}
	if err := s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	return s.LocalAddr().String()
}

// startServer starts a program that says "listening on" its address.
func startServer(t *testing.T, exe, address string) (stop func()) {
	t.Helper()
	cmd := exec.Command(exe)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	if !strings.HasSuffix(line, "listening on "+address+"\n") {
		t.Fatalf("it prints %q, %v", line, err)
	}
	return stop
}

// scope is what fragments are in: the packages that they may import, and the names
// that the text around them is about.
const scope = `package fragments

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/sockopt"
	"github.com/iolib-go/sockets/upgrade"
)

var (
	ctx        context.Context
	cmd        *exec.Cmd
	conn       *sockets.UnixConn
	listener   *sockets.TCPListener
	file       *os.File
	f1, f2, f3 *os.File
	fd         int
	data, buf  []byte
	handler    http.Handler
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
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
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
func checkFragment(fragment string, imports types.Importer) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "fragment", fmt.Sprintf(scope, fragment), 0)
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

// TestFragments compiles every piece of Go that is not a program.
func TestFragments(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "", fmt.Sprintf(scope, ""), parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	imports := exportData(t, file)
	fragments := 0
	for _, p := range pages(t) {
		for _, block := range p.blocks(t, "go") {
			if strings.HasPrefix(block, "package ") {
				continue
			}
			fragments++
			if err := checkFragment(block, imports); err != nil {
				t.Errorf("%s: %v\n%s", p.name, err, block)
			}
		}
	}
	if fragments == 0 {
		t.Error("no fragments")
	}
	for _, broken := range []string{
		"err := conn.SendFD(", "err := conn.SendFDD(file)", "n, err := conn.SendFD(file)", "var f sockets.ExternalFormats", "x = 1", "os.Exit()",
	} {
		if checkFragment(broken, imports) == nil {
			t.Errorf("%q compiles", broken)
		}
	}
}
