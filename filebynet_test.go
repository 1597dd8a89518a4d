//go:build linux

package sockets

import (
	"os"
	"testing"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/socktest"
)

// TestFileByNet has files with an Fd method that makes the descriptor blocking, by the
// way for a package os that is known and by the other one.
func TestFileByNet(t *testing.T) {
	for _, network := range []string{"tcp4", "udp4", "unix", "unixgram"} {
		for name, dup := range map[string]func(fd *netfd.FD) (*os.File, error){
			"known": dupFile,
			"unknown": func(fd *netfd.FD) (*os.File, error) {
				f, err := fd.Dup("")
				if err != nil {
					return nil, err
				}
				return fileByNet(fd, f)
			},
		} {
			t.Run(network+" "+name, func(t *testing.T) {
				s, err := New(network)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				f, err := dup(s.fd.Load())
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if !socktest.Nonblocking(t, fdOf(t, f)) {
					t.Fatal("it is blocking from the start")
				}
				if socktest.Nonblocking(t, int(f.Fd())) {
					t.Error("Fd leaves it non-blocking")
				}
			})
		}
	}
}

// fdOf is Fd without its effect.
func fdOf(t *testing.T, f *os.File) (fd int) {
	socktest.WithFD(t, f, func(s int) error { fd = s; return nil })
	return fd
}
