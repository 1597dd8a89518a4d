//go:build linux

package descriptor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
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

// giveBack has ReceiveFD find a byte of plain data at the start of a's stream.
func giveBack(tb testing.TB, b *sockets.UnixConn) {
	tb.Helper()
	if _, err := b.ReceiveFD(); !errors.Is(err, sockets.ErrNoDescriptor) {
		tb.Fatalf("ReceiveFD: %v, want ErrNoDescriptor", err)
	}
}

// TestReceiveFDLongMessage checks that the error says that the message is still
// there, whatever else is wrong with it.
func TestReceiveFDLongMessage(t *testing.T) {
	files := socktest.Pipes(t, 3)
	for _, network := range socktest.UnixNetworks[1:] {
		t.Run(network, func(t *testing.T) {
			socktest.CheckNoLeak(t)
			a, b := conntest.Pair(t, network)
			socktest.SendRaw(t, a, []byte("long"), files...)
			for range 2 {
				if _, err := b.ReceiveFD(); !errors.Is(err, sockets.ErrMessageTooLong) || errors.Is(err, sockets.ErrTooManyDescriptors) {
					t.Errorf("ReceiveFD: %v, want ErrMessageTooLong alone", err)
				}
			}
			buf := make([]byte, 10)
			n, fds, err := b.ReceiveFDs(buf, 3)
			if string(buf[:n]) != "long" || len(fds) != 3 || err != nil {
				t.Errorf("ReceiveFDs: %q, %d files, %v", buf[:n], len(fds), err)
			}
			socktest.CloseFiles(fds)
		})
	}
}

// TestReceiveFDsReportsLoss checks that lost data do not hide behind surplus
// descriptors.
func TestReceiveFDsReportsLoss(t *testing.T) {
	files := socktest.Pipes(t, 3)
	for _, network := range socktest.UnixNetworks[1:] {
		t.Run(network, func(t *testing.T) {
			socktest.CheckNoLeak(t)
			a, b := conntest.Pair(t, network)
			socktest.SendRaw(t, a, []byte("long"), files...)
			n, fds, err := b.ReceiveFDs(make([]byte, 2), 1)
			if n != 2 || fds != nil || !errors.Is(err, sockets.ErrTooManyDescriptors) || !errors.Is(err, sockets.ErrMessageTooLong) {
				t.Errorf("ReceiveFDs: %d, %d files, %v, want ErrTooManyDescriptors and ErrMessageTooLong", n, len(fds), err)
			}
		})
	}
}

// TestReceiveFDForeignControl checks that data without descriptors stay where they
// are even if they come with control data that nobody knows.
func TestReceiveFDForeignControl(t *testing.T) {
	for _, network := range socktest.UnixNetworks {
		t.Run(network, func(t *testing.T) {
			socktest.CheckNoLeak(t)
			a, b := conntest.Pair(t, network)
			var err error
			socktest.WithFD(t, b, func(fd int) error {
				err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMP, 1)
				if network == "unix" {
					const soINQ = 84 // since Linux 6.17
					err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, soINQ, 1)
				}
				return nil
			})
			if err == unix.ENOPROTOOPT || err == unix.EOPNOTSUPP {
				t.Skip("the kernel has no SO_INQ for unix sockets")
			}
			if err != nil {
				t.Fatal(err)
			}
			socktest.SendRaw(t, a, []byte("x"))
			giveBack(t, b)
			if n, err := b.Read(make([]byte, 10)); n != 1 || err != nil {
				t.Errorf("Read: %d, %v, want the byte", n, err)
			}
		})
	}
}

