//go:build linux

package netfd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets/internal/sys"
)

// keptReads are the ways to read from a stream.
var keptReads = []struct {
	name string
	read func(fd *FD, b []byte) (int, error)
}{
	{"Read", (*FD).Read},
	{"RecvFrom", func(fd *FD, b []byte) (int, error) { return fd.RecvFrom(b, 0, new(sys.Sockaddr)) }},
	{"RecvMsg", func(fd *FD, b []byte) (int, error) {
		n, _, _, err := fd.RecvMsg(b, make([]byte, 64), 0, new(sys.Sockaddr))
		return n, err
	}},
	{"RecvStream", func(fd *FD, b []byte) (int, error) { return fd.RecvStream(b, 0, false, false) }},
	{"Readv", func(fd *FD, b []byte) (int, error) {
		n, err := fd.Readv([][]byte{b[:1], b[1:]})
		return int(n), err
	}},
	{"RecvRights", func(fd *FD, b []byte) (int, error) {
		r := GetRights()
		defer r.Free()
		return fd.RecvRights(r, b)
	}},
	{"Splice", func(fd *FD, b []byte) (int, error) {
		r, w, err := os.Pipe()
		if err != nil {
			return 0, err
		}
		defer r.Close()
		defer w.Close()
		raw, err := w.SyscallConn()
		if err != nil {
			return 0, err
		}
		n, _, err := Splice(End{Raw: raw, File: true}, fd.End(), 1)
		if err != nil {
			return 0, err
		}
		return r.Read(b[:n])
	}},
}

// awaitReader returns once a goroutine waits for input.
func awaitReader(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "[IO wait") && strings.Contains(g, "RawRead") {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody waits for input")
		}
	}
}

// A reader waits while a piece is kept, and is woken by what comes behind it.
func TestKeptWhileReaderWaits(t *testing.T) {
	for _, tt := range keptReads {
		t.Run(tt.name, func(t *testing.T) {
			a, b := socketPair(t, sys.SOCK_STREAM)
			type result struct {
				got string
				err error
			}
			done := make(chan result)
			go func() {
				buf := make([]byte, 1)
				n, err := tt.read(a, buf)
				done <- result{string(buf[:max(n, 0)]), err}
			}()
			awaitReader(t)
			if !a.keep(&kept{turn: nextTurn(), data: []byte("kept")}) {
				t.Fatal("nothing was kept")
			}
			if _, err := b.Write([]byte(" new")); err != nil {
				t.Fatal(err)
			}
			b.Close()
			r := <-done
			if r.err != nil {
				t.Errorf("woken reader: %v", r.err)
			}
			rest, err := io.ReadAll(struct{ io.Reader }{a})
			if diff := cmp.Diff("kept new", r.got+string(rest)); diff != "" || err != nil {
				t.Errorf("(-want +got):\n%s%v", diff, err)
			}
		})
	}
}

// A second Close returns before the first, while callbacks still use what is kept.
func TestKeptClosedTwice(t *testing.T) {
	a, _ := socketPair(t, sys.SOCK_STREAM)
	if !a.keep(&kept{turn: nextTurn(), data: []byte("kept")}) {
		t.Fatal("nothing was kept")
	}
	closed := make(chan error)
	err := a.RawRead(func(uintptr) bool {
		k := a.more.Load().unread.Load()
		go func() { closed <- a.Close() }()
		for a.SetDeadline(time.Time{}) == nil {
			runtime.Gosched()
		}
		if err := a.Close(); err != net.ErrClosed {
			t.Errorf("second Close: %v, want net.ErrClosed", err)
		}
		if a.more.Load().unread.Load() != k {
			t.Error("a piece is gone while somebody reads it")
		}
		return true
	})
	if err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Errorf("first Close: %v", err)
	}
	if a.hasUnread() {
		t.Error("a piece is left after Close")
	}
}

