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
	"slices"
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
	of   string            // what the sources call it, see TestEveryCall
}

var refusals = []refusal{
	{"splice", unix.SYS_SPLICE, nil, "copy", "SYS_SPLICE"},
	{"sendfile", unix.SYS_SENDFILE, nil, "copy", "SYS_SENDFILE"},
	{"pipe2", unix.SYS_PIPE2, nil, "copy", "Pipe2"},
	{"F_SETPIPE_SZ", unix.SYS_FCNTL, arg(1, unix.F_SETPIPE_SZ), "copy", "F_SETPIPE_SZ"},
	{"recvfrom", unix.SYS_RECVFROM, nil, "copy", ""},
	{"sendto", unix.SYS_SENDTO, nil, "copy", ""},
	{"recvfrom", unix.SYS_RECVFROM, nil, "stream", "SYS_RECVFROM"},
	{"sendto", unix.SYS_SENDTO, nil, "stream", "SYS_SENDTO"},
	{"recvmsg", unix.SYS_RECVMSG, nil, "stream", ""},
	{"sendmsg", unix.SYS_SENDMSG, nil, "stream", ""},
	{"sendmmsg", unix.SYS_SENDMMSG, nil, "batch", "SYS_SENDMMSG"},
	{"recvmmsg", unix.SYS_RECVMMSG, nil, "batch", "SYS_RECVMMSG"},
	{"sendmmsg", unix.SYS_SENDMMSG, nil, "offload", ""},
	{"recvmmsg", unix.SYS_RECVMMSG, nil, "offload", ""},
	{"UDP_GRO", unix.SYS_SETSOCKOPT, option(unix.SOL_UDP, unix.UDP_GRO), "offload", "UDP_GRO"},
	{"reading UDP_GRO", unix.SYS_GETSOCKOPT, option(unix.SOL_UDP, unix.UDP_GRO), "offload", ""},
	{"SO_DOMAIN", unix.SYS_GETSOCKOPT, option(unix.SOL_SOCKET, unix.SO_DOMAIN), "adopt", "SO_DOMAIN"},
	{"SO_PROTOCOL", unix.SYS_GETSOCKOPT, option(unix.SOL_SOCKET, unix.SO_PROTOCOL), "adopt", "SO_PROTOCOL"},
	{"SO_PROTOCOL", unix.SYS_GETSOCKOPT, option(unix.SOL_SOCKET, unix.SO_PROTOCOL), "dial", ""},
	{"SO_ACCEPTCONN", unix.SYS_GETSOCKOPT, option(unix.SOL_SOCKET, unix.SO_ACCEPTCONN), "adopt", "SO_ACCEPTCONN"},
	{"F_DUPFD_CLOEXEC", unix.SYS_FCNTL, arg(1, unix.F_DUPFD_CLOEXEC), "file", "F_DUPFD_CLOEXEC"},
	{"TCP_NODELAY", unix.SYS_SETSOCKOPT, option(unix.SOL_TCP, unix.TCP_NODELAY), "dial", "TCP_NODELAY"},
	{"SO_KEEPALIVE", unix.SYS_SETSOCKOPT, option(unix.SOL_SOCKET, unix.SO_KEEPALIVE), "dial", "SO_KEEPALIVE"},
	{"TCP_KEEPIDLE", unix.SYS_SETSOCKOPT, option(unix.SOL_TCP, unix.TCP_KEEPIDLE), "dial", "TCP_KEEPIDLE"},
	{"reading TCP_NODELAY", unix.SYS_GETSOCKOPT, option(unix.SOL_TCP, unix.TCP_NODELAY), "dial", ""},
	{"IPV6_V6ONLY", unix.SYS_SETSOCKOPT, option(unix.SOL_IPV6, unix.IPV6_V6ONLY), "dial", "IPV6_V6ONLY"},
	{"MPTCP", unix.SYS_SOCKET, arg(2, unix.IPPROTO_MPTCP), "dial", ""},
	{"MPTCP_INFO", unix.SYS_GETSOCKOPT, arg(1, unix.SOL_MPTCP), "dial", ""},
	{"getsockname", unix.SYS_GETSOCKNAME, nil, "nameless", "SYS_GETSOCKNAME"},
	{"getpeername", unix.SYS_GETPEERNAME, nil, "nameless", "SYS_GETPEERNAME"},
	{"accept4", unix.SYS_ACCEPT4, nil, "accept", "SYS_ACCEPT4"},
	{"SO_BINDTOIFINDEX", unix.SYS_GETSOCKOPT, option(unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX), "disconnect", "SO_BINDTOIFINDEX"},
	{"listen", unix.SYS_LISTEN, nil, "path", ""},
	{"fchmodat2", unix.SYS_FCHMODAT2, nil, "mode", "Fchmodat"},
	{"pidfd_open", unix.SYS_PIDFD_OPEN, nil, "inherit", "PidfdOpen"},
	{"SIOCINQ", unix.SYS_IOCTL, arg(1, unix.SIOCINQ), "descriptors", "SIOCINQ"},
}

