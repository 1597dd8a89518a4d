//go:build linux

package cost

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/sockopt"
	"golang.org/x/sys/unix"
)

// A costRow says which system calls an operation may make on its descriptor.
type costRow struct {
	name string
	want []string
}

// costRows are in the order in which the child process does the operations.
var costRows = []costRow{
	{"accept tcp, concrete address", []string{"accept4", "fcntl", "epoll_ctl"}},
	{"write", []string{"sendto"}},
	{"read", []string{"recvfrom"}},
	{"set a deadline", nil},
	{"close", []string{"epoll_ctl", "close"}},
	{"accept tcp, wildcard address", []string{"accept4", "fcntl", "epoll_ctl", "getsockname"}},
	{"accept unix", []string{"accept4", "fcntl", "epoll_ctl"}},
	{"accept tcp, options", []string{"accept4", "fcntl", "epoll_ctl"}},
	{"accept tcp, an option that changes addresses", []string{"accept4", "fcntl", "epoll_ctl", "getsockname"}},
	{"accept tcp, an option that is not handed down", []string{"accept4", "fcntl", "epoll_ctl", "setsockopt"}},
	{"accept tcp, group", []string{"accept4", "fcntl", "epoll_ctl"}},
	{"dial tcp", []string{
		"socket", "connect", "fcntl", "epoll_ctl", "getpeername", "getsockname",
		"setsockopt", "setsockopt", "setsockopt", "setsockopt", "setsockopt",
	}},
	{"write a batch to a peer", []string{"sendmmsg"}},
	{"read a batch", []string{"recvmmsg"}},
	{"write a batch, offload", []string{"sendmsg"}},
	{"read a batch, offload", []string{"recvmmsg"}},
	{"write segments", []string{"sendmsg"}},
	{"read segments", []string{"recvmsg"}},
}

// TestSyscalls counts the system calls of a child process from outside, with
// ptrace(2). A row's calls may come in any order, and some may be missing.
func TestSyscalls(t *testing.T) {
	got := traceChild(t, "costs")
	for i, row := range costRows {
		t.Run(row.name, func(t *testing.T) {
			calls, ok := got[i]
			if !ok {
				t.Fatal("the child did not do it")
			}
			t.Log(strings.Join(calls, " "))
			budget := slices.Clone(row.want)
			for _, c := range calls {
				if j := slices.Index(budget, c); j >= 0 {
					budget = slices.Delete(budget, j, j+1)
					continue
				}
				t.Errorf("%s is one call too many in %v", c, calls)
			}
			if len(row.want) > 0 && len(calls) == 0 {
				t.Error("no system call was seen at all")
			}
		})
	}
}

// mark tells the tracer that operation i begins or ends, with a system call
// that does nothing else: no descriptor has such a number.
func mark(i, end int) { unix.Close(markBase + i<<1 + end) }

// watch tells the tracer that what comes is about c.
func watch(c syscall.Conn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { unix.Close(watchBase + int(fd)) })
}

const (
	watchBase = 1 << 29
	markBase  = 1 << 30
)

func init() { socktest.Children["costs"] = operations }