// TestGivenBackCredentials checks that a byte that ReceiveFD gives back keeps its
// sender, and does not get another's.
func TestGivenBackCredentials(t *testing.T) {
	if !socktest.MaySendCred(t, os.Getpid(), socktest.Nobody, socktest.Nobody) {
		t.Skip("it may not send for others")
	}
	socktest.CheckNoLeak(t)
	a, b := conntest.Pair(t, "unix")
	conntest.PassCred(t, b)
	nobody := sockopt.Ucred{PID: os.Getpid(), UID: socktest.Nobody, GID: socktest.Nobody}
	own := sockopt.Ucred{PID: os.Getpid(), UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	for _, m := range []struct {
		data string
		cred sockopt.Ucred
	}{{"n", nobody}, {"own", own}} {
		if _, err := a.SendCred([]byte(m.data), m.cred); err != nil {
			t.Fatal(err)
		}
	}
	giveBack(t, b)
	type message struct {
		Data string
		Cred sockopt.Ucred
	}
	var got []message
	for range 2 {
		buf := make([]byte, 10)
		n, cred, err := b.ReceiveCred(buf)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, message{string(buf[:n]), cred})
	}
	if diff := cmp.Diff([]message{{"n", nobody}, {"own", own}}, got); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
}

// TestGivenBackControl checks that ReadMsgUnix gets the descriptors that come behind
// a byte that ReceiveFD gives back.
func TestGivenBackControl(t *testing.T) {
	socktest.CheckNoLeak(t)
	a, b := conntest.Pair(t, "unix")
	socktest.SendRaw(t, a, []byte("p"))
	giveBack(t, b)
	socktest.SendRaw(t, a, []byte("fd"), socktest.Pipes(t, 1)...)
	var data, control []byte
	for len(data) < 3 {
		buf, oob := make([]byte, 10), make([]byte, 100)
		n, oobn, _, _, err := b.ReadMsgUnix(buf, oob)
		if err != nil {
			t.Fatal(err)
		}
		data, control = append(data, buf[:n]...), append(control, oob[:oobn]...)
	}
	if string(data) != "pfd" || len(control) != unix.CmsgSpace(4) {
		t.Fatalf("received %q with %d bytes of control data", data, len(control))
	}
	msgs, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fds[0])
}

// TestGivenBackReset checks that a broken connection does not look like the end
// behind a byte that ReceiveFD gives back.
func TestGivenBackReset(t *testing.T) {
	tests := []struct {
		name string
		read func(b *sockets.UnixConn, buf []byte) (int, error)
	}{
		{"Read", (*sockets.UnixConn).Read},
		{"ReceiveFDs", func(b *sockets.UnixConn, buf []byte) (int, error) {
			n, _, err := b.ReceiveFDs(buf, 0)
			return n, err
		}},
		{"ReadMsgUnix", func(b *sockets.UnixConn, buf []byte) (int, error) {
			n, _, _, _, err := b.ReadMsgUnix(buf, nil)
			return n, err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socktest.CheckNoLeak(t)
			a, b := conntest.Pair(t, "unix")
			socktest.SendRaw(t, a, []byte("p"))
			socktest.SendRaw(t, b, []byte("never read"))
			giveBack(t, b)
			a.Close()
			buf := make([]byte, 10)
			if n, err := tt.read(b, buf); n != 1 || err != nil {
				t.Errorf("first: %d, %v", n, err)
			}
			if n, err := tt.read(b, buf); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("then: %d, %v, want ECONNRESET", n, err)
			}
		})
	}
}

// TestReceiveLowNumbers receives as descriptors 0, 1 and 2, which programs that close
// their standard files get, in a process of its own.
func TestReceiveLowNumbers(t *testing.T) {
	cmd := socktest.ChildCommand(t, "receive-low")
	var out bytes.Buffer
	f, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{w}
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(&out, f)
	f.Close()
	if err := cmd.Wait(); err != nil || out.String() != "ok" {
		t.Errorf("%v\n%s", err, &out)
	}
}

func init() { socktest.Children["receive-low"] = receiveLow }

func receiveLow() error {
	report := os.NewFile(3, "report")
	err := receiveAsLow()
	if err == nil {
		fmt.Fprint(report, "ok")
	} else {
		fmt.Fprint(report, err)
	}
	return err
}

