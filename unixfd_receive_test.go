//go:build linux

package sockets_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// TestReceiveFDErrors checks what ReceiveFD refuses, and what of it is still there.
func TestReceiveFDErrors(t *testing.T) {
	files := socktest.Pipes(t, 3)
	long := bytes.Repeat([]byte("long"), 1000)
	tests := []struct {
		name     string
		networks []string
		prepare  func(tb testing.TB, c *sockets.UnixConn) // the receiver
		data     string
		files    []*os.File
		want     error
		left     string // what ReceiveFDs gets then
		leftIDs  []*os.File
	}{
		{name: "plain", data: "plain", want: sockets.ErrNoDescriptor, left: "plain"},
		{name: "plain with credentials", prepare: conntest.PassCred, data: "plain", want: sockets.ErrNoDescriptor, left: "plain"},
		{name: "plain with pidfd", prepare: passPIDFD, data: "plain", want: sockets.ErrNoDescriptor, left: "plain"},
		{name: "several", data: "x", files: files, want: sockets.ErrTooManyDescriptors},
		{name: "several with everything", prepare: passBoth, data: "x", files: files, want: sockets.ErrTooManyDescriptors},
		{name: "long message", networks: socktest.UnixNetworks[1:], data: string(long), files: files[:1], want: sockets.ErrMessageTooLong, left: string(long), leftIDs: files[:1]},
	}
	for _, tt := range tests {
		if tt.networks == nil {
			tt.networks = socktest.UnixNetworks
		}
		for _, network := range tt.networks {
			t.Run(network+"/"+tt.name, func(t *testing.T) {
				socktest.CheckNoLeak(t)
				a, b := conntest.Pair(t, network)
				if tt.prepare != nil {
					tt.prepare(t, b)
				}
				socktest.SendRaw(t, a, []byte(tt.data), tt.files...)
				if err := a.SendFD(files[0]); err != nil {
					t.Fatal(err)
				}
				f, err := b.ReceiveFD()
				var oe *net.OpError
				var ce *sockets.ControlError
				if f != nil || !errors.Is(err, tt.want) || !errors.As(err, &oe) || oe.Op != "read" || !errors.As(err, &ce) {
					t.Fatalf("ReceiveFD: %v, want a ControlError with %v", err, tt.want)
				}
				want := sockets.ControlError{Descriptors: len(tt.files), Max: 1, Err: tt.want}
				if diff := cmp.Diff(want, *ce, cmp.Comparer(func(x, y error) bool { return x == y })); diff != "" {
					t.Errorf("ControlError mismatch (-want +got):\n%s", diff)
				}
				if tt.left != "" {
					buf := make([]byte, len(tt.left))
					n, fds, err := b.ReceiveFDs(buf, 3)
					if err != nil || string(buf[:n]) != tt.left {
						t.Errorf("ReceiveFDs: %q, %v, want %q", buf[:n], err, tt.left)
					}
					if diff := cmp.Diff(socktest.IDsOf(t, tt.leftIDs), socktest.IDsOf(t, fds)); diff != "" {
						t.Errorf("files mismatch (-want +got):\n%s", diff)
					}
					socktest.CloseFiles(fds)
				}
				f, err = b.ReceiveFD()
				if err != nil {
					t.Fatalf("the next one: %v", err)
				}
				f.Close()
			})
		}
	}
}

// TestReceiveFDInStep checks that ReceiveFD takes one byte of a stream and Read
// goes on there, however the sender put its data together.
func TestReceiveFDInStep(t *testing.T) {
	socktest.CheckNoLeak(t)
	a, b := conntest.Pair(t, "unix")
	f := socktest.Pipes(t, 1)[0]
	passBoth(t, b)
	socktest.SendRaw(t, a, []byte("before"))
	socktest.SendRaw(t, a, []byte("!after"), f)
	socktest.SendRaw(t, a, []byte("."))
	socktest.SendRaw(t, a, []byte("!"), f)
	socktest.SendRaw(t, a, []byte("end"))
	a.CloseWrite()

	read := func(want string) {
		t.Helper()
		buf := make([]byte, len(want))
		if _, err := io.ReadFull(b, buf); err != nil || string(buf) != want {
			t.Fatalf("read %q, %v, want %q", buf, err, want)
		}
	}
	receive := func() {
		t.Helper()
		got, err := b.ReceiveFD()
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		if diff := cmp.Diff(socktest.IDOf(t, f), socktest.IDOf(t, got)); diff != "" {
			t.Errorf("another file came (-want +got):\n%s", diff)
		}
	}
	if _, err := b.ReceiveFD(); !errors.Is(err, sockets.ErrNoDescriptor) {
		t.Fatalf("ReceiveFD before: %v", err)
	}
	read("before")
	receive()
	read("after.")
	receive()
	read("end")
	if _, err := b.ReceiveFD(); err != io.EOF {
		t.Errorf("ReceiveFD at the end: %v, want EOF", err)
	}
	if _, _, err := b.ReceiveFDs(make([]byte, 10), 1); err != io.EOF {
		t.Errorf("ReceiveFDs at the end: %v, want EOF", err)
	}
}

