//go:build linux

package sockets_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
)

var unixNetworks = []string{"unix", "unixgram", "unixpacket"}

// pair returns two connected unix sockets. Their calls fail after a minute.
func pair(tb testing.TB, network string) (a, b *sockets.UnixConn) {
	tb.Helper()
	a, b, err := sockets.Pair(network)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { a.Close(); b.Close() })
	for _, c := range []*sockets.UnixConn{a, b} {
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			tb.Fatal(err)
		}
	}
	return a, b
}

// fileID tells open files apart.
type fileID struct{ Dev, Ino uint64 }

func idOf(tb testing.TB, c syscall.Conn) (id fileID) {
	tb.Helper()
	withFD(tb, c, func(fd int) error {
		var st unix.Stat_t
		err := unix.Fstat(fd, &st)
		id = fileID{uint64(st.Dev), st.Ino}
		return err
	})
	return id
}

func idsOf(tb testing.TB, files []*os.File) (ids []fileID) {
	tb.Helper()
	for _, f := range files {
		ids = append(ids, idOf(tb, f))
	}
	return ids
}

// withFD calls f with c's descriptor.
func withFD(tb testing.TB, c syscall.Conn, f func(fd int) error) {
	tb.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		tb.Fatal(err)
	}
	var ferr error
	if err := raw.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil {
		tb.Fatal(err)
	}
	if ferr != nil {
		tb.Fatal(ferr)
	}
}

// checkCloseOnExec fails the test unless exec closes c's descriptor.
func checkCloseOnExec(tb testing.TB, c syscall.Conn) {
	tb.Helper()
	withFD(tb, c, func(fd int) error {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			err = errors.New("descriptor is not close-on-exec")
		}
		return err
	})
}

// checkNoLeak fails the test if it leaves descriptors open that were not before.
func checkNoLeak(tb testing.TB) {
	tb.Helper()
	before := openFiles()
	tb.Cleanup(func() {
		for fd, what := range openFiles() {
			if before[fd] != what {
				tb.Errorf("descriptor %s is left open: %s", fd, what)
			}
		}
	})
}

// pipes returns the reading ends of n pipes.
func pipes(tb testing.TB, n int) (files []*os.File) {
	tb.Helper()
	for range n {
		r, w, err := os.Pipe()
		if err != nil {
			tb.Fatal(err)
		}
		w.Close()
		tb.Cleanup(func() { r.Close() })
		files = append(files, r)
	}
	return files
}

