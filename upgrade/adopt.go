package upgrade

import (
	"net"

	"github.com/iolib-go/sockets"
)

// adoptListener makes a listener of s with the options of lc that concern accepted
// connections.
func adoptListener(_ *sockets.ListenConfig, s *sockets.Socket) (net.Listener, error) {
	l, err := s.Listener()
	if err != nil {
		s.Close()
	}
	return l, err
}