// TestReceiveFDThenRead checks that data which ReceiveFD did not want are the next
// that any other method receives.
func TestReceiveFDThenRead(t *testing.T) {
	const data = "plain data"
	buf := make([]byte, 100)
	readRest := func(b *sockets.UnixConn, n int, err error) (string, error) {
		if err != nil {
			return "", err
		}
		rest, err := io.ReadAll(b)
		return string(buf[:n]) + string(rest), err
	}
	tests := []struct {
		name string
		read func(tb testing.TB, b *sockets.UnixConn) (string, error)
	}{
		{"Read", func(tb testing.TB, b *sockets.UnixConn) (string, error) {
			n, err := b.Read(buf)
			return readRest(b, n, err)
		}},
		{"Read of one byte", func(tb testing.TB, b *sockets.UnixConn) (string, error) {
			n, err := b.Read(buf[:1])
			return readRest(b, n, err)
		}},
		{"ReadFrom", func(tb testing.TB, b *sockets.UnixConn) (string, error) {
			n, _, err := b.ReadFrom(buf)
			return readRest(b, n, err)
		}},
		{"ReadMsgUnix", func(tb testing.TB, b *sockets.UnixConn) (string, error) {
			n, _, _, _, err := b.ReadMsgUnix(buf, nil)
			return readRest(b, n, err)
		}},
		{"ReceiveFDs", func(tb testing.TB, b *sockets.UnixConn) (string, error) {
			n, _, err := b.ReceiveFDs(buf, 1)
			return readRest(b, n, err)
		}},
		{"ReceiveFrom", func(tb testing.TB, b *sockets.UnixConn) (string, error) {
			if n, _, err := b.ReceiveFrom(buf, sockets.MsgPeek); err != nil || !strings.HasPrefix(data, string(buf[:n])) {
				return "", fmt.Errorf("peek of %q, %v", buf[:n], err)
			}
			n, _, err := b.ReceiveFrom(buf[:len(data)], sockets.MsgWaitAll)
			return readRest(b, n, err)
		}},
		{"ReadBuffers", func(tb testing.TB, b *sockets.UnixConn) (string, error) {
			n, err := b.ReadBuffers(net.Buffers{buf[:3], buf[3:100]})
			return readRest(b, int(n), err)
		}},
		{"Copy", func(tb testing.TB, b *sockets.UnixConn) (string, error) {
			a2, b2 := conntest.Pair(tb, "unix")
			n, err := sockets.Copy(a2, b)
			if n != int64(len(data)) {
				err = errors.Join(err, fmt.Errorf("copied %d", n))
			}
			a2.Close()
			got, err2 := io.ReadAll(b2)
			return string(got), errors.Join(err, err2)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socktest.CheckNoLeak(t)
			a, b := conntest.Pair(t, "unix")
			if _, err := a.Write([]byte(data)); err != nil {
				t.Fatal(err)
			}
			a.CloseWrite()
			for range 2 {
				if _, err := b.ReceiveFD(); !errors.Is(err, sockets.ErrNoDescriptor) {
					t.Fatalf("ReceiveFD: %v", err)
				}
			}
			got, err := tt.read(t, b)
			if got != data || err != nil {
				t.Errorf("%q, %v, want %q", got, err, data)
			}
		})
	}
	t.Run("Close", func(t *testing.T) {
		socktest.CheckNoLeak(t)
		a, b := conntest.Pair(t, "unix")
		if _, err := a.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.ReceiveFD(); !errors.Is(err, sockets.ErrNoDescriptor) {
			t.Fatalf("ReceiveFD: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if n, err := b.Read(buf); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read after Close: %d, %v", n, err)
		}
	})
}

