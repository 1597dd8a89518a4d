//go:build linux

package systemd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/upgrade"
)

// The environment of the services.
const (
	serviceVar = "SYSTEMD_TEST_SERVICE" // makes the test binary one of services
	dirVar     = "SYSTEMD_TEST_DIR"     // where the test and the service leave notes for each other
	addrVar    = "SYSTEMD_TEST_ADDR"    // where it listens
)

// services are what the test binary can be.
var services = map[string]func(dir string) error{
	"watchdog": watchdog,
	"slow":     slow,
	"store":    store,
	"web":      web,
}

// noted reports whether the test has left a note.
func noted(dir, note string) bool {
	_, err := os.Stat(filepath.Join(dir, note))
	return err == nil
}

// noteTo is the name of a note to one process.
func noteTo(pid int, note string) string { return fmt.Sprint(note, "-", pid) }

// watchdog tells systemd that it is well, until the note to it "ill" is left. With the note
// "silent" it says nothing any more.
func watchdog(dir string) error {
	if _, err := activation.Notify(context.Background(), activation.NotifyReady); err != nil {
		return err
	}
	err := activation.Watchdog(context.Background(), func() error {
		if noted(dir, noteTo(os.Getpid(), "ill")) {
			return errors.New("there is a note that says ill")
		}
		if noted(dir, noteTo(os.Getpid(), "silent")) {
			time.Sleep(time.Hour)
		}
		return nil
	})
	if err != nil {
		fmt.Println("watchdog:", err)
		time.Sleep(time.Hour) // systemd ends it
	}
	return errors.New("systemd does not watch this process")
}

// slow takes longer to start and to stop than it has, and asks for the time, unless the
// note "quiet" is left. That waits for the note "stop" or a signal.
func slow(dir string) error {
	ctx := context.Background()
	work := func() {
		for range 16 {
			if !noted(dir, "quiet") {
				activation.Notify(ctx, activation.NotifyExtendTimeout(10*time.Second))
			}
			time.Sleep(500 * time.Millisecond)
		}
	}
	work()
	up, err := upgrade.New(upgrade.Config{})
	if err != nil {
		return err
	}
	if _, err := up.Ready(ctx); err != nil {
		return err
	}
	<-up.Done()
	work()
	return nil
}

// store keeps descriptors in the manager's store, and says in the file "found" what it
// finds there when it starts.
func store(dir string) error {
	ctx := context.Background()
	ds, err := activation.Inherited()
	if err != nil {
		return err
	}
	first := len(ds) == 0
	ls, err := ds.Listeners()
	if err != nil {
		return err
	}
	var found []string
	for name, l := range ls {
		found = append(found, fmt.Sprintf("%d listener %s %s", len(l), name, l[0].Addr()))
	}
	for name, files := range ds.Files() {
		for _, f := range files {
			b := make([]byte, 100)
			n, err := f.ReadAt(b, 0)
			if n == 0 { // a pipe has no offset
				f.SetReadDeadline(time.Now().Add(time.Second))
				n, err = f.Read(b)
			}
			found = append(found, fmt.Sprintf("file %s %q %t", name, b[:n], err != nil && n == 0))
		}
	}
	if err := ds.Close(); err != nil {
		return err
	}
	slices.Sort(found)
	if err := os.WriteFile(filepath.Join(dir, "found"), []byte(strings.Join(found, "\n")), 0o644); err != nil {
		return err
	}
	if first {
		if err := fill(ctx); err != nil {
			return err
		}
	}
	up, err := upgrade.New(upgrade.Config{})
	if err != nil {
		return err
	}
	if _, err := up.Ready(ctx); err != nil {
		return err
	}
	if _, err := activation.Notify(ctx, activation.NotifyErrno(syscall.ENOSPC)); err != nil {
		return err
	}
	for {
		select {
		case <-up.Done():
			return nil
		case <-time.After(10 * time.Millisecond):
		}
		if noted(dir, "forget") {
			if _, err := activation.NotifyUnstore(ctx, "state"); err != nil {
				return err
			}
			if _, err := activation.NotifyBarrier(ctx); err != nil {
				return err
			}
			os.Remove(filepath.Join(dir, "forget"))
		}
	}
}

// fill puts a listener, a file and two pipes into the store.
func fill(ctx context.Context) error {
	l, err := sockets.Listen("tcp", os.Getenv(addrVar))
	if err != nil {
		return err
	}
	state, err := os.CreateTemp("", "state")
	if err != nil {
		return err
	}
	os.Remove(state.Name())
	if _, err := state.WriteString("kept"); err != nil {
		return err
	}
	if _, err := activation.NotifyStore(ctx, "web", l.(syscall.Conn)); err != nil {
		return err
	}
	if _, err := activation.NotifyStore(ctx, "state", state); err != nil {
		return err
	}
	for name, keep := range map[string]func(context.Context, string, ...syscall.Conn) (bool, error){
		"polled": activation.NotifyStore, "unpolled": activation.NotifyStoreUnpolled,
	} {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		if _, err := w.WriteString(name); err != nil {
			return err
		}
		if _, err := keep(ctx, name, r); err != nil {
			return err
		}
		w.Close() // a hang-up
	}
	_, err = activation.NotifyBarrier(ctx)
	return err
}

// web is a web server that is watched and can be replaced. The note "wait" has it wait before
// it is ready, the note to it "silent" stops its watchdog.
func web(dir string) error {
	ctx := context.Background()
	up, err := upgrade.New(upgrade.Config{})
	if err != nil {
		return err
	}
	l, err := up.Listen(ctx, nil, "web", "tcp", os.Getenv(addrVar))
	if err != nil {
		return err
	}
	for noted(dir, "wait") {
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Println("standard output before Ready of", os.Getpid())
	if _, err := up.Ready(ctx); err != nil {
		return err
	}
	fmt.Println("standard output after Ready of", os.Getpid())
	go activation.Watchdog(ctx, func() error {
		if noted(dir, noteTo(os.Getpid(), "silent")) {
			time.Sleep(time.Hour)
		}
		return nil
	})
	s := upgrade.Server{HTTP: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "process %d\n", os.Getpid())
	})}}
	go s.Serve(l)
	<-up.Done()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return s.Drain(ctx)
}