// Pieces come in front of and behind a byte while it is read.
func TestKeptBesideReaders(t *testing.T) {
	for _, tt := range keptReads {
		t.Run(tt.name, func(t *testing.T) {
			for range 300 {
				a, b := socketPair(t, sys.SOCK_STREAM)
				front := &kept{turn: nextTurn(), data: []byte("front")}
				a.keepMessage([]byte("o"), nil, 0, new(sys.Sockaddr))
				back := &kept{turn: nextTurn(), data: []byte("back")}
				if _, err := b.Write([]byte("new")); err != nil {
					t.Fatal(err)
				}
				b.Close()
				var wg sync.WaitGroup
				start := make(chan struct{})
				wg.Go(func() { <-start; a.keep(front) })
				wg.Go(func() { <-start; a.keep(back) })
				buf := make([]byte, 4)
				close(start)
				n, err := tt.read(a, buf)
				wg.Wait()
				if err != nil {
					t.Fatal(err)
				}
				rest, err := io.ReadAll(struct{ io.Reader }{a})
				if err != nil {
					t.Fatal(err)
				}
				if n += len(rest); n != len("frontobacknew") {
					t.Fatalf("%q and then %q: %d bytes of %d", buf, rest, n, len("frontobacknew"))
				}
				a.Close()
			}
		})
	}
}

