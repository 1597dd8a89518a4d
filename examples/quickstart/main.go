// Command quickstart serves a directory over HTTP on sockets of package sockets
// and fetches every file back through them, over TCP and over a unix socket. It
// compares what arrives with the files on disk, and exits with status 1 if
// anything differs.
//
//	go run ./examples/quickstart [-dir directory]
//	go run ./examples/quickstart -serve [-addr host:port] [-dir directory]
//
// With -serve it goes on serving until it is interrupted.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/iolib-go/sockets"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the command. It returns the exit status: 1 if files differ or cannot be
// fetched, 2 if the arguments make no sense.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dir := flags.String("dir", "", "serve `directory` (default: the module's tree)")
	serve := flags.Bool("serve", false, "go on serving until interrupted")
	addr := flags.String("addr", "127.0.0.1:8080", "with -serve, listen on `host:port`")
	refuse := func(err error) int {
		fmt.Fprintf(stderr, "quickstart: %v\n", err)
		return 2
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return 0
	case err != nil:
		return refuse(err)
	case flags.NArg() > 0:
		return refuse(fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	}
	_, port, err := net.SplitHostPort(*addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return refuse(err)
	}
	if *dir == "" {
		*dir = moduleRoot()
	}
	root, err := os.OpenRoot(*dir)
	if err != nil {
		return refuse(err)
	}
	defer root.Close()

	if *serve {
		err = serveUntilInterrupted(stdout, root.FS(), *dir, *addr)
	} else {
		err = fetchAndCompare(stdout, root.FS())
	}
	if err != nil {
		fmt.Fprintf(stderr, "quickstart: %v\n", err)
		return 1
	}
	return 0
}

// moduleRoot is the directory with the go.mod that the working directory belongs
// to, or the working directory itself.
func moduleRoot() string {
	wd, err := os.Getwd()
	if err != nil {
		return "."
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return wd
		}
	}
}

func serveUntilInterrupted(stdout io.Writer, files fs.FS, dir, addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := sockets.Listen("tcp", addr)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: http.FileServerFS(files)}
	fmt.Fprintf(stdout, "serving %s on http://%s/ until interrupted\n", dir, l.Addr())
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stop() // a second interrupt ends the program at once
	fmt.Fprintln(stdout, "finishing the requests under way")
	return srv.Shutdown(context.Background())
}

// fetchAndCompare fetches all files over each transport and prints a table.
func fetchAndCompare(stdout io.Writer, files fs.FS) error {
	names, err := list(files)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "quickstart")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)

	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "transport\tfiles\tbytes\tMB/s\tresult")
	var wrong []error
	for _, transport := range []struct{ network, address string }{
		{"tcp", "127.0.0.1:0"},
		{"unix", filepath.Join(tmp, "http")},
	} {
		l, err := sockets.Listen(transport.network, transport.address)
		if err != nil {
			return err
		}
		srv := &http.Server{Handler: http.FileServerFS(files)}
		go srv.Serve(l)
		start := time.Now()
		n, err := fetchAll(l.Addr(), files, names)
		rate := float64(n) / 1e6 / time.Since(start).Seconds()
		srv.Close()
		result := "identical"
		if err != nil {
			result = "different"
			wrong = append(wrong, fmt.Errorf("over %s: %w", transport.network, err))
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%.1f\t%s\n", transport.network, len(names), n, rate, result)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return errors.Join(wrong...)
}

// list returns the names of all regular files, but for what version control keeps
// to itself and may change at any time.
func list(files fs.FS) (names []string, err error) {
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.Type().IsRegular():
			names = append(names, name)
		}
		return nil
	})
	if err == nil && len(names) == 0 {
		err = errors.New("no files to serve")
	}
	return names, err
}

// fetchAll fetches the named files from the server at addr, some at a time, and
// compares them with those on disk. It returns how many octets arrived.
func fetchAll(addr net.Addr, files fs.FS, names []string) (total int64, err error) {
	const atATime = 4
	var dialer sockets.Dialer
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, addr.Network(), addr.String())
		},
		MaxIdleConnsPerHost: atATime,
		DisableCompression:  true,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}

	queue := make(chan string)
	var (
		mu      sync.Mutex
		workers sync.WaitGroup
		errs    []error
	)
	for range atATime {
		workers.Go(func() {
			for name := range queue {
				n, err := fetch(client, files, name)
				mu.Lock()
				total += n
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", name, err))
				}
				mu.Unlock()
			}
		})
	}
	for _, name := range names {
		queue <- name
	}
	close(queue)
	workers.Wait()
	if len(errs) > 1 {
		return total, fmt.Errorf("%w (and %d more)", errs[0], len(errs)-1)
	}
	return total, errors.Join(errs...)
}

var errDifferent = errors.New("what arrived is not what is on disk")

func fetch(client *http.Client, files fs.FS, name string) (int64, error) {
	// The server answers for directories with their index.html, and sends who
	// asks for that by name there.
	where := strings.TrimSuffix("/"+name, "/index.html")
	if where != "/"+name {
		where += "/"
	}
	resp, err := client.Get((&url.URL{Scheme: "http", Host: "quickstart", Path: where}).String())
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	arrived := sha256.New()
	n, err := io.Copy(arrived, resp.Body)
	if err != nil {
		return n, err
	}
	if resp.StatusCode != http.StatusOK {
		return n, errors.New(resp.Status)
	}
	f, err := files.Open(name)
	if err != nil {
		return n, err
	}
	defer f.Close()
	onDisk := sha256.New()
	if _, err := io.Copy(onDisk, f); err != nil {
		return n, err
	}
	if [sha256.Size]byte(arrived.Sum(nil)) != [sha256.Size]byte(onDisk.Sum(nil)) {
		return n, errDifferent
	}
	return n, nil
}
