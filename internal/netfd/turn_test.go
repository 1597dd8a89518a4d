//go:build linux

package netfd

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// Sends that do not wait are never in the middle of what another call writes, whether
// they are the first or not.
func TestTurns(t *testing.T) {
	const size, rounds = 2 << 20, 12
	data := bytes.Repeat([]byte("a"), size)
	writes := map[string]func(fd *FD) (int, error){
		"Write":   func(fd *FD) (int, error) { return fd.Write(data) },
		"SendAll": func(fd *FD) (int, error) { return fd.SendAll(data, 0) },
		"Writev": func(fd *FD) (int, error) {
			n, err := fd.Writev(&[][]byte{data[:size/3], data[size/3:]})
			return int(n), err
		},
		"SendRights": func(fd *FD) (int, error) {
			r := GetRights()
			defer r.Free()
			r.Add(os.Stderr)
			return fd.SendRights(r, data)
		},
	}
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			a, b := socketPair(t, sys.SOCK_STREAM)
			var wg sync.WaitGroup
			done := make(chan struct{})
			wg.Go(func() {
				defer close(done)
				for range rounds {
					if n, err := write(a); n != size || err != nil {
						t.Errorf("%d bytes of %d written, %v", n, size, err)
						return
					}
				}
			})
			sent := 0
			wg.Go(func() {
				defer a.Close()
				for {
					n, err := a.SendAll([]byte("b"), sys.MSG_DONTWAIT)
					if sent += n; err != nil && !errors.Is(err, sys.EAGAIN) {
						t.Error(err)
						return
					}
					select {
					case <-done:
						return
					default:
					}
				}
			})
			all, err := io.ReadAll(struct{ io.Reader }{b})
			wg.Wait()
			if err != nil || len(all) != rounds*size+sent {
				t.Errorf("%d bytes came of %d: %v", len(all), rounds*size+sent, err)
			}
			written := 0
			for _, c := range all {
				if c == 'a' {
					written++
				} else if written%size != 0 {
					t.Fatalf("a byte came in between, %d bytes into what was written", written%size)
				}
			}
		})
	}
}

// The program holds the lock for writing itself: a send that does not wait fails until it
// lets go.
func TestTurnsBehindRawConn(t *testing.T) {
	a, b := socketPair(t, sys.SOCK_STREAM)
	held, letGo := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- a.RawWrite(func(uintptr) bool { close(held); <-letGo; return true })
	}()
	<-held
	if n, err := a.SendAll([]byte("x"), sys.MSG_DONTWAIT); n != 0 || !errors.Is(err, sys.EAGAIN) {
		t.Errorf("SendAll: %d, %v, want EAGAIN", n, err)
	}
	close(letGo)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		n, err := a.SendAll([]byte("x"), sys.MSG_DONTWAIT)
		if n == 1 && err == nil {
			break
		}
		if !errors.Is(err, sys.EAGAIN) || time.Now().After(deadline) {
			t.Fatalf("SendAll afterwards: %d, %v", n, err)
		}
	}
	if n, err := b.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("Read: %d, %v", n, err)
	}
}

// A copy that waits for room has the first send that does not wait fail at once.
func TestTurnsBehindCopy(t *testing.T) {
	from, to := socketPair(t, sys.SOCK_STREAM)
	a, b := socketPair(t, sys.SOCK_STREAM)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer from.Close()
		if n, err := from.Write(make([]byte, 4<<20)); n != 4<<20 || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
	})
	wg.Go(func() {
		defer a.Close()
		if n, handled, err := Splice(a.End(), to.End(), 1<<30); n != 4<<20 || !handled || err != nil {
			t.Errorf("Splice: %d, %v, %v", n, handled, err)
		}
	})
	for a.parked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if n, err := a.SendAll([]byte("x"), sys.MSG_DONTWAIT); n != 0 || !errors.Is(err, sys.EAGAIN) {
		t.Errorf("SendAll: %d, %v, want EAGAIN", n, err)
	}
	n, err := io.Copy(io.Discard, struct{ io.Reader }{b})
	wg.Wait()
	if n != 4<<20 || err != nil || a.parked.Load() != 0 {
		t.Errorf("%d bytes came, %v; %d writers are left", n, err, a.parked.Load())
	}
}

// Many that do not wait and write little at once all succeed.
func TestTurnsAtOnce(t *testing.T) {
	a, _ := socketPair(t, sys.SOCK_STREAM)
	for {
		// The first may be late to see that there is no other writer.
		if _, err := a.SendAll([]byte("x"), sys.MSG_DONTWAIT); err == nil {
			break
		}
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if n, err := a.SendAll([]byte("x"), sys.MSG_DONTWAIT); n != 1 || err != nil {
				t.Errorf("SendAll: %d, %v", n, err)
			}
		})
	}
	wg.Wait()
}
