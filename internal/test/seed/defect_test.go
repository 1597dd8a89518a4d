//go:build linux

package seed

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
	"golang.org/x/sys/unix"
)

// TestSeedDefects does what IOLib is observed to get wrong. External formats and
// passed descriptors have tests of their own.
func TestSeedDefects(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"nothing is close-on-exec", defectCloseOnExec},
		{"datagram and raw impossible as a pair", seedPairType},
		{"flags count by presence", defectFlagsByPresence},
		{"accept may return nothing", defectAcceptNothing},
		{"body runs without a connection", defectWithoutConnection},
		{"double close hits a stranger", defectDoubleClose},
		{"truncation invisible", seedReceiveBuffer},
		{"digit strings need a services entry", defectServices},
		{"names counted in characters", defectUnixNames},
		{"port without host ignored", defectPortWithoutHost},
		{"wildcard of IPv4 only", defectWildcard},
		{"address reuse for UDP", defectReuseUDP},
		{"impossible kinds", defectImpossible},
		{"classes of errors", defectErrors},
		{"first address only, files stay", defectFirstAddress},
	} {
		t.Run(row.name, row.do)
	}
}

// isCloseOnExec wants the flag on c's descriptor.
func isCloseOnExec(t *testing.T, c syscall.Conn) {
	t.Helper()
	socktest.WithFD(t, c, func(fd int) error {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			err = fmt.Errorf("the descriptor of a %T survives exec", c)
		}
		return err
	})
}