// A read without room for control data says that descriptors were cut off, also behind a
// byte that ReceiveFD has left.
func TestReceiveFDThenDescriptorsAreCutOff(t *testing.T) {
	for _, left := range []bool{false, true} {
		t.Run(fmt.Sprint("left ", left), func(t *testing.T) {
			socktest.CheckNoLeak(t)
			a, b := conntest.Pair(t, "unix")
			conntest.MustWrite(t, a, "a")
			if _, err := a.SendFDs([]byte("b"), os.Stdin, os.Stderr); err != nil {
				t.Fatal(err)
			}
			if left {
				if _, err := b.ReceiveFD(); !errors.Is(err, sockets.ErrNoDescriptor) {
					t.Fatalf("ReceiveFD: %v", err)
				}
			}
			buf := make([]byte, 10)
			n, oobn, flags, _, err := b.ReadMsgUnix(buf, nil)
			if got := string(buf[:n]); got != "ab" || oobn != 0 || flags&unix.MSG_CTRUNC == 0 || err != nil {
				t.Errorf("ReadMsgUnix: %q, %d, %#x, %v, want ab and MSG_CTRUNC", got, oobn, flags, err)
			}
		})
	}
}

func TestReceiveFDs(t *testing.T) {
	files := socktest.Pipes(t, 5)
	tests := []struct {
		name    string
		prepare func(tb testing.TB, c *sockets.UnixConn)
		data    string
		files   []*os.File
		buf     int
		max     int
		n       int
		want    error
	}{
		{name: "none", data: "plain", buf: 10, max: 5, n: 5},
		{name: "none wanted", data: "plain", buf: 10, max: 0, n: 5},
		{name: "all", data: "x", files: files, buf: 10, max: 5, n: 1},
		{name: "fewer", data: "x", files: files[:2], buf: 10, max: 1000, n: 1},
		{name: "everything", prepare: passBoth, data: "x", files: files, buf: 10, max: 5, n: 1},
		{name: "too many", data: "data", files: files, buf: 10, max: 4, n: 4, want: sockets.ErrTooManyDescriptors},
		{name: "not wanted", data: "data", files: files[:1], buf: 10, max: 0, n: 4, want: sockets.ErrTooManyDescriptors},
		{name: "too many, everything", prepare: passBoth, data: "data", files: files, buf: 10, max: 4, n: 4, want: sockets.ErrTooManyDescriptors},
	}
	for _, network := range socktest.UnixNetworks {
		for _, tt := range tests {
			t.Run(network+"/"+tt.name, func(t *testing.T) {
				socktest.CheckNoLeak(t)
				a, b := conntest.Pair(t, network)
				if tt.prepare != nil {
					tt.prepare(t, b)
				}
				if n, err := a.SendFDs([]byte(tt.data), socktest.Conns(tt.files)...); n != len(tt.data) || err != nil {
					t.Fatalf("SendFDs: %d, %v", n, err)
				}
				socktest.SendRaw(t, a, []byte("next"))
				buf := make([]byte, tt.buf)
				if network == "unix" && tt.files == nil {
					buf = buf[:tt.n] // or it would go on with what is next
				}
				n, fds, err := b.ReceiveFDs(buf, tt.max)
				defer socktest.CloseFiles(fds)
				if !errors.Is(err, tt.want) {
					t.Errorf("error %v, want %v", err, tt.want)
				}
				if got := string(buf[:n]); got != tt.data[:tt.n] {
					t.Errorf("data %q, want %q", got, tt.data[:tt.n])
				}
				var want []socktest.FileID
				if tt.want == nil {
					want = socktest.IDsOf(t, tt.files)
				}
				if diff := cmp.Diff(want, socktest.IDsOf(t, fds)); diff != "" {
					t.Errorf("files mismatch (-want +got):\n%s", diff)
				}
				n, err = b.Read(buf[:4])
				if err != nil || string(buf[:n]) != "next" {
					t.Errorf("then read %q, %v, want next", buf[:n], err)
				}
			})
		}
	}
	for _, network := range socktest.UnixNetworks[1:] {
		t.Run(network+"/truncated", func(t *testing.T) {
			socktest.CheckNoLeak(t)
			a, b := conntest.Pair(t, network)
			socktest.SendRaw(t, a, []byte("message"), files...)
			buf := make([]byte, 4)
			n, fds, err := b.ReceiveFDs(buf, 5)
			if n != 4 || fds != nil || !errors.Is(err, sockets.ErrMessageTooLong) {
				t.Errorf("ReceiveFDs: %d, %d files, %v", n, len(fds), err)
			}
		})
	}
	t.Run("empty datagram", func(t *testing.T) {
		socktest.CheckNoLeak(t)
		socktest.NeedEmptyDatagram(t)
		a, b := conntest.Pair(t, "unixgram")
		if n, err := a.SendFDs(nil, files[0]); n != 0 || err != nil {
			t.Fatalf("SendFDs: %d, %v", n, err)
		}
		n, fds, err := b.ReceiveFDs(nil, 1)
		if n != 0 || len(fds) != 1 || err != nil {
			t.Errorf("ReceiveFDs: %d, %d files, %v", n, len(fds), err)
		}
		socktest.CloseFiles(fds)
	})
	for _, network := range []string{"unix", "unixpacket"} {
		t.Run(network+"/no data", func(t *testing.T) {
			socktest.CheckNoLeak(t)
			a, b := conntest.Pair(t, network)
			if n, err := a.SendFDs(nil, files[0]); n != 0 || err != nil {
				t.Fatalf("SendFDs: %d, %v", n, err)
			}
			buf := []byte("xx")
			n, fds, err := b.ReceiveFDs(buf, 1)
			if n != 1 || buf[0] != 0 || len(fds) != 1 || err != nil {
				t.Errorf("ReceiveFDs: %d, %d files, %v", n, len(fds), err)
			}
			socktest.CloseFiles(fds)
		})
	}
	t.Run("empty packet with descriptors", func(t *testing.T) {
		socktest.CheckNoLeak(t)
		a, b := conntest.Pair(t, "unixpacket")
		socktest.SendRaw(t, a, []byte{}, files[0])
		f, err := b.ReceiveFD()
		if err != nil {
			t.Fatalf("ReceiveFD: %v", err)
		}
		f.Close()
	})
	t.Run("arguments", func(t *testing.T) {
		a, b := conntest.Pair(t, "unix")
		socktest.SendRaw(t, a, []byte("x"))
		for _, call := range []struct {
			b   []byte
			max int
		}{{nil, 1}, {make([]byte, 1), -1}} {
			var ae *sockets.ArgumentError
			if _, _, err := b.ReceiveFDs(call.b, call.max); !errors.As(err, &ae) {
				t.Errorf("ReceiveFDs(%v, %d): %v, want an ArgumentError", call.b, call.max, err)
			}
		}
		if n, err := b.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("then Read: %d, %v", n, err)
		}
	})
}

