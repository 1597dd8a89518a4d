//go:build linux

package cost

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// What the types of package net and ours have in common.
type (
	conn interface {
		net.Conn
		syscall.Conn
		File() (*os.File, error)
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	}
	tcpConn interface {
		conn
		io.ReaderFrom
		io.WriterTo
		CloseRead() error
		CloseWrite() error
		MultipathTCP() (bool, error)
		SetKeepAlive(bool) error
		SetKeepAliveConfig(net.KeepAliveConfig) error
		SetKeepAlivePeriod(time.Duration) error
		SetLinger(int) error
		SetNoDelay(bool) error
	}
	udpConn interface {
		conn
		net.PacketConn
		ReadFromUDP([]byte) (int, *net.UDPAddr, error)
		ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error)
		ReadMsgUDP(b, oob []byte) (int, int, int, *net.UDPAddr, error)
		ReadMsgUDPAddrPort(b, oob []byte) (int, int, int, netip.AddrPort, error)
		WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (int, int, error)
		WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (int, int, error)
		WriteToUDP([]byte, *net.UDPAddr) (int, error)
		WriteToUDPAddrPort([]byte, netip.AddrPort) (int, error)
	}
	ipConn interface {
		conn
		net.PacketConn
		ReadFromIP([]byte) (int, *net.IPAddr, error)
		ReadMsgIP(b, oob []byte) (int, int, int, *net.IPAddr, error)
		WriteMsgIP(b, oob []byte, addr *net.IPAddr) (int, int, error)
		WriteToIP([]byte, *net.IPAddr) (int, error)
	}
	unixConn interface {
		conn
		net.PacketConn
		CloseRead() error
		CloseWrite() error
		ReadFromUnix([]byte) (int, *net.UnixAddr, error)
		ReadMsgUnix(b, oob []byte) (int, int, int, *net.UnixAddr, error)
		WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (int, int, error)
		WriteToUnix([]byte, *net.UnixAddr) (int, error)
	}
	listener interface {
		net.Listener
		syscall.Conn
		File() (*os.File, error)
		SetDeadline(time.Time) error
	}
	dialer interface {
		Dial(network, address string) (net.Conn, error)
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
		MultipathTCP() bool
		SetMultipathTCP(bool)
	}
	listenConfig interface {
		Listen(ctx context.Context, network, address string) (net.Listener, error)
		ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
		MultipathTCP() bool
		SetMultipathTCP(bool)
	}
)

// A library is package net or ours: the functions, and those methods whose types differ.
type library struct {
	Dialer       func() dialer
	ListenConfig func() listenConfig

	Dial           func(network, address string) (net.Conn, error)
	DialTimeout    func(network, address string, timeout time.Duration) (net.Conn, error)
	DialIP         func(network string, laddr, raddr *net.IPAddr) (net.Conn, error)
	DialTCP        func(network string, laddr, raddr *net.TCPAddr) (net.Conn, error)
	DialUDP        func(network string, laddr, raddr *net.UDPAddr) (net.Conn, error)
	DialUnix       func(network string, laddr, raddr *net.UnixAddr) (net.Conn, error)
	FileConn       func(*os.File) (net.Conn, error)
	FileListener   func(*os.File) (net.Listener, error)
	FilePacketConn func(*os.File) (net.PacketConn, error)
	Listen         func(network, address string) (net.Listener, error)
	ListenPacket   func(network, address string) (net.PacketConn, error)
	ListenIP       func(network string, laddr *net.IPAddr) (net.Conn, error)
	ListenTCP      func(network string, laddr *net.TCPAddr) (net.Listener, error)
	ListenUDP      func(network string, laddr *net.UDPAddr) (net.Conn, error)
	ListenUnix     func(network string, laddr *net.UnixAddr) (net.Listener, error)
	ListenUnixgram func(network string, laddr *net.UnixAddr) (net.Conn, error)

	DialerDialIP   func(d dialer, network string, laddr, raddr netip.Addr) (net.Conn, error)
	DialerDialTCP  func(d dialer, network string, laddr, raddr netip.AddrPort) (net.Conn, error)
	DialerDialUDP  func(d dialer, network string, laddr, raddr netip.AddrPort) (net.Conn, error)
	DialerDialUnix func(d dialer, network string, laddr, raddr *net.UnixAddr) (net.Conn, error)
	AcceptTCP      func(net.Listener) (net.Conn, error)
	AcceptUnix     func(net.Listener) (net.Conn, error)
	UnlinkOnClose  func(net.Listener, bool)

	// AcceptWith is Accept within a time: what package net has for it is a deadline.
	AcceptWith func(l net.Listener, timeout time.Duration) (net.Conn, error)
}

