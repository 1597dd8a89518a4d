//go:build linux

package sockets_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
)

func TestCopyErrors(t *testing.T) {
	type shape struct {
		Op, Source, Addr string
		Call             string
		Err              error
	}
	describe := func(err error) shape {
		op, ok := err.(*net.OpError)
		if !ok {
			return shape{Err: err}
		}
		s := shape{Op: op.Op, Source: op.Source.String(), Addr: op.Addr.String(), Err: op.Err}
		if se, ok := op.Err.(*os.SyscallError); ok {
			s.Call, s.Err = se.Syscall, se.Err
		}
		return s
	}
	past := time.Unix(1, 0)
	tests := []struct {
		name string
		run  func(t *testing.T, ours, peer, other net.Conn) error
		want shape
	}{
		{"file, shut down", func(t *testing.T, c, _, _ net.Conn) error {
			c.(*sockets.TCPConn).CloseWrite()
			_, err := io.Copy(c, tempFile(t, []byte("data"), os.O_RDONLY))
			return err
		}, shape{Op: "readfrom", Call: "sendfile", Err: syscall.EPIPE}},
		{"socket, shut down", func(t *testing.T, c, _, other net.Conn) error {
			c.(*sockets.TCPConn).CloseWrite()
			_, err := c.(*sockets.TCPConn).ReadFrom(other)
			return err
		}, shape{Op: "readfrom", Call: "splice", Err: syscall.EPIPE}},
		{"socket, closed", func(t *testing.T, c, _, other net.Conn) error {
			c.Close()
			_, err := c.(*sockets.TCPConn).ReadFrom(other)
			return err
		}, shape{Op: "readfrom", Err: net.ErrClosed}},
		{"socket, source closed", func(t *testing.T, c, _, other net.Conn) error {
			other.Close()
			_, err := c.(*sockets.TCPConn).ReadFrom(other)
			return err
		}, shape{Op: "readfrom", Err: net.ErrClosed}},
		{"to file, deadline", func(t *testing.T, c, _, _ net.Conn) error {
			c.SetReadDeadline(past)
			_, err := io.Copy(tempFile(t, nil, os.O_WRONLY), c)
			return err
		}, shape{Op: "writeto", Err: os.ErrDeadlineExceeded}},
		{"to net's, deadline", func(t *testing.T, c, _, other net.Conn) error {
			c.SetReadDeadline(past)
			_, err := sockets.Copy(other, c)
			return err
		}, shape{Op: "writeto", Err: os.ErrDeadlineExceeded}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, peer := streamPair(t, "", "tcp")
			other, feeder := streamPair(t, "net", "tcp")
			feeder.Write([]byte("data"))
			want := tt.want
			want.Source, want.Addr = c.LocalAddr().String(), c.RemoteAddr().String()
			got := describe(tt.run(t, c, peer, other))
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b error) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("closed file", func(t *testing.T) {
		c, _ := streamPair(t, "", "tcp")
		f := tempFile(t, nil, os.O_RDONLY)
		f.Close()
		_, err := io.Copy(c, f)
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("Copy: %v, want os.ErrClosed", err)
		}
	})
	t.Run("reader's own", func(t *testing.T) {
		c, peer := streamPair(t, "", "tcp")
		own := errors.New("own")
		n, err := c.(*sockets.TCPConn).ReadFrom(io.MultiReader(strings.NewReader("data"), errReader{own}))
		if op, ok := err.(*net.OpError); !ok || n != 4 || op.Op != "readfrom" || op.Err != own {
			t.Errorf("ReadFrom = %d, %#v, want 4 and the reader's error inside", n, err)
		}
		got := make([]byte, 4)
		if _, err := io.ReadFull(peer, got); err != nil || string(got) != "data" {
			t.Errorf("the peer got %q, %v", got, err)
		}
	})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }
