//go:build linux

package descriptor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// TestSendFDsLong sends more data than the socket holds, so that the rest goes
// without descriptors.
func TestSendFDsLong(t *testing.T) {
	socktest.CheckNoLeak(t)
	a, b := conntest.Pair(t, "unix")
	data := make([]byte, 4<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	files := socktest.Pipes(t, 3)
	sent := make(chan error, 1)
	go func() {
		n, err := a.SendFDs(data, socktest.Conns(files)...)
		if err == nil && n != len(data) {
			err = fmt.Errorf("sent %d of %d", n, len(data))
		}
		sent <- err
		a.Close()
	}()
	buf := make([]byte, 100)
	n, fds, err := b.ReceiveFDs(buf, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer socktest.CloseFiles(fds)
	if diff := cmp.Diff(socktest.IDsOf(t, files), socktest.IDsOf(t, fds)); diff != "" {
		t.Errorf("files mismatch (-want +got):\n%s", diff)
	}
	// ReceiveFDs, because Read would hide descriptors that come again.
	got := slices.Clone(buf[:n])
	buf = make([]byte, 1<<16)
	for {
		n, fds, err := b.ReceiveFDs(buf, 0)
		got = append(got, buf[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil || fds != nil {
			t.Fatalf("the rest brings %d files, %v", len(fds), err)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if !bytes.Equal(data, got) {
		t.Error("other data came")
	}
}

// TestSendFDsLongThenClose closes a file as soon as the peer has it, while more data
// are under way, which need it no more.
func TestSendFDsLongThenClose(t *testing.T) {
	socktest.CheckNoLeak(t)
	a, b := conntest.Pair(t, "unix")
	data := make([]byte, 4<<20)
	f := socktest.Pipes(t, 1)[0]
	sent := make(chan error, 1)
	go func() {
		n, err := a.SendFDs(data, f)
		if err == nil && n != len(data) {
			err = fmt.Errorf("sent %d of %d", n, len(data))
		}
		sent <- err
	}()
	n, fds, err := b.ReceiveFDs(make([]byte, 100), 1)
	if err != nil {
		t.Fatal(err)
	}
	socktest.CloseFiles(fds)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.Discard, b, int64(len(data)-n))
		got <- err
	}()
	if err := <-sent; err != nil {
		a.Close() // the rest will not come
		t.Error(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestFDDeadlines(t *testing.T) {
	socktest.NeedFullQueue(t, 2000)
	f := socktest.Pipes(t, 1)[0]
	for _, network := range socktest.UnixNetworks {
		t.Run(network, func(t *testing.T) {
			socktest.CheckNoLeak(t)
			a, b := conntest.Pair(t, network)
			b.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			if _, err := b.ReceiveFD(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("ReceiveFD: %v", err)
			}
			if _, _, err := b.ReceiveFDs(make([]byte, 1), 1); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("ReceiveFDs: %v", err)
			}
			var err error
			sent := 0
			socktest.WhileBlocked(t, func() {
				for ; err == nil; sent++ {
					err = a.SendFD(f)
				}
			}, func() { a.SetWriteDeadline(time.Now()) })
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("SendFD into a full queue: %v", err)
			}
			// A file can be closed while SendFD waits for room.
			a.SetWriteDeadline(time.Now().Add(time.Minute))
			g := socktest.Pipes(t, 1)[0]
			done := make(chan error, 1)
			go func() { done <- a.SendFD(g) }()
			g.Close()
			b.SetReadDeadline(time.Now().Add(time.Minute))
			for range sent - 1 {
				got, err := b.ReceiveFD()
				if err != nil {
					t.Fatal(err)
				}
				got.Close()
			}
			if err := <-done; !errors.Is(err, os.ErrClosed) {
				t.Errorf("SendFD of a file closed meanwhile: %v", err)
			}
		})
	}
}

func TestFDClose(t *testing.T) {
	for _, network := range socktest.UnixNetworks {
		_, b := conntest.Pair(t, network)
		done := make(chan error, 2)
		go func() { _, err := b.ReceiveFD(); done <- err }()
		go func() { _, _, err := b.ReceiveFDs(make([]byte, 1), 1); done <- err }()
		b.Close()
		for range 2 {
			if err := <-done; !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v, want net.ErrClosed", network, err)
			}
		}
	}
}

func TestFDConcurrent(t *testing.T) {
	const senders, each = 8, 50
	for _, network := range socktest.UnixNetworks {
		t.Run(network, func(t *testing.T) {
			socktest.CheckNoLeak(t)
			a, b := conntest.Pair(t, network)
			files := socktest.Pipes(t, senders)
			var wg sync.WaitGroup
			for i := range senders {
				wg.Go(func() {
					for range each {
						if err := a.SendFD(files[i]); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			var mu sync.Mutex
			got := make(map[socktest.FileID]int)
			for range senders {
				wg.Go(func() {
					for range each {
						f, err := b.ReceiveFD()
						if err != nil {
							t.Error(err)
							return
						}
						id := socktest.IDOf(t, f)
						f.Close()
						mu.Lock()
						got[id]++
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			want := make(map[socktest.FileID]int)
			for _, f := range files {
				want[socktest.IDOf(t, f)] = each
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFDMix sends random messages with random descriptors and receives them in
// random pieces.
func TestFDMix(t *testing.T) {
	for _, network := range socktest.UnixNetworks {
		for seed := range uint64(4) {
			t.Run(network+"/"+strconv.FormatUint(seed, 10), func(t *testing.T) {
				socktest.CheckNoLeak(t)
				testFDMix(t, network, rand.New(rand.NewPCG(seed, 42)))
			})
		}
	}
}

func testFDMix(t *testing.T, network string, rng *rand.Rand) {
	type message struct {
		Data []byte
		IDs  []socktest.FileID
	}
	socktest.NeedFiles(t, 2*253)
	pool := socktest.Pipes(t, 16)
	var messages []message
	var args [][]syscall.Conn
	for range 100 {
		m := message{Data: make([]byte, 1+rng.IntN(1+rng.IntN(5000)))}
		for i := range m.Data {
			m.Data[i] = byte(rng.Uint32())
		}
		var fds []syscall.Conn
		n := []int{0, 0, 0, 1, 1, 2, 3, rng.IntN(254), 253}[rng.IntN(9)]
		for range n {
			f := pool[rng.IntN(len(pool))]
			fds = append(fds, f)
			m.IDs = append(m.IDs, socktest.IDOf(t, f))
		}
		messages, args = append(messages, m), append(args, fds)
	}
	a, b := conntest.Pair(t, network)
	done := make(chan error, 1)
	go func() {
		defer a.Close()
		for i, m := range messages {
			if _, err := a.SendFDs(m.Data, args[i]...); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	if network != "unix" {
		buf := make([]byte, 5001)
		for i, want := range messages {
			n, fds, err := b.ReceiveFDs(buf, 253)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, message{buf[:n], socktest.IDsOf(t, fds)}); diff != "" {
				t.Errorf("message %d mismatch (-want +got):\n%s", i, diff)
			}
			socktest.CloseFiles(fds)
		}
	} else {
		// Where in the stream the descriptors of each message must come.
		var want []byte
		var groups []message
		var starts []int
		for _, m := range messages {
			if m.IDs != nil {
				groups, starts = append(groups, m), append(starts, len(want))
			}
			want = append(want, m.Data...)
		}
		var got []byte
		for {
			buf := make([]byte, 1+rng.IntN(1+rng.IntN(9000)))
			n, fds, err := b.ReceiveFDs(buf, 253)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			from, to := len(got), len(got)+n
			got = append(got, buf[:n]...)
			if fds == nil {
				if len(starts) > 0 && starts[0] < to {
					t.Fatalf("bytes %d to %d came without the descriptors at %d", from, to, starts[0])
				}
				continue
			}
			if len(starts) == 0 || starts[0] < from || starts[0] >= to {
				t.Fatalf("bytes %d to %d came with descriptors of others", from, to)
			}
			if diff := cmp.Diff(groups[0].IDs, socktest.IDsOf(t, fds)); diff != "" {
				t.Fatalf("descriptors at %d mismatch (-want +got):\n%s", starts[0], diff)
			}
			groups, starts = groups[1:], starts[1:]
			socktest.CloseFiles(fds)
		}
		if !bytes.Equal(want, got) || len(starts) > 0 {
			t.Errorf("got %d bytes of %d, %d messages with descriptors are missing", len(got), len(want), len(starts))
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestDescriptorLimit receives with each number of free descriptors that is too
// small, in processes of their own.
func TestDescriptorLimit(t *testing.T) {
	for free := range limitSent + 2 {
		t.Run(strconv.Itoa(free), func(t *testing.T) {
			if free > 0 && free < limitSent {
				if out, err := socktest.ChildCommand(t, "descriptor-lost").CombinedOutput(); err != nil {
					t.Skipf("the kernel does not tell that it has lost some of a message's descriptors: %s", out)
				}
			}
			if out, err := socktest.ChildCommand(t, "descriptor-limit", strconv.Itoa(free)).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// limitSent is how many descriptors TestDescriptorLimit sends.
const limitSent = 5

func init() {
	socktest.Children["descriptor-limit"] = descriptorLimit
	socktest.Children["descriptor-lost"] = descriptorLost
}

func descriptorLimit() error {
	free, err := strconv.Atoi(os.Args[2])
	if err != nil {
		return err
	}
	for _, network := range socktest.UnixNetworks {
		for _, pass := range []bool{false, true} {
			if err := receiveWithin(network, limitSent, free, pass); err != nil {
				return fmt.Errorf("%s, %d descriptors, %d free, pidfd %t: %w", network, limitSent, free, pass, err)
			}
		}
		if err := receiveOneWithin(network); err != nil {
			return fmt.Errorf("%s, ReceiveFD: %w", network, err)
		}
	}
	return nil
}

// descriptorLost receives a descriptor of two by a plain call.
func descriptorLost() error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Sendmsg(fds[0], []byte("x"), unix.UnixRights(fds[0], fds[1]), nil, 0); err != nil {
		return err
	}
	lift, err := socktest.LimitFree(1)
	if err != nil {
		return err
	}
	defer lift()
	_, _, flags, _, err := unix.Recvmsg(fds[1], make([]byte, 1), make([]byte, unix.CmsgSpace(8)), unix.MSG_CMSG_CLOEXEC)
	if err == nil && flags&unix.MSG_CTRUNC == 0 {
		err = errors.New("MSG_CTRUNC is missing")
	}
	return err
}

func receiveWithin(network string, sent, free int, pass bool) error {
	a, b, err := sockets.Pair(network)
	if err != nil {
		return err
	}
	defer a.Close()
	defer b.Close()
	if pass {
		if err := sockopt.PassPIDFD.Set(b, true); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	fds := make([]syscall.Conn, sent)
	for i := range fds {
		fds[i] = a
	}
	if _, err := a.SendFDs([]byte("data"), fds...); err != nil {
		return err
	}
	before := socktest.OpenFiles()
	lift, err := socktest.LimitFree(free)
	if err != nil {
		return err
	}
	defer lift()
	buf := make([]byte, 10)
	n, files, err := b.ReceiveFDs(buf, sent)
	lift()
	if string(buf[:n]) != "data" {
		return fmt.Errorf("got %q", buf[:n])
	}
	// The kernel says nothing if the number that is missing is that of the pidfd.
	if free >= sent {
		if len(files) != sent || err != nil {
			return fmt.Errorf("got %d files, %v", len(files), err)
		}
		socktest.CloseFiles(files)
	} else if files != nil || !errors.Is(err, sockets.ErrDescriptorsLost) || !errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("got %d files, %v", len(files), err)
	}
	if after := socktest.OpenFiles(); !cmp.Equal(before, after) {
		return fmt.Errorf("descriptors mismatch (-before +after):\n%s", cmp.Diff(before, after))
	}
	if err := a.SendFD(a); err != nil {
		return err
	}
	f, err := b.ReceiveFD()
	if err != nil {
		return fmt.Errorf("the next one: %w", err)
	}
	return f.Close()
}

// receiveOneWithin checks that ReceiveFD goes on behind a descriptor it had no
// number for.
func receiveOneWithin(network string) error {
	a, b, err := sockets.Pair(network)
	if err != nil {
		return err
	}
	defer a.Close()
	defer b.Close()
	if err := a.SendFD(a); err != nil {
		return err
	}
	lift, err := socktest.LimitFree(0)
	if err != nil {
		return err
	}
	defer lift()
	if _, err := b.ReceiveFD(); !errors.Is(err, sockets.ErrDescriptorsLost) || !errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("got %v", err)
	}
	lift()
	if err := a.SendFD(a); err != nil {
		return err
	}
	f, err := b.ReceiveFD()
	if err != nil {
		return fmt.Errorf("with a free number: %w", err)
	}
	return f.Close()
}