// operations does what costRows names, each between two marks.
func operations() error {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	i := 0
	measure := func(op func() error, of ...syscall.Conn) {
		for _, c := range of {
			if werr := watch(c); werr != nil {
				panic(werr)
			}
		}
		mark(i, 0)
		if opErr := op(); opErr != nil && err == nil {
			err = fmt.Errorf("%s: %w", costRows[i].name, opErr)
		}
		mark(i, 1)
		i++
	}
	warm := func(network string, l net.Listener, lerr error) net.Listener {
		if lerr != nil {
			panic(lerr)
		}
		// What is done once per process does not count.
		client := enqueue(network, l)
		c, lerr := l.Accept()
		if lerr != nil {
			panic(lerr)
		}
		c.Close()
		unix.Close(client)
		return l
	}
	listen := func(network, address string, options ...sockopt.Setting) net.Listener {
		lc := &sockets.ListenConfig{Options: options}
		l, err := lc.Listen(context.Background(), network, address)
		return warm(network, l, err)
	}

	l := listen("tcp", "127.0.0.1:0")
	client := enqueue("tcp", l)
	var c net.Conn
	accept := func() (err error) { c, err = l.Accept(); return err }
	measure(accept)
	b := make([]byte, 64)
	measure(func() error { _, err := c.Write(b); return err })
	if _, err := unix.Write(client, b); err != nil {
		return err
	}
	measure(func() error { _, err := c.Read(b); return err })
	measure(func() error { return c.SetDeadline(time.Now().Add(time.Hour)) })
	measure(func() error { return c.Close() })

	l = listen("tcp", ":0")
	enqueue("tcp", l)
	measure(accept)
	l = listen("unix", filepath.Join(dir, "l"))
	enqueue("unix", l)
	measure(accept)
	l = listen("tcp", "127.0.0.1:0", sockopt.KeepIdle.With(time.Minute), sockopt.ReceiveBuffer.With(1<<16), sockopt.DeferAccept.With(0))
	enqueue("tcp", l)
	measure(accept)
	l = listen("tcp", "127.0.0.1:0", sockopt.Int("IP_TTL", unix.IPPROTO_IP, unix.IP_TTL).With(60), sockopt.Bool("own", unix.SOL_SOCKET, unix.SO_KEEPALIVE).With(true))
	enqueue("tcp", l)
	measure(accept)
	l = listen("tcp", "127.0.0.1:0", sockopt.Priority.With(3))
	enqueue("tcp", l)
	measure(accept)
	group, err := new(sockets.ListenConfig).ListenGroup(context.Background(), "tcp", "127.0.0.1:0", 1)
	if err != nil {
		return err
	}
	l = warm("tcp", group[0], nil)
	enqueue("tcp", l)
	measure(accept)

	l = listen("tcp", "127.0.0.1:0")
	address := l.Addr().String()
	measure(func() error { _, err := sockets.Dial("tcp", address); return err })
	return errors.Join(err, measureDatagrams(measure))
}

// roomFor returns n messages with a buffer of size bytes each.
func roomFor(n, size int) []sockets.Message {
	ms := make([]sockets.Message, n)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, size)}
	}
	return ms
}

