package main

import (
	"context"
	"crypto/sha256"
	"errors"
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

	"github.com/iolib-go/sockets"
)

// serveUntilInterrupted serves files over HTTP.
func serveUntilInterrupted(files fs.FS, dir, addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := sockets.Listen("tcp", addr)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: http.FileServerFS(files)}
	fmt.Printf("serving %s on http://%s/ until interrupted\n", dir, l.Addr())
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stop() // a second interrupt ends the program at once
	fmt.Println("finishing the requests in progress")
	return srv.Shutdown(context.Background())
}

// fetchAndCompare serves all files and fetches them back through an ordinary
// http.Client.
func fetchAndCompare(p *progress, files fs.FS, network string) error {
	names, err := list(files)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "quickstart")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(tmp, "http")
	}
	l, err := sockets.Listen(network, address)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: http.FileServerFS(files)}
	go srv.Serve(l)
	defer srv.Close()
	n, err := fetchAll(l.Addr(), files, names)
	if err != nil {
		return fmt.Errorf("different: %w", err)
	}
	p.result("%d files, %d bytes: identical", len(names), n)
	return nil
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
// compares them with those on disk. It returns how many bytes arrived.
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
