//go:build linux

package sockets_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
)

// rawFD returns a blocking descriptor that exec would keep, as it comes from other
// programs. The test closes it unless keep is called.
func rawFD(tb testing.TB, domain, typ, proto int) (fd int) {
	tb.Helper()
	fd, err := unix.Socket(domain, typ, proto)
	if err == unix.EPERM {
		tb.Skip("needs a privilege")
	}
	if err == unix.EAFNOSUPPORT || err == unix.EPROTONOSUPPORT || err == unix.EINVAL && proto == unix.IPPROTO_MPTCP {
		tb.Skip("the kernel has no such sockets")
	}
	if err != nil {
		tb.Fatal(err)
	}
	return fd
}

func TestFromFD(t *testing.T) {
	bind := func(fd int) error { return unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}) }
	tests := []struct {
		name               string
		domain, typ, proto int
		prepare            func(fd int) error
		want               string // how the Socket describes itself
		conn, listener, pc bool   // the roles it takes
	}{
		{name: "tcp", domain: unix.AF_INET, typ: unix.SOCK_STREAM,
			want: "ipv4 stream socket, unbound", conn: true},
		{name: "tcp bound", domain: unix.AF_INET, typ: unix.SOCK_STREAM, prepare: bind,
			want: "ipv4 stream socket bound to 127.0.0.1:*", conn: true},
		{name: "tcp listening", domain: unix.AF_INET, typ: unix.SOCK_STREAM,
			prepare: func(fd int) error { return errors.Join(bind(fd), unix.Listen(fd, 1)) },
			want:    "ipv4 stream socket listening on 127.0.0.1:*", listener: true},
		{name: "mptcp listening", domain: unix.AF_INET, typ: unix.SOCK_STREAM, proto: unix.IPPROTO_MPTCP,
			prepare: func(fd int) error { return errors.Join(bind(fd), unix.Listen(fd, 1)) },
			want:    "ipv4 stream socket listening on 127.0.0.1:*", listener: true},
		{name: "udp connected", domain: unix.AF_INET, typ: unix.SOCK_DGRAM,
			prepare: func(fd int) error {
				return unix.Connect(fd, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}})
			},
			want: "ipv4 datagram socket connected from 127.0.0.1:* to 127.0.0.1:9", conn: true, pc: true},
		{name: "udp6", domain: unix.AF_INET6, typ: unix.SOCK_DGRAM,
			want: "ipv6 datagram socket, unbound", conn: true, pc: true},
		{name: "raw", domain: unix.AF_INET, typ: unix.SOCK_RAW, proto: 253,
			want: "ipv4 raw socket, unbound", conn: true, pc: true},
		{name: "unix listening", domain: unix.AF_UNIX, typ: unix.SOCK_SEQPACKET,
			prepare: func(fd int) error {
				return errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: "@from fd"}), unix.Listen(fd, 1))
			},
			want: "unix seqpacket socket listening on @from fd", listener: true},
		{name: "unixgram", domain: unix.AF_UNIX, typ: unix.SOCK_DGRAM,
			want: "unix datagram socket, unbound", conn: true, pc: true},
		{name: "vsock", domain: unix.AF_VSOCK, typ: unix.SOCK_STREAM,
			want: "vsock stream socket bound to *:*", conn: true},
		{name: "netlink", domain: unix.AF_NETLINK, typ: unix.SOCK_RAW, proto: unix.NETLINK_ROUTE,
			want: "netlink raw socket bound to 0/0x0", conn: true, pc: true},
		{name: "packet", domain: unix.AF_PACKET, typ: unix.SOCK_RAW,
			want: "packet raw socket bound to 0/0x0000/*", conn: true, pc: true},
		{name: "a family without addresses", domain: unix.AF_XDP, typ: unix.SOCK_RAW,
			want: "af44 raw socket, unbound", conn: true, pc: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socktest.CheckNoLeak(t)
			open := func() *sockets.Socket {
				fd := rawFD(t, tt.domain, tt.typ, tt.proto)
				if tt.prepare != nil {
					if err := tt.prepare(fd); err != nil {
						unix.Close(fd)
						t.Fatal(err)
					}
				}
				s, err := sockets.FromFD(fd)
				if err != nil {
					unix.Close(fd)
					t.Fatal(err)
				}
				return s
			}
			s := open()
			defer s.Close()
			socktest.CheckCloseOnExec(t, s)
			socktest.WithFD(t, s, func(fd int) error {
				if !socktest.Nonblocking(t, fd) {
					t.Error("the socket is blocking")
				}
				return nil
			})
			if got := s.String(); !matchStars(tt.want, got) {
				t.Errorf("Socket is %q, want %q", got, tt.want)
			}
			if diff := cmp.Diff([]int{tt.domain, tt.typ, tt.proto}, []int{s.Family(), s.Type(), protocol(tt.proto, s)}); diff != "" {
				t.Errorf("family, type, protocol mismatch (-want +got):\n%s", diff)
			}
			if pc, err := s.PacketConn(); (err == nil) != tt.pc {
				t.Errorf("PacketConn: %v, want success %t", err, tt.pc)
			} else if err == nil {
				pc.Close()
				s = open()
			}
			if l, err := s.Listener(); (err == nil) != tt.listener {
				t.Errorf("Listener: %v, want success %t", err, tt.listener)
			} else if err == nil {
				l.Close()
				s = open()
			}
			if c, err := s.Conn(); (err == nil) != tt.conn {
				t.Errorf("Conn: %v, want success %t", err, tt.conn)
			} else if err == nil {
				c.Close()
			}
			s.Close()
		})
	}
}

// protocol returns the socket's protocol, or 0 if it was left to the kernel.
func protocol(asked int, s *sockets.Socket) int {
	if asked == 0 {
		return 0
	}
	return s.Protocol()
}

// matchStars reports whether s is pattern, in which "*" stands for any text.
func matchStars(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(s, parts[0])
	for _, p := range parts[1:] {
		if p == "" {
			return ok
		}
		var found bool
		if _, rest, found = strings.Cut(rest, p); !found {
			return false
		}
	}
	return ok && rest == ""
}

func TestFromFDErrors(t *testing.T) {
	socktest.CheckNoLeak(t)
	var p [2]int
	if err := unix.Pipe2(p[:], 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[1])
	defer unix.Close(p[0])
	closed := rawFD(t, unix.AF_INET, unix.SOCK_STREAM, 0)
	unix.Close(closed)
	tests := []struct {
		name string
		fd   int
		want error
	}{
		{"negative", -1, syscall.EBADF},
		{"of more than 32 bits", wide(1<<32) + p[0], syscall.EBADF},
		{"negative, of more than 32 bits", wide(-1<<32) + p[0], syscall.EBADF},
		{"closed", closed, syscall.EBADF},
		{"not open yet", 1 << 20, syscall.EBADF},
		{"pipe", p[0], syscall.ENOTSOCK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := sockets.FromFD(tt.fd)
			var oe *net.OpError
			if s != nil || !errors.Is(err, tt.want) || !errors.As(err, &oe) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
	if !socktest.IsOpen(p[0]) || socktest.Nonblocking(t, p[0]) {
		t.Error("the pipe is no longer what it was")
	}
	// The same of a file.
	f := os.NewFile(uintptr(p[0]), "pipe")
	if _, err := sockets.FromFile(f); !errors.Is(err, syscall.ENOTSOCK) {
		t.Errorf("FromFile of a pipe: %v, want ENOTSOCK", err)
	}
	if socktest.Nonblocking(t, p[0]) {
		t.Error("the pipe is non-blocking now")
	}
	f.Close()
	if _, err := sockets.FromFile(f); !errors.Is(err, syscall.EBADF) {
		t.Errorf("FromFile of a closed file: %v, want EBADF", err)
	}
}

// TestFromFDLimit has no number left for the copy, in a process of its own.
func TestFromFDLimit(t *testing.T) {
	if out, err := socktest.ChildCommand(t, "from-fd-limit").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func init() {
	socktest.Children["from-fd-limit"] = fromFDLimit
	socktest.Children["standard-input"] = standardInput
}

func fromFDLimit() error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	lift, err := socktest.LimitFree(0)
	if err != nil {
		return err
	}
	if err := unix.Dup2(fd, 0); err != nil {
		return err
	}
	for _, n := range []int{fd, 0} {
		if _, err := sockets.FromFD(n); !errors.Is(err, syscall.EMFILE) {
			return fmt.Errorf("descriptor %d: %v, want EMFILE", n, err)
		}
	}
	lift()
	if lift, err = socktest.LimitFree(1); err != nil {
		return err
	}
	// The null device takes the number that the copy needs.
	if _, err := sockets.FromFD(0); !errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("descriptor 0 with one free: %v, want EMFILE", err)
	}
	lift()
	if _, err := unix.GetsockoptInt(0, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		return fmt.Errorf("descriptor 0 is no longer the socket: %w", err)
	}
	unix.Close(0)
	if _, err := sockets.FromFD(0); !errors.Is(err, syscall.EBADF) {
		return fmt.Errorf("closed descriptor 0: %v, want EBADF", err)
	}
	if socktest.IsOpen(0) {
		return errors.New("closed descriptor 0 is open")
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK != 0 {
		return fmt.Errorf("the descriptor has flags %#x, %v", flags, err)
	}
	return unix.Close(fd)
}

func TestFromFile(t *testing.T) {
	socktest.CheckNoLeak(t)
	fd := rawFD(t, unix.AF_INET, unix.SOCK_DGRAM, 0)
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	s, err := sockets.FromFile(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !socktest.IsOpen(fd) {
		t.Error("closing the Socket closed the file")
	}
	if on, err := sockets.Blocking(f); on || err != nil {
		t.Errorf("Blocking: %t, %v after FromFile", on, err)
	}
	if err := sockets.SetBlocking(f, true); err != nil {
		t.Fatal(err)
	}
	if socktest.Nonblocking(t, fd) {
		t.Error("the file is non-blocking still")
	}
	if err := sockets.SetBlocking(f, false); err != nil {
		t.Fatal(err)
	}
	if on, err := sockets.Blocking(f); on || err != nil {
		t.Errorf("Blocking: %t, %v", on, err)
	}
	f.Close()
	if _, err := sockets.Blocking(f); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Blocking of a closed file: %v, want ErrClosed", err)
	}
	if err := sockets.SetBlocking(s, true); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SetBlocking of a closed Socket: %v, want ErrClosed", err)
	}
	if _, err := sockets.FromFile(nil); !errors.Is(err, syscall.EBADF) {
		t.Errorf("FromFile of nothing: %v, want EBADF", err)
	}
}

// TestStandardInput takes the descriptors that inetd gives, in a process of its
// own.
func TestStandardInput(t *testing.T) {
	socktest.NeedProc(t) // which tells what the standard descriptors are
	for _, mode := range []string{"take", "sigpipe"} {
		t.Run(mode, func(t *testing.T) {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			f, peer := os.NewFile(uintptr(fds[0]), "child's"), os.NewFile(uintptr(fds[1]), "ours")
			defer peer.Close()
			defer f.Close()
			var errs strings.Builder
			cmd := socktest.ChildCommand(t, "standard-input", mode)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, &errs
			if mode == "sigpipe" {
				peer.Close()
			}
			if err := cmd.Run(); err != nil {
				t.Errorf("%v\n%s", err, &errs)
			}
			f.Close() // reading ends then
			if mode == "sigpipe" {
				return
			}
			buf := make([]byte, 100)
			n, err := peer.Read(buf)
			if err != nil || string(buf[:n]) != "served" {
				t.Errorf("read %q, %v", buf[:n], err)
			}
		})
	}
}

func standardInput() error {
	for _, fd := range []int{1, 0} {
		s, err := sockets.FromFD(fd)
		if err != nil {
			return err
		}
		c, err := s.Conn()
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("served")[:6*(1-fd)]) // once, from 0
		if os.Args[2] == "sigpipe" {
			if fd == 0 && !errors.Is(err, syscall.EPIPE) {
				return fmt.Errorf("write: %v, want EPIPE", err)
			}
		} else if err != nil {
			return err
		}
		target, err := os.Readlink(fmt.Sprint("/proc/self/fd/", fd))
		if err != nil || target != os.DevNull {
			return fmt.Errorf("descriptor %d is %s, %v", fd, target, err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags != 0 {
			return fmt.Errorf("descriptor %d has flags %#x, %v: a child would not have it", fd, flags, err)
		}
	}
	// Goes to the null device, wholly and without an error.
	if n, err := os.Stdout.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
		return fmt.Errorf("standard output: %d, %w", n, err)
	}
	if n, err := os.Stdin.Read(make([]byte, 1)); n != 0 {
		return fmt.Errorf("standard input: %d, %w", n, err)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Fd() <= 2 {
		return fmt.Errorf("a new file is descriptor %d", f.Fd())
	}
	if err := standardError(); err != nil {
		return err
	}
	return exec.Command("/bin/sh", "-c", "echo discarded; cat").Run()
}

// standardError takes a socket that is descriptor 2, and gives back what was there.
func standardError() error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	saved, err := unix.Dup(2)
	if err != nil {
		return err
	}
	unix.CloseOnExec(saved)
	defer unix.Dup2(saved, 2)
	if err := unix.Dup2(fds[0], 2); err != nil {
		return err
	}
	s, err := sockets.FromFD(2)
	if err != nil {
		return err
	}
	defer s.Close()
	if target, err := os.Readlink("/proc/self/fd/2"); err != nil || target != os.DevNull {
		return fmt.Errorf("descriptor 2 is %s, %v", target, err)
	}
	return nil
}

// TestAdoptedPeer checks that a connected datagram socket knows its peer.
func TestAdoptedPeer(t *testing.T) {
	socktest.CheckNoLeak(t)
	peer, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	peer.SetDeadline(time.Now().Add(time.Minute))
	fd := rawFD(t, unix.AF_INET, unix.SOCK_DGRAM, 0)
	to := peer.LocalAddr().(*net.UDPAddr)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}); err != nil {
		t.Fatal(err)
	}
	s, err := sockets.FromFD(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !s.Connected() || s.Listening() {
		t.Errorf("connected %t, listening %t", s.Connected(), s.Listening())
	}
	c, err := s.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	u := c.(*sockets.UDPConn)
	if _, _, err := u.WriteMsgUDP([]byte("message"), nil, nil); err != nil {
		t.Error(err)
	}
	if _, err := u.WriteTo([]byte("x"), to); !errors.Is(err, net.ErrWriteToConnected) {
		t.Errorf("WriteTo: %v", err)
	}
	buf := make([]byte, 100)
	n, from, err := peer.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "message" || from.String() != c.LocalAddr().String() {
		t.Errorf("received %q from %v, %v", buf[:n], from, err)
	}
	// A role that does not fit leaves the descriptor.
	s2, err := sockets.New("udp")
	if err != nil {
		t.Fatal(err)
	}
	defer s2.Close()
	if _, err := s2.Listen(0); err == nil {
		t.Error("a UDP socket listens")
	}
	c2, err := s2.Connect(context.Background(), to)
	if err != nil {
		t.Fatalf("after a role that did not fit: %v", err)
	}
	c2.Close()
}

// TestRefusedStaysBlocking checks that a socket of a kind that does not fit is
// as it was, for the processes that share it.
func TestRefusedStaysBlocking(t *testing.T) {
	socktest.CheckNoLeak(t)
	tests := []struct {
		name        string
		domain, typ int
		adopt       func(f *os.File) error
	}{
		{"udp as a listener", unix.AF_INET, unix.SOCK_DGRAM, func(f *os.File) error { _, err := sockets.FileListener(f); return err }},
		{"tcp as a packet conn", unix.AF_INET, unix.SOCK_STREAM, func(f *os.File) error { _, err := sockets.FilePacketConn(f); return err }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := os.NewFile(uintptr(rawFD(t, tt.domain, tt.typ, 0)), "socket")
			defer f.Close()
			if err := tt.adopt(f); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%v, want EINVAL", err)
			}
			if on, err := sockets.Blocking(f); !on || err != nil {
				t.Errorf("Blocking: %t, %v", on, err)
			}
		})
	}
}

// wide returns n where an int is that wide, and a number that is never a descriptor elsewhere.
func wide(n int64) int {
	if int64(int(n)) == n {
		return int(n)
	}
	return -1 << 30
}

// TestPollerRefusesAdoption checks that a socket which cannot be taken, because the
// poller refuses the copy, is as it was. It runs in a process of its own, where no
// other goroutine opens files.
func TestPollerRefusesAdoption(t *testing.T) {
	if out, err := socktest.ChildCommand(t, "poller-refuses").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func init() { socktest.Children["poller-refuses"] = pollerRefuses }

func pollerRefuses() error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fds[0]), "socket")
	defer f.Close()

	// The poller knows an open file by its number. Closed behind its back, while
	// another descriptor keeps the file open, this one stays known, and the next
	// copy of f, which gets the number again, is refused with EEXIST: epoll(7).
	c, err := sockets.FileConn(f)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(c)
	rc, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	if cerr := rc.Control(func(fd uintptr) { err = unix.Close(int(fd)) }); cerr != nil || err != nil {
		return fmt.Errorf("%v, %w", cerr, err)
	}

	for _, nonblocking := range []bool{false, true} {
		if err := unix.SetNonblock(fds[0], nonblocking); err != nil {
			return err
		}
		for name, adopt := range map[string]func() error{
			"FileConn": func() error { _, err := sockets.FileConn(f); return err },
			"FromFile": func() error { _, err := sockets.FromFile(f); return err },
			"FromFD":   func() error { _, err := sockets.FromFD(fds[0]); return err },
		} {
			if err := adopt(); err == nil || !strings.Contains(err.Error(), "poller") {
				return fmt.Errorf("%s: %v, want an error of the poller", name, err)
			}
			if !socktest.IsOpen(fds[0]) {
				return errors.New(name + " closed the descriptor")
			}
			flags, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFL, 0)
			if err != nil || flags&unix.O_NONBLOCK != 0 != nonblocking {
				return fmt.Errorf("%s left flags %#x, %v, of a file that was non-blocking: %v", name, flags, err, nonblocking)
			}
		}
	}
	return nil
}