func conns(files []*os.File) (cs []syscall.Conn) {
	for _, f := range files {
		cs = append(cs, f)
	}
	return cs
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// sendRaw sends a message in a way that shares nothing with the package.
func sendRaw(tb testing.TB, c syscall.Conn, b []byte, files ...*os.File) {
	tb.Helper()
	var fds []int
	for _, f := range files {
		withFD(tb, f, func(fd int) error { fds = append(fds, fd); return nil })
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	withFD(tb, c, func(fd int) error { return unix.Sendmsg(fd, b, oob, nil, 0) })
}

func TestSendFD(t *testing.T) {
	regular := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(regular, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	type closer interface {
		syscall.Conn
		io.Closer
	}
	// listener is a net.Listener of any make.
	listen := func(l net.Listener, err error) (closer, error) {
		if err != nil {
			return nil, err
		}
		return l.(closer), nil
	}
	packet := func(c net.PacketConn, err error) (closer, error) {
		if err != nil {
			return nil, err
		}
		return c.(closer), nil
	}
	sources := []struct {
		name string
		open func() (closer, error)
	}{
		{"regular file", func() (closer, error) { return os.Open(regular) }},
		{"directory", func() (closer, error) { return os.Open("/") }},
		{"device", func() (closer, error) { return os.Open("/dev/zero") }},
		{"pipe", func() (closer, error) { r, w, err := os.Pipe(); w.Close(); return r, err }},
		{"net tcp listener", func() (closer, error) { return listen(net.Listen("tcp", "127.0.0.1:0")) }},
		{"net udp", func() (closer, error) { return packet(net.ListenPacket("udp", "127.0.0.1:0")) }},
		{"tcp listener", func() (closer, error) { return listen(sockets.Listen("tcp", "127.0.0.1:0")) }},
		{"unix listener", func() (closer, error) { return listen(sockets.Listen("unix", "")) }},
		{"udp", func() (closer, error) { return packet(sockets.ListenPacket("udp", "127.0.0.1:0")) }},
		{"tcp", func() (closer, error) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			defer l.Close()
			c, err := sockets.Dial("tcp", l.Addr().String())
			if err != nil {
				return nil, err
			}
			return c.(closer), nil
		}},
		{"socket", func() (closer, error) { return sockets.New("tcp") }},
	}
	for _, network := range unixNetworks {
		for _, tt := range sources {
			t.Run(network+"/"+tt.name, func(t *testing.T) {
				checkNoLeak(t)
				a, b := pair(t, network)
				f, err := tt.open()
				if err != nil {
					t.Fatal(err)
				}
				want := idOf(t, f)
				if err := a.SendFD(f); err != nil {
					t.Fatal(err)
				}
				if err := f.Close(); err != nil {
					t.Errorf("closing what was sent: %v", err)
				}
				got, err := b.ReceiveFD()
				if err != nil {
					t.Fatal(err)
				}
				defer got.Close()
				checkCloseOnExec(t, got)
				if diff := cmp.Diff(want, idOf(t, got)); diff != "" {
					t.Errorf("another file came (-want +got):\n%s", diff)
				}
			})
		}
	}
	t.Run("itself", func(t *testing.T) {
		a, b := pair(t, "unix")
		if err := a.SendFD(a); err != nil {
			t.Fatal(err)
		}
		s, err := b.ReceiveSocket()
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Conn()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "over the copy")
		buf := make([]byte, 100)
		n, err := b.Read(buf)
		if err != nil || string(buf[:n]) != "over the copy" {
			t.Errorf("read %q, %v", buf[:n], err)
		}
	})
}

func TestSendFDErrors(t *testing.T) {
	a, b := pair(t, "unix")
	closedFile := pipes(t, 1)[0]
	closedFile.Close()
	closedConn, other := pair(t, "unix")
	closedConn.Close()
	closedSocket, err := sockets.New("tcp")
	if err != nil {
		t.Fatal(err)
	}
	closedSocket.Close()
	netListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	netListener.Close()
	ok := pipes(t, 1)[0]
	tests := []struct {
		name string
		f    syscall.Conn
		want error
	}{
		{"nil", nil, syscall.EINVAL},
		{"nil file", (*os.File)(nil), os.ErrInvalid},
		{"closed file", closedFile, os.ErrClosed},
		{"closed conn", closedConn, net.ErrClosed},
		{"closed socket", closedSocket, net.ErrClosed},
		{"closed listener of net", netListener.(*net.TCPListener), net.ErrClosed},
		{"zero conn", new(sockets.TCPConn), syscall.EINVAL},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := a.SendFDs([]byte("x"), ok, tt.f)
			var de *sockets.DescriptorError
			if !errors.Is(err, tt.want) || !errors.As(err, &de) || de.Index != 1 {
				t.Errorf("SendFDs: %v, want a DescriptorError for 1 with %v", err, tt.want)
			}
			if err := a.SendFD(tt.f); !errors.Is(err, tt.want) {
				t.Errorf("SendFD: %v, want %v", err, tt.want)
			}
		})
	}
	t.Run("too many", func(t *testing.T) {
		fds := make([]syscall.Conn, sockets.MaxDescriptors+1)
		for i := range fds {
			fds[i] = ok
		}
		n, err := a.SendFDs([]byte("x"), fds...)
		var ae *sockets.ArgumentError
		if n != 0 || !errors.As(err, &ae) || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%d, %v, want an ArgumentError", n, err)
		}
	})
	// Nothing of all that was sent.
	a.CloseWrite()
	if _, err := b.ReceiveFD(); err != io.EOF {
		t.Errorf("after refused calls: %v, want EOF", err)
	}
	t.Run("closed", func(t *testing.T) {
		err := closedConn.SendFD(ok)
		var oe *net.OpError
		if !errors.Is(err, net.ErrClosed) || !errors.As(err, &oe) || oe.Op != "write" {
			t.Errorf("SendFD: %v", err)
		}
		if _, err := closedConn.ReceiveFD(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ReceiveFD: %v", err)
		}
		if _, _, err := closedConn.ReceiveFDs(make([]byte, 1), 1); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ReceiveFDs: %v", err)
		}
		if err := other.SendFD(ok); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("SendFD to nobody: %v", err)
		}
	})
	t.Run("zero", func(t *testing.T) {
		var c sockets.UnixConn
		if err := c.SendFD(ok); err != syscall.EINVAL {
			t.Errorf("SendFD: %v", err)
		}
		if _, err := c.ReceiveFD(); err != syscall.EINVAL {
			t.Errorf("ReceiveFD: %v", err)
		}
		if _, err := c.ReceiveSocket(); err != syscall.EINVAL {
			t.Errorf("ReceiveSocket: %v", err)
		}
	})
	t.Run("unconnected", func(t *testing.T) {
		c, err := sockets.ListenPacket("unixgram", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.(*sockets.UnixConn).SendFD(ok); !errors.Is(err, syscall.ENOTCONN) {
			t.Errorf("SendFD: %v, want ENOTCONN", err)
		}
	})
}

