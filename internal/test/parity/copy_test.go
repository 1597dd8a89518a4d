//go:build linux

package parity

import (
	"bytes"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
)

func TestParityBuffers(t *testing.T) {
	runParity(t, []parityRow{
		{"net.Buffers", func(e *env) {
			c, s := e.tcpPair("tcp")
			bufs := net.Buffers{[]byte("one "), nil, []byte("two "), []byte("three")}
			e.see("WriteTo")(bufs.WriteTo(c))
			e.see("left")(len(bufs))
			e.ok(c.CloseWrite())
			all, err := io.ReadAll(s)
			e.see("ReadAll")(all, err)
		}},
		{"a partial Write at the deadline", func(e *env) {
			c, _ := e.tcpPair("tcp")
			data := make([]byte, 16<<20)
			socktest.StopWhenFull(e, c)
			n, err := c.Write(data)
			e.see("Write")(n > 0, n < len(data), err)
		}},
		{"ReadFrom past the write deadline", func(e *env) {
			c, _ := e.tcpPair("tcp")
			e.ok(c.SetWriteDeadline(time.Unix(1, 0)))
			e.see("ReadFrom")(c.ReadFrom(strings.NewReader("x")))
			e.see("ReadFrom file")(c.ReadFrom(textFile(e, "x")))
			other, s := e.tcpPair("tcp")
			e.send(s, "x")
			e.see("ReadFrom conn")(c.ReadFrom(other))
		}},
		{"WriteTo past the read deadline", func(e *env) {
			c, _ := e.tcpPair("tcp")
			e.ok(c.SetReadDeadline(time.Unix(1, 0)))
			e.see("WriteTo")(c.WriteTo(io.Discard))
			u, _ := e.unixPair("unix")
			e.see("WriteTo unix")(c.WriteTo(u))
		}},
		{"io.Copy between connections", func(e *env) {
			c, _ := e.tcpPair("tcp")
			d, peer := e.tcpPair("tcp4")
			e.ok(c.SetReadDeadline(time.Unix(1, 0)))
			e.see("deadline of the source")(io.Copy(d, c))
			e.ok(c.SetReadDeadline(time.Time{}))
			e.ok(d.SetWriteDeadline(time.Unix(1, 0)))
			from, s := e.tcpPair("tcp")
			e.send(s, "x")
			e.ok(s.CloseWrite())
			e.see("deadline of the destination")(io.Copy(d, from))
			e.ok(peer.SetLinger(0))
			e.ok(peer.Close())
			e.see("reset")(d.Read(make([]byte, 1)))
			e.ok(d.SetWriteDeadline(time.Time{}))
			from, s = e.tcpPair("tcp")
			e.send(s, "x")
			e.ok(s.CloseWrite())
			e.see("reset of the destination")(io.Copy(d, from))
			e.see("File after a reset")(d.File())
			u, _ := e.unixPair("unix")
			e.ok(u.SetReadDeadline(time.Unix(1, 0)))
			e.see("deadline of a unix source")(io.Copy(c, u))
			e.see("deadline of a unix destination")(u.SetDeadline(time.Unix(1, 0)), c.SetReadDeadline(time.Unix(1, 0)))
			e.see("unix destination")(io.Copy(u, c))
		}},
		{"ReadFrom after Close", func(e *env) {
			c, _ := e.tcpPair("tcp")
			e.ok(c.Close())
			e.see("ReadFrom file")(c.ReadFrom(textFile(e, "x")))
			other, s := e.tcpPair("tcp")
			e.send(s, "x")
			e.ok(s.CloseWrite())
			e.see("ReadFrom conn")(c.ReadFrom(other))
			// Another one: ours still has the byte that net's has lost.
			other, s = e.tcpPair("tcp")
			e.send(s, "x")
			e.ok(s.CloseWrite())
			e.seeCause("WriteTo conn")(other.WriteTo(c))
		}},
		{"ReadFrom tcp, unix", func(e *env) {
			c, s := e.tcpPair("tcp")
			from, to := e.tcpPair("tcp")
			e.send(to, strings.Repeat("spliced ", 10000))
			e.ok(to.CloseWrite())
			join := e.alongside(func(see seeFunc) {
				n, err := c.ReadFrom(from)
				see("ReadFrom tcp")(n, err)
				u, peer := e.unixPair("unix")
				e.send(peer, strings.Repeat("spliced ", 1000))
				e.ok(peer.CloseWrite())
				see("ReadFrom unix")(c.ReadFrom(u))
				p, peer := e.unixPair("unixpacket")
				e.send(peer, "a record")
				e.ok(peer.CloseWrite())
				see("ReadFrom unixpacket")(c.ReadFrom(p))
				see("CloseWrite")(c.CloseWrite())
			})
			all, err := io.ReadAll(s)
			join()
			e.see("ReadAll")(len(all), strings.Count(string(all), "spliced "), err)
		}},
		{"WriteTo unix", func(e *env) {
			c, s := e.tcpPair("tcp")
			e.send(s, strings.Repeat("spliced ", 1000))
			e.ok(s.CloseWrite())
			u, peer := e.unixPair("unix")
			join := e.alongside(func(see seeFunc) {
				all, err := io.ReadAll(peer)
				see("ReadAll")(len(all), err)
			})
			n, err := c.WriteTo(u)
			e.ok(u.CloseWrite())
			join()
			e.see("WriteTo")(n, err)
		}},
		{"ReadFrom pipe", func(e *env) {
			c, s := e.tcpPair("tcp")
			r, w, err := os.Pipe()
			e.ok(err)
			defer r.Close()
			e.send(w, "through a pipe")
			e.ok(w.Close())
			e.see("ReadFrom")(c.ReadFrom(r))
			e.ok(c.CloseWrite())
			all, err := io.ReadAll(s)
			e.see("ReadAll")(all, err)
		}},
		{"io.Copy to and from a large file", func(e *env) {
			c, s := e.tcpPair("tcp")
			data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
			f := textFile(e, string(data))
			join := e.alongside(func(see seeFunc) {
				n, err := io.Copy(c, f)
				see("Copy")(n, err)
				see("CloseWrite")(c.CloseWrite())
			})
			g, err := os.Create(e.path("copy"))
			e.ok(err)
			defer g.Close()
			n, err := io.Copy(g, s)
			join()
			copied, readErr := os.ReadFile(g.Name())
			e.ok(readErr)
			e.see("Copy back")(n, err, bytes.Equal(data, copied))
		}},
		{"descriptor passing", func(e *env) {
			c, s := e.unixPair("unix")
			f := textFile(e, "passed")
			e.see("WriteMsgUnix")(c.WriteMsgUnix(nil, unix.UnixRights(int(f.Fd())), nil))
			oob := make([]byte, 128)
			n, oobn, flags, addr, err := s.ReadMsgUnix(nil, oob)
			e.see("ReadMsgUnix")(n, oobn, flags, addr, err)
			for _, fd := range rights(e, oob[:oobn]) {
				cloexec, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
				e.see("close-on-exec")(cloexec, err)
				e.ok(unix.Close(fd))
			}
			e.see("bad descriptor")(c.WriteMsgUnix([]byte("x"), unix.UnixRights(1<<20), nil))
		}},
	})
}

func rights(e *env, oob []byte) []int {
	e.Helper()
	msgs, err := unix.ParseSocketControlMessage(oob)
	e.ok(err)
	var all []int
	for _, m := range msgs {
		fds, err := unix.ParseUnixRights(&m)
		e.ok(err)
		all = append(all, fds...)
	}
	return all
}