// To look at what is in a pipe takes no descriptors, of which there may be none.
func TestKeptPeekWithoutDescriptors(t *testing.T) {
	a, _ := socketPair(t, sys.SOCK_STREAM)
	p := getPipe()
	if p == nil {
		t.Fatal("no pipe")
	}
	n, errno := sys.Write(uintptr(p.w), []byte("in a pipe"))
	if errno != 0 {
		t.Fatal(errno)
	}
	p.n = n
	if !a.keep(&kept{turn: nextTurn(), data: []byte("before "), pipe: p}) {
		t.Fatal("nothing was kept")
	}
	var had syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &had); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 0, Max: had.Max}); err != nil {
		t.Skip(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &had)
	for pipes.Get() != nil {
	}
	var got bytes.Buffer
	for got.Len() < len("before in a pipe") {
		peeked, read := make([]byte, 4), make([]byte, 4)
		m, err := a.RecvStream(peeked, sys.MSG_PEEK|sys.MSG_DONTWAIT, false, false)
		if err != nil {
			t.Fatalf("after %q: %v", got.String(), err)
		}
		if again, err := a.RecvStream(read[:m], 0, false, false); err != nil || again != m || !bytes.Equal(peeked, read) {
			t.Fatalf("peeked at %q, and then got %q, %v", peeked[:m], read[:again], err)
		}
		got.Write(read[:m])
	}
	if diff := cmp.Diff("before in a pipe", got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Close meets calls that take what is kept: each byte is read or dropped, and the race
// detector has nothing to say.
func TestKeptClosedWhileRead(t *testing.T) {
	for _, tt := range keptReads {
		t.Run(tt.name, func(t *testing.T) {
			for range 100 {
				a, _ := socketPair(t, sys.SOCK_STREAM)
				if !a.keep(&kept{turn: nextTurn(), data: bytes.Repeat([]byte("kept"), 3)}) {
					t.Fatal("nothing was kept")
				}
				var wg sync.WaitGroup
				start := make(chan struct{})
				wg.Go(func() {
					<-start
					for buf := make([]byte, 2); ; {
						if _, err := tt.read(a, buf); err != nil {
							return
						}
					}
				})
				wg.Go(func() { <-start; a.Close() })
				close(start)
				wg.Wait()
				if a.hasUnread() {
					t.Fatal("a piece is left after Close")
				}
			}
		})
	}
}

// fullPipe returns a pipe with text in it that cannot be read, and a function that
// makes it readable.
func fullPipe(t *testing.T, text string) (p *pipe, mend func()) {
	t.Helper()
	p = getPipe()
	if p == nil {
		t.Fatal("no pipe")
	}
	n, errno := sys.Write(uintptr(p.w), []byte(text))
	if errno != 0 {
		t.Fatal(errno)
	}
	r := p.r
	p.n, p.r = n, 1<<30
	return p, func() { p.r = r }
}

// spliceCopying is Splice to a stream that takes nothing from pipes.
func spliceCopying(t *testing.T) func(fd *FD, b []byte) (int, error) {
	return func(fd *FD, b []byte) (int, error) {
		to, from := socketPair(t, sys.SOCK_STREAM)
		end := to.End()
		end.Unix = false
		n, _, err := Splice(end, fd.End(), 1)
		if n == 0 || err != nil {
			return int(n), err
		}
		return from.Read(b[:n])
	}
}

// What is in a pipe that cannot be read now, because a sandbox refuses that perhaps, is
// neither lost nor passed over in silence.
func TestKeptInUnreadablePipe(t *testing.T) {
	reads := append(keptReads[:len(keptReads):len(keptReads)], struct {
		name string
		read func(fd *FD, b []byte) (int, error)
	}{"Splice by copying", spliceCopying(t)}, struct {
		name string
		read func(fd *FD, b []byte) (int, error)
	}{"Peek", func(fd *FD, b []byte) (int, error) {
		if _, err := fd.RecvFrom(b, sys.MSG_PEEK, nil); err != nil {
			return 0, err
		}
		return fd.RecvFrom(b, 0, nil)
	}})
	for _, tt := range reads {
		t.Run(tt.name, func(t *testing.T) {
			a, b := socketPair(t, sys.SOCK_STREAM)
			p, mend := fullPipe(t, "in a pipe")
			if !a.keep(&kept{turn: nextTurn(), data: []byte("before, "), pipe: p}) {
				t.Fatal("nothing was kept")
			}
			if _, err := b.Write([]byte(", new")); err != nil {
				t.Fatal(err)
			}
			b.Close()
			if _, err := io.ReadFull(a, make([]byte, len("before, "))); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 2)
			for range 2 {
				if n, err := tt.read(a, buf); !errors.Is(err, unix.EBADF) {
					t.Errorf("while the pipe cannot be read: %q, %v, want EBADF", buf[:n], err)
				}
			}
			mend()
			n, err := tt.read(a, buf)
			if err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(struct{ io.Reader }{a})
			if diff := cmp.Diff("in a pipe, new", string(buf[:n])+string(rest)); diff != "" || err != nil {
				t.Errorf("(-want +got):\n%s%v", diff, err)
			}
		})
	}
}

// Pieces that two transfers give back are read in the order in which they were taken,
// also one of a single byte, and also if the later one comes back first.
func TestKeptInOrderOfTaking(t *testing.T) {
	a, b := socketPair(t, sys.SOCK_STREAM)
	var ts [2]*transfer
	for i, text := range []string{"older", "y"} {
		if _, err := b.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		ts[i] = newTransfer(End{}, a.End(), 100)
		if err := a.RawRead(ts[i].take); err != nil || ts[i].n != len(text) {
			t.Fatalf("%d bytes were taken of %q: %v", ts[i].n, text, err)
		}
	}
	ts[1].keep()
	ts[0].keep()
	b.Close()
	got, err := io.ReadAll(struct{ io.Reader }{a})
	if diff := cmp.Diff("oldery", string(got)); diff != "" || err != nil {
		t.Errorf("(-want +got):\n%s%v", diff, err)
	}
	for _, tr := range ts {
		tr.free("")
	}
}

// A read without room for control data says that those of a byte were cut off.
func TestKeptMessageIsCutOff(t *testing.T) {
	a, b := socketPair(t, sys.SOCK_STREAM)
	a.keepMessage([]byte("o"), []byte("control"), 0, new(sys.Sockaddr))
	if _, err := b.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	n, _, flags, err := a.RecvMsg(buf, nil, 0, new(sys.Sockaddr))
	if got := string(buf[:n]); got != "onew" || flags != unix.MSG_CTRUNC || err != nil {
		t.Errorf("RecvMsg: %q, %#x, %v, want onew and MSG_CTRUNC", got, flags, err)
	}
}

// Descriptors that came with a message that was kept are closed if no reader has room
// for them, and if there is no reader any more.
func TestKeptDescriptorsAreClosed(t *testing.T) {
	for name, end := range map[string]func(fd *FD) error{
		"Close": (*FD).Close,
		"Read":  func(fd *FD) error { _, err := fd.Read(make([]byte, 1)); return err },
		"RecvMsg": func(fd *FD) error {
			_, _, _, err := fd.RecvMsg(make([]byte, 1), make([]byte, 8), 0, new(sys.Sockaddr))
			return err
		},
	} {
		for _, typ := range []int{sys.SOCK_STREAM, sys.SOCK_DGRAM} {
			t.Run(fmt.Sprint(name, " of type ", typ), func(t *testing.T) {
				a, _ := socketPair(t, typ)
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				defer w.Close()
				sysfd, errno := sys.Dup(w.Fd())
				if errno != 0 {
					t.Fatal(errno)
				}
				oob, data := sys.AppendRights(nil, 1)
				sys.PutRight(data, 0, uintptr(sysfd))
				a.keepMessage([]byte("k"), oob, 0, new(sys.Sockaddr))
				w.Close()
				if err := end(a); err != nil {
					t.Fatal(err)
				}
				r.SetReadDeadline(time.Now().Add(10 * time.Second))
				if _, err := r.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("the pipe whose end was kept: %v, want EOF", err)
				}
			})
		}
	}
}