func receiveAsLow() error {
	a, b, err := sockets.Pair("unix")
	if err != nil {
		return err
	}
	defer a.Close()
	defer b.Close()
	for _, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		f.Close()
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	if err := a.SendFD(w); err != nil {
		return err
	}
	w.Close()
	r.Close()
	f, err := b.ReceiveFD()
	if err != nil {
		return err
	}
	// The default of SIGPIPE ends a process that writes to 1 or 2 in this state.
	if _, err := f.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("write: %v, want EPIPE", err)
	}
	if err := a.SendFD(a); err != nil {
		return err
	}
	_, files, err := b.ReceiveFDs(make([]byte, 1), 1)
	if err != nil {
		return err
	}
	if n := files[0].Fd(); n <= 2 {
		return fmt.Errorf("received as descriptor %d", n)
	}
	files[0].Close()
	f.Close()

	// All three at once: 1 and 2 are what raises SIGPIPE.
	if r, w, err = os.Pipe(); err != nil {
		return err
	}
	if _, err := a.SendFDs([]byte("x"), w, w, w); err != nil {
		return err
	}
	w.Close()
	r.Close()
	if _, files, err = b.ReceiveFDs(make([]byte, 1), 3); err != nil {
		return err
	}
	for _, f := range files {
		defer f.Close()
		if _, err := f.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			return fmt.Errorf("write: %v, want EPIPE", err)
		}
		if n := f.Fd(); n <= 2 {
			return fmt.Errorf("received as descriptor %d", n)
		}
	}
	for n := range 3 {
		if socktest.IsOpen(n) {
			return fmt.Errorf("descriptor %d is still open", n)
		}
	}

	// Where there is no other number, a low one is better than none.
	if err := a.SendFD(a); err != nil {
		return err
	}
	above, err := unix.FcntlInt(3, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return err
	}
	unix.Close(above)
	if err := syscall.Setrlimit(unix.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(above), Max: uint64(above)}); err != nil {
		return err
	}
	if f, err = b.ReceiveFD(); err != nil {
		return err
	}
	if n := f.Fd(); n > 2 || !socktest.IsOpen(int(n)) {
		return fmt.Errorf("received as descriptor %d, where none above 2 is free", n)
	}
	return f.Close()
}

// oddConn is a syscall.Conn of a make that does not keep to the rules.
type oddConn struct {
	raw   syscall.RawConn
	calls int
}

func (c oddConn) SyscallConn() (syscall.RawConn, error) {
	if c.raw == nil {
		return nil, nil
	}
	return oddRaw{c.raw, c.calls}, nil
}

type oddRaw struct {
	syscall.RawConn
	calls int
}

func (c oddRaw) Control(f func(uintptr)) error {
	return c.RawConn.Control(func(fd uintptr) {
		for range c.calls {
			f(fd)
		}
	})
}

func TestSendFDOddConn(t *testing.T) {
	socktest.CheckNoLeak(t)
	a, b := conntest.Pair(t, "unixpacket")
	f := socktest.Pipes(t, 1)[0]
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	closed := socktest.Pipes(t, 1)[0]
	closed.Close()
	var de *sockets.DescriptorError
	if err := a.SendFD(oddConn{}); !errors.As(err, &de) || !errors.Is(err, syscall.EINVAL) {
		t.Errorf("without access to a descriptor: %v, want EINVAL", err)
	}
	if err := a.SendFD(oddConn{raw, 0}); !errors.As(err, &de) || !errors.Is(err, syscall.EBADF) {
		t.Errorf("without a call: %v, want EBADF", err)
	}
	if _, err := a.SendFDs([]byte("x"), oddConn{raw, 3}, closed); !errors.As(err, &de) || de.Index != 1 || !errors.Is(err, os.ErrClosed) {
		t.Errorf("three calls, then a closed file: %v, want ErrClosed of 1", err)
	}
	if _, err := a.SendFDs([]byte("x"), oddConn{raw, 3}, f); err != nil {
		t.Errorf("three calls: %v", err)
	}
	a.Close()
	n, fds, err := b.ReceiveFDs(make([]byte, 10), 3)
	if n != 1 || len(fds) != 2 || err != nil {
		t.Errorf("ReceiveFDs: %d, %d files, %v", n, len(fds), err)
	}
	socktest.CloseFiles(fds)
	if _, err := b.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("more was sent: %v", err)
	}
}

