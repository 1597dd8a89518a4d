//go:build linux

package descriptor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// shared returns n connections on c's socket, as the workers of a pre-fork server have
// them.
func shared(tb testing.TB, c *sockets.UnixConn, n int) (workers []*sockets.UnixConn) {
	tb.Helper()
	for range n {
		f, err := c.File()
		if err != nil {
			tb.Fatal(err)
		}
		w, err := sockets.FileConn(f)
		f.Close()
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { w.Close() })
		workers = append(workers, w.(*sockets.UnixConn))
	}
	return workers
}

// TestSharedReceive has workers that share a socket receive all descriptors, each once,
// and all of the plain messages between them.
func TestSharedReceive(t *testing.T) {
	for _, network := range socktest.UnixNetworks[1:] {
		t.Run(network, func(t *testing.T) {
			socktest.CheckNoLeak(t)
			a, b := conntest.Pair(t, network)
			const descriptors, workers = 3000, 4
			// A memory file's size tells which one it is.
			sent := make(chan error, 1)
			go func() {
				for i := range descriptors {
					fd, err := unix.MemfdCreate("shared", unix.MFD_CLOEXEC)
					if err != nil {
						sent <- err
						return
					}
					f := os.NewFile(uintptr(fd), "shared")
					err = f.Truncate(int64(i + 1))
					if err == nil {
						err = a.SendFD(f)
					}
					f.Close()
					if err == nil && i%3 == 0 {
						_, err = fmt.Fprintf(a, "plain %d", i)
					}
					if err == nil && i%7 == 0 {
						_, err = a.SendFDs([]byte("long"), a)
					}
					if err != nil {
						sent <- err
						return
					}
				}
				sent <- nil
			}()
			var (
				mu    sync.Mutex
				times = make(map[int64]int)
				plain = make(map[string]int)
				longs int
				wg    sync.WaitGroup
				ended = make(chan struct{})
			)
			for _, w := range shared(t, b, workers) {
				wg.Go(func() {
					for {
						w.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
						f, err := w.ReceiveFD()
						switch {
						case err == nil:
							info, err := f.Stat()
							f.Close()
							if err != nil {
								t.Error(err)
								return
							}
							mu.Lock()
							times[info.Size()]++
							mu.Unlock()
						case errors.Is(err, os.ErrDeadlineExceeded):
							select {
							case <-ended:
								return
							default:
							}
						case errors.Is(err, sockets.ErrNoDescriptor), errors.Is(err, sockets.ErrMessageTooLong):
							// It may be another's by now: what comes is what counts.
							buf := make([]byte, 100)
							n, fds, err := w.ReceiveFDs(buf, 1)
							if errors.Is(err, os.ErrDeadlineExceeded) {
								continue
							}
							if err != nil {
								t.Error(err)
								return
							}
							mu.Lock()
							switch {
							case n == 1 && len(fds) == 1:
								info, _ := fds[0].Stat()
								times[info.Size()]++
							case len(fds) == 1:
								longs++
							default:
								plain[string(buf[:n])]++
							}
							mu.Unlock()
							socktest.CloseFiles(fds)
						default:
							t.Error(err)
							return
						}
					}
				})
			}
			if err := <-sent; err != nil {
				t.Error(err)
			}
			close(ended)
			wg.Wait()
			wantTimes, wantPlain, wantLongs := make(map[int64]int), make(map[string]int), 0
			for i := range descriptors {
				wantTimes[int64(i+1)] = 1
				if i%3 == 0 {
					wantPlain[fmt.Sprintf("plain %d", i)] = 1
				}
				if i%7 == 0 {
					wantLongs++
				}
			}
			if diff := cmp.Diff(wantTimes, times); diff != "" {
				t.Errorf("descriptors (-want +got):\n%.1000s", diff)
			}
			if diff := cmp.Diff(wantPlain, plain); diff != "" {
				t.Errorf("messages (-want +got):\n%.1000s", diff)
			}
			if longs != wantLongs {
				t.Errorf("%d long messages with a descriptor, want %d", longs, wantLongs)
			}
		})
	}
}

// TestReceiveSocketLastDescriptor receives a socket while there is one number left, and
// a file as well.
func TestReceiveSocketLastDescriptor(t *testing.T) {
	for _, network := range socktest.UnixNetworks {
		for _, what := range []string{"file", "socket"} {
			t.Run(network+"/"+what, func(t *testing.T) {
				a, b := conntest.Pair(t, network)
				if err := a.SendFD(a); err != nil {
					t.Fatal(err)
				}
				b.SetReadDeadline(time.Now().Add(2 * time.Minute)) // starts the poller
				restore := leaveDescriptors(t, 1)
				var c io.Closer
				var err error
				if what == "file" {
					c, err = b.ReceiveFD()
				} else {
					c, err = b.ReceiveSocket()
				}
				restore()
				if err != nil {
					t.Fatal(err)
				}
				socktest.Check(t, c.Close())
			})
		}
	}
}

// leaveDescriptors takes all numbers for descriptors but n, until restore is called.
func leaveDescriptors(t *testing.T, n int) (restore func()) {
	t.Helper()
	var had syscall.Rlimit
	socktest.Check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &had))
	var fds []int
	restore = func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &had)
	}
	// Below the limit there may be gaps.
	top, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Skip(err)
	}
	unix.Close(top)
	for fd := range socktest.OpenFiles() {
		var k int
		fmt.Sscan(fd, &k)
		top = max(top, k)
	}
	socktest.Check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(top + n + 1), Max: had.Max}))
	for {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			break
		}
		fds = append(fds, fd)
	}
	for range n {
		unix.Close(fds[len(fds)-1])
		fds = fds[:len(fds)-1]
	}
	return restore
}
