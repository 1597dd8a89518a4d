// Command quickstart shows in a few seconds what package sockets does and package net
// does not, and checks what it shows. It exits with status 1 if anything is lost or
// differs.
//
//	go run ./examples/quickstart [-dir directory]
//	go run ./examples/quickstart -serve [-addr host:port] [-dir directory]
//
// With -serve it serves a directory until it is interrupted.
package main

import (
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/iolib-go/sockets/examples/internal/cli"
)

const about = `[-dir directory] | -serve [-addr host:port] [-dir directory]

Shows what package sockets does and package net does not, and checks what it
shows. With -serve it serves a directory until it is interrupted.`

func main() {
	if part := parts[os.Getenv(partVar)]; part != nil {
		cli.Check(part())
		return
	}
	dir := flag.String("dir", "", "`directory` to serve (default: the module of the working directory)")
	serve := flag.Bool("serve", false, "serve until interrupted")
	addr := flag.String("addr", "127.0.0.1:8080", "`host:port` to serve at")
	cli.Parse(about)
	if !*serve && cli.Given("addr") != "" {
		cli.Misused(errors.New("-addr requires -serve"))
	}
	_, port, err := net.SplitHostPort(*addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		cli.Misused(fmt.Errorf("-addr: %w", err))
	}
	files, err := open(dir)
	if err != nil {
		cli.Misused(err)
	}
	if *serve {
		cli.Check(serveUntilInterrupted(files, *dir, *addr))
		return
	}
	cli.Check(show([]step{
		{"A web server is replaced under load", replaceServer},
		{"A deleted file goes to another process", passFile},
		{"A Shift_JIS client, a UTF-8 server", crossEncodings},
		{"Datagrams in batches", compareDatagrams},
		{"A directory over TCP", func(p *progress) error { return fetchAndCompare(p, files, "tcp") }},
		{"The same over a unix socket", func(p *progress) error { return fetchAndCompare(p, files, "unix") }},
	}))
}

// partVar tells a process of this program which part to be.
const partVar = "QUICKSTART_PART"

// parts are what this program is in other processes.
var parts = map[string]func() error{
	"server": serveReplaceable,
	"reader": readPassedFile,
}

// A step shows one thing. What it returns is what went wrong.
type step struct {
	title string
	run   func(*progress) error
}

// progress is where a step says how it is getting on: on the line that begins with its
// title.
type progress struct{}

// dot says that there is something going on.
func (p *progress) dot() { fmt.Print(".") }

// result prints what a step has found out.
func (p *progress) result(format string, args ...any) { fmt.Printf(" "+format, args...) }

// show runs the steps, and the rest of them if one fails.
func show(steps []step) error {
	failed := 0
	for _, s := range steps {
		fmt.Printf("%-40s", s.title)
		began := time.Now()
		err := s.run(&progress{})
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			fmt.Printf(" not on this system: %v\n", err)
		case err != nil:
			failed++
			fmt.Printf(" failed\n  %v\n", err)
		default:
			fmt.Printf(" (%.1f s)\n", time.Since(began).Seconds())
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d failed", failed, len(steps))
	}
	return nil
}

//go:embed *.go
var source embed.FS

// open returns the files of dir. If that is empty it names, and opens, the module that
// the working directory belongs to, or else the source of this program.
func open(dir *string) (fs.FS, error) {
	if *dir == "" {
		*dir = moduleRoot()
	}
	if *dir == "" {
		*dir = "the source of this program"
		return source, nil
	}
	root, err := os.OpenRoot(*dir)
	if err != nil {
		return nil, err
	}
	return root.FS(), nil
}

// moduleRoot is the directory with the go.mod that the working directory belongs to, or
// empty.
func moduleRoot() string {
	wd, err := os.Getwd()
	if err != nil {
		return ""
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}