// TestFDAfterCopy interrupts a Copy that has taken bytes out of the socket, and
// receives them by each of the methods for control data: all, in order, and what is
// sent behind them.
func TestFDAfterCopy(t *testing.T) {
	for _, tt := range []struct {
		name string
		read func(c *sockets.UnixConn, b []byte) (int, error)
	}{
		{"ReceiveFDs", func(c *sockets.UnixConn, b []byte) (int, error) {
			n, _, err := c.ReceiveFDs(b, 0)
			return n, err
		}},
		{"ReceiveRawFDs", func(c *sockets.UnixConn, b []byte) (int, error) {
			n, _, err := c.ReceiveRawFDs(b, nil)
			return n, err
		}},
		{"ReadMsgUnix", func(c *sockets.UnixConn, b []byte) (int, error) {
			n, _, _, _, err := c.ReadMsgUnix(b, make([]byte, 100))
			return n, err
		}},
		{"Read", (*sockets.UnixConn).Read},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, src := conntest.Pair(t, "unix")
			dst, peer := conntest.Pair(t, "unix") // peer reads nothing, so that dst is full soon
			_ = peer
			dst.SetWriteBuffer(10_000)
			// Linux before 6.5 takes a few hundred kilobytes that are spliced, whatever the buffer's size.
			want := make([]byte, 2_000_000)
			for i := range want {
				want[i] = byte(i / 251)
			}
			behind := socktest.Pipes(t, 1)[0]
			sent := make(chan error, 1)
			go func() {
				_, err := a.Write(want)
				if err == nil {
					err = a.SendFD(behind)
				}
				sent <- err
			}()
			socktest.StopWhenFull(t, dst)
			n, err := sockets.Copy(dst, src)
			if !errors.Is(err, os.ErrDeadlineExceeded) || n >= int64(len(want)) {
				t.Fatalf("Copy = %d, %v, want a deadline before the end", n, err)
			}
			if _, err := src.ReceiveFD(); !errors.Is(err, sockets.ErrNoDescriptor) {
				t.Errorf("ReceiveFD: %v, want ErrNoDescriptor", err)
			}
			got := make([]byte, 0, len(want))
			for missing := len(want) - int(n); missing > 0; {
				b := make([]byte, min(missing, 3000))
				m, err := tt.read(src, b)
				if err != nil {
					t.Fatalf("%d bytes missing: %v", missing, err)
				}
				got, missing = append(got, b[:m]...), missing-m
			}
			if !bytes.Equal(want[n:], got) { // cmp.Diff is slow with so many
				t.Error("bytes were lost or changed")
			}
			f, err := src.ReceiveFD()
			if err != nil {
				t.Fatalf("the descriptor behind them: %v, sent with %v", err, <-sent)
			}
			f.Close()
		})
	}
}

// TestSendFDsAfterReceiving checks that what is sent has nothing of what was received
// before: neither the byte nor the address. They share memory, most of the time.
func TestSendFDsAfterReceiving(t *testing.T) {
	socktest.CheckNoLeak(t)
	f := socktest.Pipes(t, 1)[0]
	from, to := conntest.NamedPair(t, "unixgram")
	gram, gramPeer := conntest.Pair(t, "unixgram")
	stream, streamPeer := conntest.Pair(t, "unix")
	limit := time.Now().Add(10 * time.Second)
	for _, c := range []*sockets.UnixConn{to, gramPeer, streamPeer} {
		c.SetReadDeadline(limit)
	}
	receive := func(c *sockets.UnixConn) []byte {
		t.Helper()
		b := make([]byte, 10)
		n, fds, err := c.ReceiveFDs(b, 1)
		if err != nil {
			t.Fatal(err)
		}
		socktest.CloseFiles(fds)
		return b[:n]
	}
	for range 20 {
		if _, err := from.WriteTo([]byte("x"), to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		receive(to)
		if _, err := gram.SendFDs([]byte("x"), f); err != nil {
			t.Fatal(err)
		}
		receive(gramPeer)

		socktest.SendRaw(t, stream, []byte("p"), f)
		got, err := streamPeer.ReceiveFD()
		if err != nil {
			t.Fatal(err)
		}
		got.Close()
		if _, err := stream.SendFDs(nil, f); err != nil {
			t.Fatal(err)
		}
		if b := receive(streamPeer); len(b) != 1 || b[0] != 0 {
			t.Fatalf("the descriptor came with %q", b)
		}
	}
}