var bg = context.Background()

var packageNet = library{
	func() dialer { return new(net.Dialer) }, func() listenConfig { return new(net.ListenConfig) },
	net.Dial, net.DialTimeout,
	func(n string, l, r *net.IPAddr) (net.Conn, error) { return net.DialIP(n, l, r) },
	func(n string, l, r *net.TCPAddr) (net.Conn, error) { return net.DialTCP(n, l, r) },
	func(n string, l, r *net.UDPAddr) (net.Conn, error) { return net.DialUDP(n, l, r) },
	func(n string, l, r *net.UnixAddr) (net.Conn, error) { return net.DialUnix(n, l, r) },
	net.FileConn, net.FileListener, net.FilePacketConn, net.Listen, net.ListenPacket,
	func(n string, l *net.IPAddr) (net.Conn, error) { return net.ListenIP(n, l) },
	func(n string, l *net.TCPAddr) (net.Listener, error) { return net.ListenTCP(n, l) },
	func(n string, l *net.UDPAddr) (net.Conn, error) { return net.ListenUDP(n, l) },
	func(n string, l *net.UnixAddr) (net.Listener, error) { return net.ListenUnix(n, l) },
	func(n string, l *net.UnixAddr) (net.Conn, error) { return net.ListenUnixgram(n, l) },
	func(d dialer, n string, l, r netip.Addr) (net.Conn, error) {
		return d.(*net.Dialer).DialIP(bg, n, l, r)
	},
	func(d dialer, n string, l, r netip.AddrPort) (net.Conn, error) {
		return d.(*net.Dialer).DialTCP(bg, n, l, r)
	},
	func(d dialer, n string, l, r netip.AddrPort) (net.Conn, error) {
		return d.(*net.Dialer).DialUDP(bg, n, l, r)
	},
	func(d dialer, n string, l, r *net.UnixAddr) (net.Conn, error) {
		return d.(*net.Dialer).DialUnix(bg, n, l, r)
	},
	func(l net.Listener) (net.Conn, error) { return l.(*net.TCPListener).AcceptTCP() },
	func(l net.Listener) (net.Conn, error) { return l.(*net.UnixListener).AcceptUnix() },
	func(l net.Listener, on bool) { l.(*net.UnixListener).SetUnlinkOnClose(on) },
	func(l net.Listener, timeout time.Duration) (net.Conn, error) {
		if timeout != 0 {
			l.(*net.TCPListener).SetDeadline(time.Now().Add(timeout))
		}
		return l.Accept()
	},
}