// TestReceiveUnknownControl has the kernel add what this package does not know: the
// number of bytes that wait, SO_INQ.
func TestReceiveUnknownControl(t *testing.T) {
	socktest.CheckNoLeak(t)
	a, b := conntest.Pair(t, "unix")
	raw, err := b.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	const soINQ = 84 // since Linux 6.17
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, soINQ, 1) })
	if err == unix.ENOPROTOOPT || err == unix.EOPNOTSUPP {
		t.Skip("the kernel has no SO_INQ for unix sockets")
	}
	if err != nil {
		t.Fatal(err)
	}
	conntest.MustWrite(t, a, "x")
	added := 0
	socktest.WithFD(t, b, func(fd int) (err error) {
		_, added, _, _, err = unix.Recvmsg(fd, make([]byte, 1), make([]byte, 100), 0)
		return err
	})
	if added == 0 {
		t.Skip("the kernel accepts SO_INQ and adds nothing")
	}
	for range 2 {
		if err := a.SendFD(socktest.Pipes(t, 1)[0]); err != nil {
			t.Fatal(err)
		}
	}
	n, fds, err := b.ReceiveFDs(make([]byte, 10), 1)
	defer socktest.CloseFiles(fds)
	if n != 1 || !errors.Is(err, sockets.ErrUnknownControl) {
		t.Errorf("ReceiveFDs: %d, %v, want ErrUnknownControl", n, err)
	}
	f, err := b.ReceiveFD()
	if !errors.Is(err, sockets.ErrUnknownControl) {
		f.Close()
		t.Errorf("ReceiveFD: %v, want ErrUnknownControl", err)
	}
}

func TestReceiveSocket(t *testing.T) {
	socktest.CheckNoLeak(t)
	a, b := conntest.Pair(t, "unix")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := a.SendFD(l.(*net.TCPListener)); err != nil {
		t.Fatal(err)
	}
	s, err := b.ReceiveSocket()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, want := s.String(), "ipv4 stream socket listening on "+l.Addr().String(); got != want {
		t.Errorf("received %s, want %s", got, want)
	}
	if _, err := s.Conn(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a listener as a connection: %v", err)
	}
	got, err := s.Listener()
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	c, err := got.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()

	if err := a.SendFD(socktest.Pipes(t, 1)[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReceiveSocket(); !errors.Is(err, syscall.ENOTSOCK) {
		t.Errorf("a pipe as a socket: %v, want ENOTSOCK", err)
	}
	if _, err := a.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReceiveSocket(); !errors.Is(err, sockets.ErrNoDescriptor) {
		t.Errorf("plain data: %v, want ErrNoDescriptor", err)
	}
}