func arg(index, value uint32) map[uint32]uint32 { return map[uint32]uint32{index: value} }

func option(level, name uint32) map[uint32]uint32 { return map[uint32]uint32{1: level, 2: name} }

var refusedWith = []syscall.Errno{syscall.ENOSYS, syscall.EPERM, syscall.EINVAL, syscall.EOPNOTSUPP}

// errnos are those of r. A copy goes on after all that gVisor and security modules say
// besides.
func (r refusal) errnos() []syscall.Errno {
	if r.op == "copy" {
		return append(slices.Clone(refusedWith), syscall.EACCES, syscall.EFAULT)
	}
	return refusedWith
}

// TestRefused does in a sandbox what package net does there, too: every way that is
// faster than net's has another beside it.
func TestRefused(t *testing.T) {
	for _, r := range refusals {
		for _, errno := range r.errnos() {
			t.Run(strings.ReplaceAll(r.op+"/"+r.name, " ", "_")+"/"+unix.ErrnoName(errno), func(t *testing.T) {
				if runtime.GOARCH == "386" && r.name == "listen" {
					t.Skip("package syscall listens through socketcall(2)")
				}
				if r.name == "fchmodat2" {
					socktest.NeedProc(t) // the other way
				}
				cmd := socktest.ChildCommand(t, "refused", r.op, r.name, unix.ErrnoName(errno))
				if r.op == "inherit" {
					f, err := os.Open(os.DevNull)
					socktest.Check(t, err)
					defer f.Close()
					cmd.ExtraFiles = []*os.File{f}
				}
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
			for _, errno := range r.errnos() {
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
	"copy":        refusedCopy,
	"stream":      refusedStream,
	"batch":       func() error { return refusedMessages(false) },
	"offload":     func() error { return refusedMessages(true) },
	"adopt":       refusedAdopt,
	"file":        refusedFile,
	"dial":        refusedDial,
	"nameless":    refusedNames,
	"accept":      refusedAccept,
	"disconnect":  refusedDisconnect,
	"path":        refusedPath,
	"mode":        refusedMode,
	"inherit":     refusedInherit,
	"descriptors": refusedDescriptors,
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
		// Of each length there are two: offload joins these, and several calls' worth is left.
		out := make([]ipv4.Message, 6)
		length := func(i int) int { return 2 + i/2 }
		for i := range out {
			data := make([]byte, length(i))
			data[0] = byte(i)
			out[i] = ipv4.Message{Buffers: [][]byte{data}, Addr: to}
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
				if m.N != length(got) || m.Buffers[0][0] != byte(got) || m.Addr.String() != w.LocalAddr().String() {
					return fmt.Errorf("message %d: % x from %v", got, m.Buffers[0][:m.N], m.Addr)
				}
				got++
			}
		}
		w.Close()
	}
	return nil
}