func defectCloseOnExec(t *testing.T) {
	s := conntest.NewSocket(t, "tcp4")
	f, err := s.File()
	socktest.Check(t, err)
	defer f.Close()
	r, err := sockets.NewRaw(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	socktest.Check(t, err)
	socktest.CloseLater(t, r)
	x, y, err := sockets.Pair("unix")
	socktest.Check(t, err)
	socktest.CloseLater(t, x)
	socktest.CloseLater(t, y)
	a, b := conntest.Dialed(t, "tcp4")
	for _, c := range []syscall.Conn{s, f, r, x, y, a, b, conntest.Listen4(t), conntest.Packets(t, "udp4")} {
		isCloseOnExec(t, c)
	}
}

// An option or a flag with the value off is off.
func defectFlagsByPresence(t *testing.T) {
	d := sockets.Dialer{Options: []sockopt.Setting{sockopt.KeepAlive.With(false)}}
	c, err := d.Dial("tcp", conntest.Listen4(t).Addr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	if on, err := sockopt.KeepAlive.Get(c.(syscall.Conn)); on || err != nil {
		t.Errorf("KeepAlive set to false is %v, %v", on, err)
	}
	a, b := conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4")
	_, err = a.SendTo([]byte("x"), b.LocalAddr(), 0)
	socktest.Check(t, err)
	conntest.WantReceive(t, b, 2, 0, "x") // not Peek
	_, _, err = b.ReceiveFrom(make([]byte, 1), sockets.MsgDontWait)
	socktest.WantError(t, err, "read", sockets.ErrWouldBlock)
}

// A connection that is gone before it was accepted does not end the wait.
func defectAcceptNothing(t *testing.T) {
	l := conntest.Listen4(t)
	socktest.WhileBlocked(t, func() {
		for {
			c, err := l.AcceptWith(sockets.AcceptConfig{})
			if c == nil || err != nil {
				t.Errorf("accepted %v, %v", c, err)
				return
			}
			last, _ := io.ReadAll(c)
			c.Close()
			if string(last) == "last" {
				return
			}
		}
	}, func() {
		reset, err := sockets.Dial("tcp4", l.Addr().String())
		socktest.Check(t, err)
		socktest.Check(t, reset.(*sockets.TCPConn).SetLinger(0))
		socktest.Check(t, reset.Close())
		c := conntest.DialTo(t, l)
		_, err = c.Write([]byte("last"))
		socktest.Check(t, err)
		socktest.Check(t, c.Close())
	})
}

func defectWithoutConnection(t *testing.T) {
	l := conntest.Listen4(t)
	c, err := l.AcceptWith(sockets.AcceptConfig{NoWait: true})
	err = sockets.With(c, err, func(c net.Conn) error {
		t.Error("the body runs with", c)
		return nil
	})
	socktest.WantError(t, err, "accept", sockets.ErrWouldBlock)
}

func defectDoubleClose(t *testing.T) {
	s, err := sockets.New("unix")
	socktest.Check(t, err)
	var fd int
	socktest.WithFD(t, s, func(n int) error { fd = n; return nil })
	socktest.Check(t, s.Close())
	stranger, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	socktest.Check(t, err)
	defer syscall.Close(stranger)
	if stranger != fd {
		t.Skipf("number %d was not given away again, but %d", fd, stranger)
	}
	socktest.Check(t, s.Close())
	var st syscall.Stat_t
	if err := syscall.Fstat(stranger, &st); err != nil {
		t.Errorf("the second Close closed a stranger: %v", err)
	}
}

// Numbers are numbers, and names are those of the socket's protocol.
func defectServices(t *testing.T) {
	for _, tt := range []struct{ network, address, want string }{
		{"udp4", "127.0.0.1:61234", "127.0.0.1:61234"},
		{"udp4", "127.0.0.1:tftp", "127.0.0.1:69"}, // no service of TCP
		{"udp4", "127.0.0.1:domain", "127.0.0.1:53"},
	} {
		c, err := sockets.Dial(tt.network, tt.address)
		var unknown *net.DNSError
		if errors.As(err, &unknown) {
			t.Logf("%s is not in this system's list of services", tt.address)
			continue
		}
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
		if got := c.RemoteAddr().String(); got != tt.want {
			t.Errorf("%s leads to %s, want %s", tt.address, got, tt.want)
		}
	}
	var unknown *net.DNSError
	if _, err := sockets.Dial("tcp4", "127.0.0.1:nosuchservice"); !errors.As(err, &unknown) {
		t.Errorf("unknown service: %v, want *net.DNSError", err)
	}
}

func defectUnixNames(t *testing.T) {
	dir := socktest.ShortDir(t)
	// As long as sun_path, in bytes and with two to a character.
	path := dir + "/" + strings.Repeat("é", (107-len(dir)-1)/2)
	abstract := "@" + strings.Repeat("x", 100) + "\x00\x00"
	for _, name := range []string{path, abstract + strings.Repeat("y", 108-len(abstract))} {
		l, err := sockets.Listen("unix", name)
		socktest.Check(t, err)
		socktest.CloseLater(t, l)
		c := conntest.DialTo(t, l)
		if diff := cmp.Diff(&net.UnixAddr{Name: name, Net: "unix"}, c.RemoteAddr()); diff != "" {
			t.Errorf("name (-want +got):\n%s", diff)
		}
		if got := c.LocalAddr().String(); got != "@" {
			t.Errorf("the unnamed end is %q", got)
		}
	}
	s := conntest.NewSocket(t, "unix")
	if s.LocalAddr() != nil {
		t.Errorf("a new socket has the name %v", s.LocalAddr())
	}
	var wrong *sockets.ArgumentError
	for _, name := range []string{path + "\x00", "a\x00b"} {
		if err := s.Bind(&net.UnixAddr{Name: name}); !errors.As(err, &wrong) {
			t.Errorf("path %q: %v, want *ArgumentError", name, err)
		}
	}
	socktest.WantError(t, s.Bind(&net.UnixAddr{Name: strings.Repeat("é", 54)}), "bind", syscall.EINVAL)
	// Destinations are as exact as names.
	short, err := sockets.ListenPacket("unixgram", "@defect")
	socktest.Check(t, err)
	socktest.CloseLater(t, short)
	_, err = conntest.Packets(t, "unixgram").SendTo([]byte("x"), &net.UnixAddr{Name: "@defect\x00", Net: "unixgram"}, 0)
	socktest.WantError(t, err, "write", syscall.ECONNREFUSED)
}

func defectPortWithoutHost(t *testing.T) {
	s := conntest.NewSocket(t, "tcp")
	socktest.Check(t, s.Bind(&net.TCPAddr{}))
	l, err := s.Listen(0)
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	addr := l.Addr().(*net.TCPAddr)
	if !addr.IP.IsUnspecified() || addr.Port == 0 {
		t.Errorf("listening on %v, want the wildcard and a port", addr)
	}
	d := sockets.Dialer{LocalAddr: &net.UDPAddr{Port: packetsPort(t)}}
	c, err := d.Dial("udp4", "127.0.0.1:9")
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	if got, want := c.LocalAddr().(*net.UDPAddr).Port, d.LocalAddr.(*net.UDPAddr).Port; got != want {
		t.Errorf("dialed from port %d, want %d", got, want)
	}
}

// packetsPort returns a port that was free a moment ago.
func packetsPort(t *testing.T) int {
	t.Helper()
	c, err := sockets.ListenPacket("udp4", ":0")
	socktest.Check(t, err)
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

func defectWildcard(t *testing.T) {
	s := conntest.NewSocket(t, "tcp")
	socktest.Check(t, s.Bind(&net.TCPAddr{IP: net.IPv4zero}))
	l, err := s.Listen(0)
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	port := l.Addr().(*net.TCPAddr).Port
	hosts := []string{"127.0.0.1"}
	if socktest.HasIPv6() {
		hosts = append(hosts, "::1")
	}
	for _, host := range hosts {
		c, err := sockets.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
		socktest.Check(t, err)
		socktest.Check(t, c.Close())
	}
	only, err := sockopt.V6Only.Get(conntest.NewSocket(t, "tcp6"))
	if !only || err != nil {
		t.Errorf("tcp6 is IPv6 only: %v, %v", only, err)
	}
}

func defectReuseUDP(t *testing.T) {
	a := conntest.Packets(t, "udp4")
	_, err := sockets.ListenPacket("udp4", a.LocalAddr().String())
	socktest.WantError(t, err, "listen", syscall.EADDRINUSE)
	socktest.WantError(t, conntest.NewSocket(t, "udp4").Bind(a.LocalAddr()), "bind", syscall.EADDRINUSE)
}

func defectImpossible(t *testing.T) {
	for _, make := range []func() (*sockets.Socket, error){
		func() (*sockets.Socket, error) { return sockets.New("unixstream") },
		func() (*sockets.Socket, error) { return sockets.NewRaw(syscall.AF_INET, syscall.SOCK_RDM, 0) },
		func() (*sockets.Socket, error) {
			return sockets.NewRaw(syscall.AF_UNIX, syscall.SOCK_STREAM, syscall.IPPROTO_TCP)
		},
	} {
		s, err := make()
		var op *net.OpError
		if s != nil || !errors.As(err, &op) || op.Op != "socket" {
			t.Errorf("%v, %v; want an error of socket", s, err)
		}
	}
}

// One failure has one error, whatever call comes upon it.
func defectErrors(t *testing.T) {
	l := conntest.Listen4(t)
	socktest.Check(t, l.Close())
	_, dialErr := sockets.Dial("tcp4", l.Addr().String())
	_, connectErr := conntest.NewSocket(t, "tcp4").Connect(t.Context(), l.Addr())
	for _, err := range []error{dialErr, connectErr} {
		socktest.WantError(t, err, "dial", syscall.ECONNREFUSED)
		if diff := cmp.Diff(dialErr.Error(), err.Error()); diff != "" {
			t.Errorf("texts (-Dial +other):\n%s", diff)
		}
	}
	a, _ := conntest.Dialed(t, "unix")
	socktest.Check(t, a.Close())
	_, writeErr := a.Write(nil)
	_, sendErr := a.SendTo(nil, nil, 0)
	_, readErr := a.Read(make([]byte, 1))
	for _, err := range []error{writeErr, sendErr, readErr, a.Close(), a.SetDeadline(time.Time{})} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v, want ErrClosed", err)
		}
	}
}

func defectFirstAddress(t *testing.T) {
	// localhost is ::1 as well, where nobody listens.
	l := conntest.Listen4(t)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c, err := sockets.Dial("tcp", "localhost:"+port)
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	path := filepath.Join(socktest.ShortDir(t), "s")
	for _, keep := range []bool{false, true} {
		u, err := sockets.Listen("unix", path)
		socktest.Check(t, err)
		u.(*sockets.UnixListener).SetUnlinkOnClose(!keep)
		socktest.Check(t, u.Close())
		if _, err := os.Lstat(path); (err == nil) != keep {
			t.Errorf("after Close: %v, want the file kept: %v", err, keep)
		}
	}
}
