//go:build linux

package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// A refusal is a system call that a sandbox does not let through.
type refusal struct {
	name string
	call uint32
	args map[uint32]uint32 // as those of socktest.Refusal
	op   string            // of refusedOps, which is to work all the same
}

var refusals = []refusal{
	{"splice", unix.SYS_SPLICE, nil, "copy"},
	{"sendfile", unix.SYS_SENDFILE, nil, "copy"},
	{"pipe2", unix.SYS_PIPE2, nil, "copy"},
	{"F_SETPIPE_SZ", unix.SYS_FCNTL, map[uint32]uint32{1: unix.F_SETPIPE_SZ}, "copy"},
	{"sendmmsg", unix.SYS_SENDMMSG, nil, "batch"},
	{"recvmmsg", unix.SYS_RECVMMSG, nil, "batch"},
	{"sendmmsg", unix.SYS_SENDMMSG, nil, "offload"},
	{"recvmmsg", unix.SYS_RECVMMSG, nil, "offload"},
	{"UDP_GRO", unix.SYS_SETSOCKOPT, map[uint32]uint32{1: unix.SOL_UDP, 2: unix.UDP_GRO}, "offload"},
	{"reading UDP_GRO", unix.SYS_GETSOCKOPT, map[uint32]uint32{1: unix.SOL_UDP, 2: unix.UDP_GRO}, "offload"},
	{"SO_DOMAIN", unix.SYS_GETSOCKOPT, map[uint32]uint32{1: unix.SOL_SOCKET, 2: unix.SO_DOMAIN}, "adopt"},
	{"SO_PROTOCOL", unix.SYS_GETSOCKOPT, map[uint32]uint32{1: unix.SOL_SOCKET, 2: unix.SO_PROTOCOL}, "adopt"},
	{"SO_ACCEPTCONN", unix.SYS_GETSOCKOPT, map[uint32]uint32{1: unix.SOL_SOCKET, 2: unix.SO_ACCEPTCONN}, "adopt"},
	{"TCP_NODELAY", unix.SYS_SETSOCKOPT, map[uint32]uint32{1: unix.SOL_TCP, 2: unix.TCP_NODELAY}, "dial"},
	{"SO_KEEPALIVE", unix.SYS_SETSOCKOPT, map[uint32]uint32{1: unix.SOL_SOCKET, 2: unix.SO_KEEPALIVE}, "dial"},
	{"TCP_KEEPIDLE", unix.SYS_SETSOCKOPT, map[uint32]uint32{1: unix.SOL_TCP, 2: unix.TCP_KEEPIDLE}, "dial"},
	{"reading TCP_NODELAY", unix.SYS_GETSOCKOPT, map[uint32]uint32{1: unix.SOL_TCP, 2: unix.TCP_NODELAY}, "dial"},
	{"IPV6_V6ONLY", unix.SYS_SETSOCKOPT, map[uint32]uint32{1: unix.SOL_IPV6, 2: unix.IPV6_V6ONLY}, "dial"},
	{"listen", unix.SYS_LISTEN, nil, "path"},
	{"MPTCP", unix.SYS_SOCKET, map[uint32]uint32{2: unix.IPPROTO_MPTCP}, "dial"},
}

var refusedWith = []syscall.Errno{syscall.ENOSYS, syscall.EPERM, syscall.EINVAL, syscall.EOPNOTSUPP}