// A batch has a message that was kept as its first, with what came with it.
func TestKeptMessageInBatch(t *testing.T) {
	a, b := socketPair(t, sys.SOCK_DGRAM)
	a.keepMessage([]byte("kept"), []byte("control"), sys.MSG_EOR, new(sys.Sockaddr))
	if _, err := b.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	type result struct {
		Text, Control string
		Flags         int
	}
	var got []result
	for range 2 {
		ms := []Message{{Buffers: [][]byte{make([]byte, 10)}, OOB: make([]byte, 10)}, {Buffers: [][]byte{make([]byte, 10)}}}
		batch := GetBatch(a, ms, 0)
		n, err := batch.Recv(func(*FD, *sys.Sockaddr, *Message) net.Addr { return nil })
		batch.Free()
		if n != 1 || err != nil {
			t.Fatalf("received %d, %v, want one", n, err)
		}
		got = append(got, result{string(ms[0].Buffers[0][:ms[0].N]), string(ms[0].OOB[:ms[0].NN]), ms[0].Flags &^ sys.MSG_CMSG_CLOEXEC})
	}
	want := []result{{"kept", "control", sys.MSG_EOR}, {"new", "", 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A byte that comes back from a copy that failed still has what came with it.
func TestKeptMessageGivenBack(t *testing.T) {
	a, _ := socketPair(t, sys.SOCK_STREAM)
	want := sys.Ucred{PID: 1, UID: 2, GID: 3}
	a.keepMessage([]byte("b"), sys.AppendCred(nil, want), 0, new(sys.Sockaddr))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	raw, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if n, _, err := Splice(End{Raw: raw, File: true}, a.End(), 1); n != 0 || !errors.Is(err, unix.EPIPE) {
		t.Fatalf("Splice to a broken pipe: %d, %v", n, err)
	}
	rights := GetRights()
	defer rights.Free()
	if n, err := a.RecvCred(rights, make([]byte, 2)); n != 1 || err != nil {
		t.Fatalf("RecvCred: %d, %v", n, err)
	}
	if diff := cmp.Diff(want, rights.Cred); diff != "" || !rights.HasCred {
		t.Errorf("HasCred is %v (-want +got):\n%s", rights.HasCred, diff)
	}
}
