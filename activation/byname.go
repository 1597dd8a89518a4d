package activation

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/iolib-go/sockets"
)

// Descriptors are the descriptors with which a process was started, in order.
// Listeners, PacketConns and Files each move descriptors of one kind out of it, which
// the caller must then close. Close closes the rest, such as sockets that the program
// no longer uses.
type Descriptors []Descriptor

// Listeners returns the listeners by name. There may be several with the same name: a
// socket unit of systemd has one for each of its addresses.
//
//	ls, err := ds.Listeners()
//	...
//	for _, l := range ls["https"] {
//		go server.ServeTLS(l, certFile, keyFile)
//	}
func (ds Descriptors) Listeners() (map[string][]net.Listener, error) {
	m := make(map[string][]net.Listener)
	for i, d := range ds {
		if d.Socket == nil || !d.Socket.Listening() {
			continue
		}
		l, err := d.Socket.Listener()
		if err != nil {
			for _, ls := range m {
				closeAll(ls)
			}
			return nil, fmt.Errorf("sockets: descriptor %d, %q: %w", i, d.Name, err)
		}
		m[d.Name] = append(m[d.Name], l)
		ds[i].Socket = nil
	}
	return m, nil
}

// PacketConns returns the datagram and raw sockets by name.
func (ds Descriptors) PacketConns() (map[string][]net.PacketConn, error) {
	m := make(map[string][]net.PacketConn)
	for i, d := range ds {
		if d.Socket == nil || !isPacket(d.Socket) {
			continue
		}
		c, err := d.Socket.PacketConn()
		if err != nil {
			for _, cs := range m {
				closeAll(cs)
			}
			return nil, fmt.Errorf("sockets: descriptor %d, %q: %w", i, d.Name, err)
		}
		m[d.Name] = append(m[d.Name], c)
		ds[i].Socket = nil
	}
	return m, nil
}

// Files returns the descriptors that are not sockets, by name, such as FIFOs, devices
// and files of the descriptor store.
func (ds Descriptors) Files() map[string][]*os.File {
	m := make(map[string][]*os.File)
	for i, d := range ds {
		if d.File != nil {
			m[d.Name] = append(m[d.Name], d.File)
			ds[i].File = nil
		}
	}
	return m
}

// Close closes the descriptors that no method has moved out.
func (ds Descriptors) Close() error {
	var first error
	for _, d := range ds {
		if err := d.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func closeAll[C interface{ Close() error }](cs []C) {
	for _, c := range cs {
		c.Close()
	}
}

// isPacket reports whether s receives messages rather than a stream.
func isPacket(s *sockets.Socket) bool {
	return s.Type() == syscall.SOCK_DGRAM || s.Type() == syscall.SOCK_RAW
}