// TestRefused does in a sandbox what package net does there, too: every way that is
// faster than net's has another beside it.
func TestRefused(t *testing.T) {
	for _, r := range refusals {
		for _, errno := range refusedWith {
			t.Run(strings.ReplaceAll(r.op+"/"+r.name, " ", "_")+"/"+unix.ErrnoName(errno), func(t *testing.T) {
				if runtime.GOARCH == "386" && r.name == "listen" {
					t.Skip("package syscall listens through socketcall(2)")
				}
				cmd := socktest.ChildCommand(t, "refused", r.op, r.name, unix.ErrnoName(errno))
				out, err := cmd.CombinedOutput()
				if bytes.HasPrefix(out, []byte("skip: ")) {
					t.Skip(string(out))
				}
				if err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

func init() {
	socktest.Children["refused"] = func() error {
		op, name, errnoName := os.Args[2], os.Args[3], os.Args[4]
		for _, r := range refusals {
			for _, errno := range refusedWith {
				if r.op == op && r.name == name && unix.ErrnoName(errno) == errnoName {
					if err := (socktest.Refusal{Call: r.call, Args: r.args, Errno: errno}).OnProcess(); err != nil {
						fmt.Println("skip: no seccomp:", err)
						return nil
					}
					return refusedOps[op]()
				}
			}
		}
		return fmt.Errorf("no refusal %q", os.Args)
	}
}

var refusedOps = map[string]func() error{
	"copy":    refusedCopy,
	"batch":   func() error { return refusedMessages(false) },
	"offload": func() error { return refusedMessages(true) },
	"adopt":   refusedAdopt,
	"dial":    refusedDial,
	"path":    refusedPath,
}

// refusedPair is a connection over loopback.
func refusedPair(network string) (a, b net.Conn, err error) {
	l, err := sockets.Listen(network, map[string]string{"tcp": "127.0.0.1:0", "unix": ""}[network])
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if a, err = sockets.Dial(network, l.Addr().String()); err != nil {
		return nil, nil, err
	}
	b, err = l.Accept()
	return a, b, err
}

func refusedCopy() error {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	data := socktest.RandomBytes(300_000)
	for _, from := range []string{"tcp", "unix", "file"} {
		for _, to := range []string{"tcp", "unix", "file"} {
			var src io.Reader
			var dst io.Writer
			var got func() ([]byte, error)
			if from == "file" {
				name := filepath.Join(dir, "from")
				if err := os.WriteFile(name, data, 0o600); err != nil {
					return err
				}
				f, err := os.Open(name)
				if err != nil {
					return err
				}
				defer f.Close()
				src = f
			} else {
				a, b, err := refusedPair(from)
				if err != nil {
					return err
				}
				go func() { a.Write(data); a.Close() }()
				src = b
			}
			if to == "file" {
				f, err := os.Create(filepath.Join(dir, "to"))
				if err != nil {
					return err
				}
				dst, got = f, func() ([]byte, error) { f.Close(); return os.ReadFile(f.Name()) }
			} else {
				a, b, err := refusedPair(to)
				if err != nil {
					return err
				}
				all := make(chan []byte)
				go func() {
					p, _ := io.ReadAll(b)
					all <- p
				}()
				dst, got = a, func() ([]byte, error) { a.Close(); return <-all, nil }
			}
			n, err := sockets.Copy(dst, src)
			if err != nil || n != int64(len(data)) {
				return fmt.Errorf("Copy from %s to %s: %d, %w", from, to, n, err)
			}
			if b, err := got(); err != nil || !bytes.Equal(b, data) {
				return fmt.Errorf("from %s to %s %d bytes arrived, %w", from, to, len(b), err)
			}
		}
	}
	return nil
}

func refusedMessages(offload bool) error {
	lc := sockets.ListenConfig{Offload: offload}
	pc, err := lc.ListenPacket(context.Background(), "udp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	r := pc.(*sockets.UDPConn)
	d := sockets.Dialer{Offload: offload}
	for _, connected := range []bool{true, false} {
		var w *sockets.UDPConn
		var to net.Addr
		if connected {
			c, err := d.Dial("udp4", r.LocalAddr().String())
			if err != nil {
				return err
			}
			w = c.(*sockets.UDPConn)
		} else {
			pc, err := lc.ListenPacket(context.Background(), "udp4", "127.0.0.1:0")
			if err != nil {
				return err
			}
			w, to = pc.(*sockets.UDPConn), r.LocalAddr()
		}
		out := make([]ipv4.Message, 5)
		for i := range out {
			out[i] = ipv4.Message{Buffers: [][]byte{{byte(i), 1}}, Addr: to}
		}
		if n, err := w.WriteBatch(out, 0); n != len(out) || err != nil {
			return fmt.Errorf("WriteBatch, connected %v: %d, %w", connected, n, err)
		}
		if err := r.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		for got := 0; got < len(out); {
			in := make([]ipv4.Message, 8)
			for i := range in {
				in[i].Buffers = [][]byte{make([]byte, 10)}
			}
			n, err := r.ReadBatch(in, 0)
			if err != nil {
				return fmt.Errorf("ReadBatch: %w", err)
			}
			for _, m := range in[:n] {
				if m.N != 2 || m.Buffers[0][0] != byte(got) || m.Addr.String() != w.LocalAddr().String() {
					return fmt.Errorf("message %d: % x from %v", got, m.Buffers[0][:m.N], m.Addr)
				}
				got++
			}
		}
		w.Close()
	}
	return nil
}

func refusedAdopt() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	lf, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	cf, err := c.(*net.TCPConn).File()
	if err != nil {
		return err
	}
	if _, err := net.FileListener(lf); err != nil {
		return fmt.Errorf("package net refuses as well: %w", err)
	}
	ours, err := sockets.FileListener(lf)
	if err != nil {
		return err
	}
	conn, err := sockets.FileConn(cf)
	if err != nil {
		return err
	}
	if _, ok := conn.(*sockets.TCPConn); !ok {
		return fmt.Errorf("adopted a %T", conn)
	}
	a, err := ours.Accept()
	if err != nil {
		return err
	}
	if _, err := conn.Write([]byte("x")); err != nil {
		return err
	}
	_, err = io.ReadFull(a, make([]byte, 1))
	return err
}

func refusedDial() error {
	for _, address := range []string{"127.0.0.1:0", ":0"} {
		l, err := sockets.Listen("tcp", address)
		if err != nil {
			return err
		}
		c, err := sockets.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		a, err := l.Accept()
		if err != nil {
			return err
		}
		if _, err := c.Write([]byte("x")); err != nil {
			return err
		}
		if _, err := io.ReadFull(a, make([]byte, 1)); err != nil {
			return err
		}
		if _, err := a.(*sockets.TCPConn).MultipathTCP(); err != nil {
			return err
		}
	}
	d := sockets.Dialer{}
	d.SetMultipathTCP(true)
	lc := sockets.ListenConfig{}
	lc.SetMultipathTCP(true)
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, err = d.Dial("tcp", l.Addr().String())
	return err
}

// refusedPath cannot listen, and leaves nothing where it would have.
func refusedPath() error {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "l")
	for _, network := range []string{"unix", "unixpacket"} {
		if l, err := sockets.Listen(network, path); err == nil {
			l.Close()
			return fmt.Errorf("%s: it listens", network)
		}
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			return fmt.Errorf("%s: the path is left: %v", network, err)
		}
	}
	return nil
}
