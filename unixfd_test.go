//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
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
