package text

import (
	"net"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"golang.org/x/net/nettest"
	"golang.org/x/text/encoding"
)

// textPipes makes connections for nettest, over TCP and over net.Pipe.
func textPipes(wrap func(net.Conn) net.Conn) map[string]nettest.MakePipe {
	finish := func(a, b net.Conn) (net.Conn, net.Conn, func(), error) {
		ta, tb := wrap(a), wrap(b)
		return ta, tb, func() { ta.Close(); tb.Close() }, nil
	}
	return map[string]nettest.MakePipe{
		"pipe": func() (net.Conn, net.Conn, func(), error) { return finish(net.Pipe()) },
		"tcp": func() (net.Conn, net.Conn, func(), error) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, nil, nil, err
			}
			defer l.Close()
			a, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				return nil, nil, nil, err
			}
			b, err := l.Accept()
			if err != nil {
				a.Close()
				return nil, nil, nil, err
			}
			return finish(a, b)
		},
	}
}

func TestConnWithTheIdentityCodec(t *testing.T) {
	for name, pipe := range textPipes(func(c net.Conn) net.Conn {
		return sockets.NewTextConn(c, sockets.ExternalFormat{Encoding: encoding.Nop})
	}) {
		t.Run(name, func(t *testing.T) { nettest.TestConn(t, pipe) })
	}
}

func TestConnWithUTF16(t *testing.T) {
	for name, pipe := range textPipes(func(c net.Conn) net.Conn {
		return &latin1Conn{Conn: sockets.NewTextConn(c, conntest.Format(t, "utf-16"))}
	}) {
		t.Run(name, func(t *testing.T) { nettest.TestConn(t, pipe) })
	}
}

// latin1Conn makes text of bytes, each of them a character, since nettest
// writes bytes that are no UTF-8.
type latin1Conn struct {
	net.Conn
	rmu  sync.Mutex
	text []byte // read, but not returned: part of a character
}

func (c *latin1Conn) Write(p []byte) (int, error) {
	text := make([]byte, 0, 2*len(p))
	for _, b := range p {
		text = utf8.AppendRune(text, rune(b))
	}
	n, err := c.Conn.Write(text)
	return utf8.RuneCount(text[:n]), err
}

func (c *latin1Conn) Read(p []byte) (int, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	buf := make([]byte, len(p)+len(c.text))
	k := copy(buf, c.text)
	for {
		n, err := c.Conn.Read(buf[k:])
		k += n
		text := buf[:k]
		n = 0
		for utf8.FullRune(text) && n < len(p) {
			r, size := utf8.DecodeRune(text)
			p[n] = byte(r)
			n++
			text = text[size:]
		}
		c.text = append(c.text[:0], text...)
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		buf = append(buf[:k], 0, 0)
	}
}
