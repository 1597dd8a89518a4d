// Inetd is a server that inetd, systemd or socat starts for each connection, with the
// connection as its standard input. It answers every line with the line in upper case.
//
//	socat TCP-LISTEN:7777,reuseaddr,fork EXEC:./inetd,nofork
//	systemd-socket-activate --inetd -a -l 7777 ./inetd
//
// Or as a line of inetd.conf(5):
//
//	7777 stream tcp nowait nobody /usr/local/bin/inetd inetd
package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/examples/internal/cli"
)

const about = `

Answers every line with the line in upper case. Inetd, systemd or socat starts
it for each connection, with the connection as its standard input:

	socat TCP-LISTEN:7777,reuseaddr,fork EXEC:./inetd,nofork
	systemd-socket-activate --inetd -a -l 7777 ./inetd`

func main() {
	cli.Parse(about)
	c, err := connection()
	if errors.Is(err, syscall.ENOTSOCK) {
		cli.Misused(errors.New("standard input is not a connection, so start this program from inetd, systemd or socat"))
	}
	cli.Check(sockets.With(c, err, serve))
}

// connection returns the connection on descriptor 0. Descriptor 1 is the same connection
// and becomes the null device, so that nothing printed by mistake reaches the peer.
// Descriptor 2 is unchanged: if inetd has made it the connection as well, the peer sees
// errors.
func connection() (net.Conn, error) {
	s, err := sockets.FromFD(0)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if out, err := sockets.FromFD(1); err == nil {
		out.Close()
	}
	return s.Conn()
}

func serve(c net.Conn) error {
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		if _, err := fmt.Fprintln(c, strings.ToUpper(lines.Text())); err != nil {
			return err
		}
	}
	return lines.Err()
}