// measureDatagrams sends 64 datagrams from a socket with a peer, and receives them, by
// each of the ways that there are.
func measureDatagrams(measure func(op func() error, c ...syscall.Conn)) error {
	const count, size = 64, 100
	for _, offload := range []bool{false, true} {
		pc, err := (&sockets.ListenConfig{Offload: offload}).ListenPacket(context.Background(), "udp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		c, err := (&sockets.Dialer{Offload: offload}).Dial("udp4", pc.LocalAddr().String())
		if err != nil {
			return err
		}
		a, b := c.(*sockets.UDPConn), pc.(*sockets.UDPConn)
		out, in := roomFor(count, size), roomFor(count, size)
		operate := func(c *sockets.UDPConn, op func() (int, error)) {
			measure(func() error {
				n, err := op()
				if err == nil && n != count {
					err = fmt.Errorf("%d of %d datagrams", n, count)
				}
				return err
			}, c)
		}
		operate(a, func() (int, error) { return a.WriteBatch(out, 0) })
		operate(b, func() (int, error) { return b.ReadBatch(in, 0) })
		if !offload {
			continue
		}
		buf := make([]byte, 1<<16)
		operate(a, func() (int, error) {
			n, err := a.WriteSegments(buf[:count*size], size, netip.AddrPort{})
			return n / size, err
		})
		operate(b, func() (int, error) {
			n, each, _, err := b.ReadSegments(buf)
			return n / max(each, 1), err
		})
	}
	return nil
}

// enqueue connects a bare descriptor to l, which has it in its queue then.
func enqueue(network string, l net.Listener) int {
	domain, sa := unix.AF_UNIX, unix.Sockaddr(nil)
	switch a := l.Addr().(type) {
	case *net.TCPAddr:
		domain, sa = unix.AF_INET, &unix.SockaddrInet4{Port: a.Port, Addr: [4]byte{127, 0, 0, 1}}
	case *net.UnixAddr:
		sa = &unix.SockaddrUnix{Name: a.Name}
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(fd, sa)
	}
	if err != nil {
		panic(fmt.Sprintf("%s: %v", network, err))
	}
	return fd
}

var syscallNames = map[uint64]string{
	unix.SYS_ACCEPT4: "accept4", unix.SYS_CLOSE: "close", unix.SYS_CONNECT: "connect", unix.SYS_EPOLL_CTL: "epoll_ctl",
	unix.SYS_FCNTL: "fcntl", unix.SYS_GETPEERNAME: "getpeername", unix.SYS_GETSOCKNAME: "getsockname",
	unix.SYS_GETSOCKOPT: "getsockopt", unix.SYS_READ: "read", unix.SYS_RECVFROM: "recvfrom", unix.SYS_RECVMSG: "recvmsg",
	unix.SYS_SENDMSG: "sendmsg", unix.SYS_SENDTO: "sendto", unix.SYS_SETSOCKOPT: "setsockopt", unix.SYS_SHUTDOWN: "shutdown",
	unix.SYS_SENDMMSG: "sendmmsg", unix.SYS_RECVMMSG: "recvmmsg",
	unix.SYS_SOCKET: "socket", unix.SYS_WRITE: "write",
}

// A watcher sorts the system calls of a traced process.
type watcher struct {
	calls   map[int][]string // by operation
	current int              // the operation under way, -1 for none
	fd      uint64           // the connection's descriptor
	entries map[int]socktest.SyscallInfo
}

// saw takes a stop of thread tid at the entry or the exit of a system call.
func (w *watcher) saw(tid int, info socktest.SyscallInfo) {
	if info.Op == socktest.SyscallEntry {
		if n := int(info.Args[0]); info.NR == unix.SYS_CLOSE && n >= markBase {
			if w.current = (n - markBase) >> 1; n&1 == 1 {
				w.current = -1
			} else {
				w.calls[w.current] = nil
			}
			return
		}
		if n := info.Args[0]; info.NR == unix.SYS_CLOSE && n >= watchBase && n < markBase {
			w.fd = n - watchBase
			return
		}
		w.entries[tid] = info
		return
	}
	entry, ok := w.entries[tid]
	delete(w.entries, tid)
	if !ok || info.Op != socktest.SyscallExit || w.current < 0 {
		return
	}
	name := syscallNames[entry.NR]
	if name == "" {
		name = fmt.Sprint("syscall ", entry.NR)
	}
	switch failed := int64(info.NR) < 0; {
	case name == "accept4" || name == "socket":
		if failed {
			return
		}
		w.fd = info.NR
	case name == "epoll_ctl":
		if entry.Args[2] != w.fd {
			return
		}
	default:
		// Of a system call that is not known to take a descriptor first, the
		// argument may have the number by chance.
		if entry.Args[0] != w.fd || syscallNames[entry.NR] == "" {
			return
		}
	}
	w.calls[w.current] = append(w.calls[w.current], name)
}

// traceChild runs a child and returns the system calls between its marks.
func traceChild(t *testing.T, name string) map[int][]string {
	t.Helper()
	w := &watcher{calls: make(map[int][]string), current: -1, entries: make(map[int]socktest.SyscallInfo)}
	status, printed := socktest.TraceChild(t, w.saw, name)
	if status.ExitStatus() != 0 {
		t.Fatalf("child: status %#x\n%s", status, printed)
	}
	return w.calls
}