var thisPackage = library{
	func() dialer { return new(sockets.Dialer) }, func() listenConfig { return new(sockets.ListenConfig) },
	sockets.Dial, sockets.DialTimeout,
	func(n string, l, r *net.IPAddr) (net.Conn, error) { return sockets.DialIP(n, l, r) },
	func(n string, l, r *net.TCPAddr) (net.Conn, error) { return sockets.DialTCP(n, l, r) },
	func(n string, l, r *net.UDPAddr) (net.Conn, error) { return sockets.DialUDP(n, l, r) },
	func(n string, l, r *net.UnixAddr) (net.Conn, error) { return sockets.DialUnix(n, l, r) },
	sockets.FileConn, sockets.FileListener, sockets.FilePacketConn, sockets.Listen, sockets.ListenPacket,
	func(n string, l *net.IPAddr) (net.Conn, error) { return sockets.ListenIP(n, l) },
	func(n string, l *net.TCPAddr) (net.Listener, error) { return sockets.ListenTCP(n, l) },
	func(n string, l *net.UDPAddr) (net.Conn, error) { return sockets.ListenUDP(n, l) },
	func(n string, l *net.UnixAddr) (net.Listener, error) { return sockets.ListenUnix(n, l) },
	func(n string, l *net.UnixAddr) (net.Conn, error) { return sockets.ListenUnixgram(n, l) },
	func(d dialer, n string, l, r netip.Addr) (net.Conn, error) {
		return d.(*sockets.Dialer).DialIP(bg, n, l, r)
	},
	func(d dialer, n string, l, r netip.AddrPort) (net.Conn, error) {
		return d.(*sockets.Dialer).DialTCP(bg, n, l, r)
	},
	func(d dialer, n string, l, r netip.AddrPort) (net.Conn, error) {
		return d.(*sockets.Dialer).DialUDP(bg, n, l, r)
	},
	func(d dialer, n string, l, r *net.UnixAddr) (net.Conn, error) {
		return d.(*sockets.Dialer).DialUnix(bg, n, l, r)
	},
	func(l net.Listener) (net.Conn, error) { return l.(*sockets.TCPListener).AcceptTCP() },
	func(l net.Listener) (net.Conn, error) { return l.(*sockets.UnixListener).AcceptUnix() },
	func(l net.Listener, on bool) { l.(*sockets.UnixListener).SetUnlinkOnClose(on) },
	func(l net.Listener, timeout time.Duration) (net.Conn, error) {
		return l.(*sockets.TCPListener).AcceptWith(sockets.AcceptConfig{Timeout: timeout})
	},
}

// A bench has what an operation needs: memory, and a place for what it makes, which is
// closed in the end.
type bench struct {
	*testing.T
	*library
	n      int // how often the operation is done
	b, oob []byte
	made   []io.Closer
	d      dialer
	lc     listenConfig
}

func (b *bench) check(err error) {
	if err != nil {
		b.Helper()
		b.Fatal(err)
	}
}

func keep[T io.Closer](b *bench, c T, err error) T {
	b.check(err)
	b.made = append(b.made, c)
	return c
}

func (b *bench) closeAll() {
	for _, c := range b.made {
		c.Close()
	}
	b.made = b.made[:0]
}

// address returns one to listen at, of the given network.
func (b *bench) address(network string) string {
	switch network {
	case "unix", "unixgram", "unixpacket":
		return filepath.Join(socktest.ShortDir(b), "s")
	case "udp6":
		socktest.NeedNetwork(b, "udp6")
		return "[::1]:0"
	case "ip4:253":
		return "127.0.0.1"
	}
	return "127.0.0.1:0"
}

// pair returns the ends of a new connection.
func (b *bench) pair(network string) (dialed, accepted net.Conn) {
	l, err := b.Listen(network, b.address(network))
	b.check(err)
	defer l.Close()
	dialed, err = b.Dial(network, l.Addr().String())
	dialed = keep(b, dialed, err)
	accepted, err = l.Accept()
	return dialed, keep(b, accepted, err)
}

func (b *bench) packet(network string) net.PacketConn {
	c, err := b.ListenPacket(network, b.address(network))
	return keep(b, c, err)
}

// files returns a file of c for each time.
func (b *bench) files(c interface{ File() (*os.File, error) }) []*os.File {
	files := make([]*os.File, b.n)
	for i := range files {
		f, err := c.File()
		files[i] = keep(b, f, err)
	}
	return files
}

// An operation prepares itself and returns what is measured, which is told how often it
// was done before.
type operation func(b *bench) func(i int)

// always is an operation that does the same every time.
func always(prepare func(b *bench) func() error) operation {
	return func(b *bench) func(int) {
		op := prepare(b)
		return func(int) { b.check(op()) }
	}
}

