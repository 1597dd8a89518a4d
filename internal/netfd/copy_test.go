//go:build linux

package netfd

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// TestEndErrors has an end that is open not be called closed, whatever it is.
func TestEndErrors(t *testing.T) {
	own := errors.New("own")
	past := time.Unix(1, 0)
	file := func() *os.File {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		return r
	}
	foreign := func() *net.UDPConn {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c.(*net.UDPConn)
	}
	for _, tt := range []struct {
		name string
		end  func() (End, error)
		want error // nil: none of those that say why
	}{
		{"ours, that the poller refuses", func() (End, error) {
			e := unpollable(t).End()
			return e, e.Raw.Read(never)
		}, nil},
		{"ours, closed", func() (End, error) {
			a, _ := socketPair(t, sys.SOCK_DGRAM)
			a.Close()
			return a.End(), a.End().Raw.Read(never)
		}, net.ErrClosed},
		{"ours, too late", func() (End, error) {
			a, _ := socketPair(t, sys.SOCK_DGRAM)
			a.SetReadDeadline(past)
			return a.End(), a.End().Raw.Read(never)
		}, os.ErrDeadlineExceeded},
		{"a file, closed", func() (End, error) {
			f := file()
			raw, _ := f.SyscallConn()
			f.Close()
			return End{Raw: raw, File: true}, raw.Read(never)
		}, os.ErrClosed},
		{"a file, too late", func() (End, error) {
			f := file()
			f.SetReadDeadline(past)
			raw, _ := f.SyscallConn()
			return End{Raw: raw, File: true}, raw.Read(never)
		}, os.ErrDeadlineExceeded},
		{"a connection, closed", func() (End, error) {
			c := foreign()
			raw, _ := c.SyscallConn()
			c.Close()
			return End{Raw: raw}, raw.Read(never)
		}, net.ErrClosed},
		{"a connection, too late", func() (End, error) {
			c := foreign()
			c.SetReadDeadline(past)
			raw, _ := c.SyscallConn()
			return End{Raw: raw}, raw.Read(never)
		}, os.ErrDeadlineExceeded},
		{"an error of its own", func() (End, error) { return End{}, &net.OpError{Op: "raw-read", Err: own} }, own},
	} {
		e, err := tt.end()
		if err == nil {
			t.Fatalf("%s: there is no error", tt.name)
		}
		switch got := endError(e, "splice", err); {
		case tt.want != nil && got != tt.want:
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		case tt.want == nil && (got == nil || errors.Is(got, net.ErrClosed) || errors.Is(got, os.ErrClosed)):
			t.Errorf("%s: %v, want that it cannot be polled", tt.name, got)
		}
	}
}
