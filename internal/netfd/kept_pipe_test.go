//go:build linux

package netfd

import (
	"errors"
	"io"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets/internal/sys"
)

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