// cost returns the allocations and the bytes that an operation takes.
func cost(t *testing.T, l *library, op operation) (allocs, size uint64) {
	n := min(64, uint64(socktest.FileLimit(t)/12)) // each time may leave several open
	allocs, size = 1<<62, 1<<62
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which empties pools
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range 4 { // others may allocate meanwhile
		b := &bench{T: t, library: l, n: int(2 * n), b: make([]byte, 64), oob: make([]byte, 64), made: make([]io.Closer, 0, 16*n)}
		t.Cleanup(b.closeAll)
		run := op(b)
		for i := range n {
			run(int(i))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := range n {
			run(int(n + i))
		}
		runtime.ReadMemStats(&after)
		b.closeAll()
		allocs = min(allocs, (after.Mallocs-before.Mallocs)/n)
		size = min(size, (after.TotalAlloc-before.TotalAlloc)/n)
	}
	return allocs, size
}

// more is what ours may take besides, and why.
var more = map[string]struct{ allocs, size uint64 }{
	// A descriptor waits in the poller through an os.File, which takes 104 bytes in two
	// allocations, and net's own does not. Where net resolves a name, or takes addresses
	// apart, ours saves as much elsewhere; adopting a descriptor does neither.
	"FileConn ip":    {1, 24},
	"FileConn udp":   {1, 40},
	"FilePacketConn": {1, 40},

	// The same, and a listener hands down options to what it accepts and lets AcceptWith
	// give up, for which it has 128 bytes.
	"FileListener tcp":  {1, 104},
	"FileListener unix": {1, 88},

	// The same, with no more allocations.
	"Dialer.DialIP":        {0, 16},
	"DialIP":               {0, 40},
	"FileConn tcp":         {0, 24},
	"Listen tcp":           {0, 24},
	"Listen tcp, wildcard": {0, 8},
	"ListenConfig.Listen":  {0, 24},
	"ListenIP":             {0, 40},
	"ListenPacket ip":      {0, 8},
	"ListenTCP":            {0, 88},
	"ListenUDP":            {0, 24},

	// A unix listener looks whether the file at its path is its own before it removes that,
	// and the kernel is told the path once more, which may have 108 bytes.
	"UnixListener.Close": {1, 112},
}

// TestNamesakes compares what each function and method takes of the heap with what its
// namesake in package net does.
func TestNamesakes(t *testing.T) {
	if socktest.Race {
		t.Skip("the race detector allocates; the run without it counts")
	}
	raw := true
	if c, err := net.ListenPacket("ip4:253", "127.0.0.1"); err == nil {
		c.Close()
	} else if errors.Is(err, os.ErrPermission) {
		raw = false
	} else {
		t.Fatal(err)
	}
	for _, row := range namesakes {
		t.Run(row.name, func(t *testing.T) {
			if row.raw && !raw {
				t.Skip("no permission for raw sockets")
			}
			wantAllocs, wantSize := cost(t, &packageNet, row.op)
			allocs, size := cost(t, &thisPackage, row.op)
			t.Logf("%s: %d allocations, %d bytes; net %d, %d", row.name, allocs, size, wantAllocs, wantSize)
			more := more[row.name]
			if allocs > wantAllocs+more.allocs {
				t.Errorf("%d allocations, want %d at most", allocs, wantAllocs+more.allocs)
			}
			if size > wantSize+more.size {
				t.Errorf("%d bytes, want %d at most", size, wantSize+more.size)
			}
		})
	}
}

// TestNamesakesAreAll finds functions and methods that no operation is about.
func TestNamesakesAreAll(t *testing.T) {
	have := map[string]bool{}
	for _, row := range namesakes {
		name, _, _ := strings.Cut(row.name, " ")
		have[name] = true
	}
	for _, of := range []any{
		new(net.Dialer), new(net.ListenConfig), new(net.IPConn), new(net.TCPConn), new(net.UDPConn), new(net.UnixConn),
		new(net.TCPListener), new(net.UnixListener),
	} {
		typ := reflect.TypeOf(of)
		for i := range typ.NumMethod() {
			if name := typ.Elem().Name() + "." + typ.Method(i).Name; !have[name] {
				t.Errorf("%s: no operation", name)
			}
		}
	}
	// The fields are the functions, and behind the first two and from DialerDialIP on methods.
	fields := reflect.TypeFor[library]()
	for i := range fields.NumField() {
		switch name := fields.Field(i).Name; name {
		case "Dialer", "ListenConfig":
		case "DialerDialIP":
			return
		default:
			if !have[name] {
				t.Errorf("%s: no operation", name)
			}
		}
	}
}