// TestReceiveFDErrors checks what ReceiveFD refuses, and what of it is still there.
func TestReceiveFDErrors(t *testing.T) {
	files := pipes(t, 3)
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
		{name: "plain with credentials", prepare: passCred, data: "plain", want: sockets.ErrNoDescriptor, left: "plain"},
		{name: "plain with pidfd", prepare: passPIDFD, data: "plain", want: sockets.ErrNoDescriptor, left: "plain"},
		{name: "several", data: "x", files: files, want: sockets.ErrTooManyDescriptors},
		{name: "several with everything", prepare: passBoth, data: "x", files: files, want: sockets.ErrTooManyDescriptors},
		{name: "long message", networks: unixNetworks[1:], data: string(long), files: files[:1], want: sockets.ErrMessageTooLong, left: string(long), leftIDs: files[:1]},
	}
	for _, tt := range tests {
		if tt.networks == nil {
			tt.networks = unixNetworks
		}
		for _, network := range tt.networks {
			t.Run(network+"/"+tt.name, func(t *testing.T) {
				checkNoLeak(t)
				a, b := pair(t, network)
				if tt.prepare != nil {
					tt.prepare(t, b)
				}
				sendRaw(t, a, []byte(tt.data), tt.files...)
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
					if diff := cmp.Diff(idsOf(t, tt.leftIDs), idsOf(t, fds)); diff != "" {
						t.Errorf("files mismatch (-want +got):\n%s", diff)
					}
					closeFiles(fds)
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

func passCred(tb testing.TB, c *sockets.UnixConn) {
	tb.Helper()
	if err := sockets.PassCred.Set(c, true); err != nil {
		tb.Fatal(err)
	}
}

func passPIDFD(tb testing.TB, c *sockets.UnixConn) {
	tb.Helper()
	if err := sockets.PassPIDFD.Set(c, true); errors.Is(err, errors.ErrUnsupported) && os.Getenv("CI") != "true" {
		tb.Skip("the kernel has no SO_PASSPIDFD")
	} else if err != nil {
		tb.Fatal(err)
	}
}

func passBoth(tb testing.TB, c *sockets.UnixConn) {
	passCred(tb, c)
	passPIDFD(tb, c)
}

// TestReceiveFDInStep checks that ReceiveFD takes one octet of a stream and Read
// goes on there, however the sender put its data together.
func TestReceiveFDInStep(t *testing.T) {
	checkNoLeak(t)
	a, b := pair(t, "unix")
	f := pipes(t, 1)[0]
	passBoth(t, b)
	sendRaw(t, a, []byte("before"))
	sendRaw(t, a, []byte("!after"), f)
	sendRaw(t, a, []byte("."))
	sendRaw(t, a, []byte("!"), f)
	sendRaw(t, a, []byte("end"))
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
		if diff := cmp.Diff(idOf(t, f), idOf(t, got)); diff != "" {
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
		{"Read of one octet", func(tb testing.TB, b *sockets.UnixConn) (string, error) {
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
			if n, _, err := b.ReceiveFrom(buf, sockets.Peek); err != nil || !strings.HasPrefix(data, string(buf[:n])) {
				return "", fmt.Errorf("peek of %q, %v", buf[:n], err)
			}
			n, _, err := b.ReceiveFrom(buf[:len(data)], sockets.WaitAll)
			return readRest(b, n, err)
		}},
		{"ReadBuffers", func(tb testing.TB, b *sockets.UnixConn) (string, error) {
			n, err := b.ReadBuffers(net.Buffers{buf[:3], buf[3:100]})
			return readRest(b, int(n), err)
		}},
		{"Copy", func(tb testing.TB, b *sockets.UnixConn) (string, error) {
			a2, b2 := pair(tb, "unix")
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
			checkNoLeak(t)
			a, b := pair(t, "unix")
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
		checkNoLeak(t)
		a, b := pair(t, "unix")
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

func TestReceiveFDs(t *testing.T) {
	files := pipes(t, 5)
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
	for _, network := range unixNetworks {
		for _, tt := range tests {
			t.Run(network+"/"+tt.name, func(t *testing.T) {
				checkNoLeak(t)
				a, b := pair(t, network)
				if tt.prepare != nil {
					tt.prepare(t, b)
				}
				if n, err := a.SendFDs([]byte(tt.data), conns(tt.files)...); n != len(tt.data) || err != nil {
					t.Fatalf("SendFDs: %d, %v", n, err)
				}
				sendRaw(t, a, []byte("next"))
				buf := make([]byte, tt.buf)
				if network == "unix" && tt.files == nil {
					buf = buf[:tt.n] // or it would go on with what is next
				}
				n, fds, err := b.ReceiveFDs(buf, tt.max)
				defer closeFiles(fds)
				if !errors.Is(err, tt.want) {
					t.Errorf("error %v, want %v", err, tt.want)
				}
				if got := string(buf[:n]); got != tt.data[:tt.n] {
					t.Errorf("data %q, want %q", got, tt.data[:tt.n])
				}
				var want []fileID
				if tt.want == nil {
					want = idsOf(t, tt.files)
				}
				if diff := cmp.Diff(want, idsOf(t, fds)); diff != "" {
					t.Errorf("files mismatch (-want +got):\n%s", diff)
				}
				n, err = b.Read(buf[:4])
				if err != nil || string(buf[:n]) != "next" {
					t.Errorf("then read %q, %v, want next", buf[:n], err)
				}
			})
		}
	}
	for _, network := range unixNetworks[1:] {
		t.Run(network+"/truncated", func(t *testing.T) {
			checkNoLeak(t)
			a, b := pair(t, network)
			sendRaw(t, a, []byte("message"), files...)
			buf := make([]byte, 4)
			n, fds, err := b.ReceiveFDs(buf, 5)
			if n != 4 || fds != nil || !errors.Is(err, sockets.ErrMessageTooLong) {
				t.Errorf("ReceiveFDs: %d, %d files, %v", n, len(fds), err)
			}
		})
	}
	t.Run("empty datagram", func(t *testing.T) {
		checkNoLeak(t)
		a, b := pair(t, "unixgram")
		if n, err := a.SendFDs(nil, files[0]); n != 0 || err != nil {
			t.Fatalf("SendFDs: %d, %v", n, err)
		}
		n, fds, err := b.ReceiveFDs(nil, 1)
		if n != 0 || len(fds) != 1 || err != nil {
			t.Errorf("ReceiveFDs: %d, %d files, %v", n, len(fds), err)
		}
		closeFiles(fds)
	})
	for _, network := range []string{"unix", "unixpacket"} {
		t.Run(network+"/no data", func(t *testing.T) {
			checkNoLeak(t)
			a, b := pair(t, network)
			if n, err := a.SendFDs(nil, files[0]); n != 0 || err != nil {
				t.Fatalf("SendFDs: %d, %v", n, err)
			}
			buf := []byte("xx")
			n, fds, err := b.ReceiveFDs(buf, 1)
			if n != 1 || buf[0] != 0 || len(fds) != 1 || err != nil {
				t.Errorf("ReceiveFDs: %d, %d files, %v", n, len(fds), err)
			}
			closeFiles(fds)
		})
	}
	t.Run("empty packet with descriptors", func(t *testing.T) {
		checkNoLeak(t)
		a, b := pair(t, "unixpacket")
		sendRaw(t, a, []byte{}, files[0])
		f, err := b.ReceiveFD()
		if err != nil {
			t.Fatalf("ReceiveFD: %v", err)
		}
		f.Close()
	})
	t.Run("arguments", func(t *testing.T) {
		a, b := pair(t, "unix")
		sendRaw(t, a, []byte("x"))
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
// number of octets that wait, SO_INQ.
func TestReceiveUnknownControl(t *testing.T) {
	checkNoLeak(t)
	a, b := pair(t, "unix")
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
	for range 2 {
		if err := a.SendFD(pipes(t, 1)[0]); err != nil {
			t.Fatal(err)
		}
	}
	n, fds, err := b.ReceiveFDs(make([]byte, 10), 1)
	defer closeFiles(fds)
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
	checkNoLeak(t)
	a, b := pair(t, "unix")
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

	if err := a.SendFD(pipes(t, 1)[0]); err != nil {
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

// TestSendFDsLong sends more data than the socket holds, so that the rest goes
// without descriptors.
func TestSendFDsLong(t *testing.T) {
	checkNoLeak(t)
	a, b := pair(t, "unix")
	data := make([]byte, 4<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	files := pipes(t, 3)
	sent := make(chan error, 1)
	go func() {
		n, err := a.SendFDs(data, conns(files)...)
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
	defer closeFiles(fds)
	if diff := cmp.Diff(idsOf(t, files), idsOf(t, fds)); diff != "" {
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

func TestFDDeadlines(t *testing.T) {
	f := pipes(t, 1)[0]
	for _, network := range unixNetworks {
		t.Run(network, func(t *testing.T) {
			checkNoLeak(t)
			a, b := pair(t, network)
			b.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			if _, err := b.ReceiveFD(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("ReceiveFD: %v", err)
			}
			if _, _, err := b.ReceiveFDs(make([]byte, 1), 1); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("ReceiveFDs: %v", err)
			}
			a.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
			var err error
			sent := 0
			for ; err == nil; sent++ {
				err = a.SendFD(f)
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("SendFD into a full queue: %v", err)
			}
			// A file can be closed while SendFD waits for room.
			a.SetWriteDeadline(time.Now().Add(time.Minute))
			g := pipes(t, 1)[0]
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
	for _, network := range unixNetworks {
		_, b := pair(t, network)
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
	for _, network := range unixNetworks {
		t.Run(network, func(t *testing.T) {
			checkNoLeak(t)
			a, b := pair(t, network)
			files := pipes(t, senders)
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
			got := make(map[fileID]int)
			for range senders {
				wg.Go(func() {
					for range each {
						f, err := b.ReceiveFD()
						if err != nil {
							t.Error(err)
							return
						}
						id := idOf(t, f)
						f.Close()
						mu.Lock()
						got[id]++
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			want := make(map[fileID]int)
			for _, f := range files {
				want[idOf(t, f)] = each
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
	for _, network := range unixNetworks {
		for seed := range uint64(4) {
			t.Run(network+"/"+strconv.FormatUint(seed, 10), func(t *testing.T) {
				checkNoLeak(t)
				testFDMix(t, network, rand.New(rand.NewPCG(seed, 42)))
			})
		}
	}
}

func testFDMix(t *testing.T, network string, rng *rand.Rand) {
	type message struct {
		Data []byte
		IDs  []fileID
	}
	pool := pipes(t, 16)
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
			m.IDs = append(m.IDs, idOf(t, f))
		}
		messages, args = append(messages, m), append(args, fds)
	}
	a, b := pair(t, network)
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
			if diff := cmp.Diff(want, message{buf[:n], idsOf(t, fds)}); diff != "" {
				t.Errorf("message %d mismatch (-want +got):\n%s", i, diff)
			}
			closeFiles(fds)
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
					t.Fatalf("octets %d to %d came without the descriptors at %d", from, to, starts[0])
				}
				continue
			}
			if len(starts) == 0 || starts[0] < from || starts[0] >= to {
				t.Fatalf("octets %d to %d came with descriptors of others", from, to)
			}
			if diff := cmp.Diff(groups[0].IDs, idsOf(t, fds)); diff != "" {
				t.Fatalf("descriptors at %d mismatch (-want +got):\n%s", starts[0], diff)
			}
			groups, starts = groups[1:], starts[1:]
			closeFiles(fds)
		}
		if !bytes.Equal(want, got) || len(starts) > 0 {
			t.Errorf("got %d octets of %d, %d messages with descriptors are missing", len(got), len(want), len(starts))
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCredentials(t *testing.T) {
	own := sockets.Ucred{PID: os.Getpid(), UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	for _, network := range unixNetworks {
		t.Run(network, func(t *testing.T) {
			checkNoLeak(t)
			a, b := pair(t, network)
			buf := make([]byte, 10)
			check := func(data string, want sockets.Ucred, wantErr error) {
				t.Helper()
				n, got, err := b.ReceiveCred(buf)
				if string(buf[:n]) != data || !errors.Is(err, wantErr) {
					t.Errorf("ReceiveCred: %q, %v, want %q, %v", buf[:n], err, data, wantErr)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("credentials mismatch (-want +got):\n%s", diff)
				}
			}
			sendRaw(t, a, []byte("none"))
			check("none", sockets.Ucred{}, sockets.ErrNoCredentials)
			passBoth(t, b)
			sendRaw(t, a, []byte("kernel's"))
			check("kernel's", own, nil)
			if n, err := a.SendCred([]byte("own"), sockets.Ucred{}); n != 3 || err != nil {
				t.Errorf("SendCred: %d, %v", n, err)
			}
			check("own", own, nil)
			sendRaw(t, a, []byte("fd"), pipes(t, 1)...)
			check("fd", sockets.Ucred{}, sockets.ErrTooManyDescriptors)
			if os.Geteuid() == 0 {
				other := sockets.Ucred{PID: 1, UID: 65534, GID: 65533}
				if n, err := a.SendCred([]byte("other"), other); n != 5 || err != nil {
					t.Errorf("SendCred of others: %d, %v", n, err)
				}
				check("other", other, nil)
			}
			if _, err := a.SendCred([]byte("x"), sockets.Ucred{PID: 1 << 30}); err == nil {
				t.Error("SendCred of a process that does not exist succeeded")
			}
			a.Close()
			if network != "unixgram" {
				check("", sockets.Ucred{}, io.EOF)
			}
		})
	}
}

// TestDescriptorLimit receives with each number of free descriptors that is too
// small, in a process of its own.
func TestDescriptorLimit(t *testing.T) {
	if out, err := childCommand(t, "descriptor-limit").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func init() { children["descriptor-limit"] = descriptorLimit }

func descriptorLimit() error {
	const sent = 5
	for _, network := range unixNetworks {
		for free := range sent + 2 {
			for _, pass := range []bool{false, true} {
				if err := receiveWithin(network, sent, free, pass); err != nil {
					return fmt.Errorf("%s, %d descriptors, %d free, pidfd %t: %w", network, sent, free, pass, err)
				}
			}
		}
		if err := receiveOneWithin(network); err != nil {
			return fmt.Errorf("%s, ReceiveFD: %w", network, err)
		}
	}
	return nil
}

// limitFree lets this process open so many descriptors more, and returns how to
// lift the limit.
func limitFree(free int) (lift func(), err error) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		return nil, err
	}
	// The lowest numbers are given out first, so that the limit is at the number
	// behind the last free one.
	var taken []int
	for range free + 1 {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		taken = append(taken, fd)
	}
	limit := old
	limit.Cur = uint64(taken[free])
	for _, fd := range taken {
		unix.Close(fd)
	}
	lift = func() { syscall.Setrlimit(unix.RLIMIT_NOFILE, (*syscall.Rlimit)(&old)) }
	return lift, syscall.Setrlimit(unix.RLIMIT_NOFILE, (*syscall.Rlimit)(&limit))
}

func receiveWithin(network string, sent, free int, pass bool) error {
	a, b, err := sockets.Pair(network)
	if err != nil {
		return err
	}
	defer a.Close()
	defer b.Close()
	if pass {
		if err := sockets.PassPIDFD.Set(b, true); err != nil {
			pass = false
		}
	}
	fds := make([]syscall.Conn, sent)
	for i := range fds {
		fds[i] = a
	}
	if _, err := a.SendFDs([]byte("data"), fds...); err != nil {
		return err
	}
	before := openFiles()
	lift, err := limitFree(free)
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
		closeFiles(files)
	} else if files != nil || !errors.Is(err, sockets.ErrDescriptorsLost) || !errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("got %d files, %v", len(files), err)
	}
	if after := openFiles(); !cmp.Equal(before, after) {
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
	lift, err := limitFree(0)
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
