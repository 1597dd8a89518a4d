//go:build linux

package sockets_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/sockopt"
)

// An ordinary web server and an ordinary client, on sockets with options that package net
// does not offer.
func Example() {
	lc := sockets.ListenConfig{Options: []sockopt.Setting{sockopt.ReusePort.With(true)}}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintln(w, "hello", host, err)
	}))

	d := sockets.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)},
		Options:   []sockopt.Setting{sockopt.UserTimeout.With(10 * time.Second)},
	}
	client := http.Client{Transport: &http.Transport{DialContext: d.DialContext}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Printf("%s%v\n", body, err)
	// Output:
	// hello 127.0.0.2 <nil>
	// <nil>
}

// A server and a client in the steps of the socket interface.
func ExampleSocket() {
	s, err := sockets.New("tcp4")
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close() // does nothing once Listen has taken the descriptor
	if err := s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		log.Fatal(err)
	}
	l, err := s.Listen(16)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	fmt.Println(s)

	c, err := sockets.New("tcp4")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	conn, err := c.Connect(context.Background(), l.Addr())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.RemoteAddr().String() == l.Addr().String())
	// Output:
	// closed socket
	// true
}

func ExampleNew() {
	for _, network := range []string{"tcp4", "udp6", "unixpacket"} {
		s, err := sockets.New(network)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s)
		s.Close()
	}
	// Output:
	// ipv4 stream socket, unbound
	// ipv6 datagram socket, unbound
	// unix seqpacket socket, unbound
}

// Any family, type and protocol that the kernel supports.
func ExampleNewRaw() {
	s, err := sockets.NewRaw(syscall.AF_NETLINK, syscall.SOCK_RAW, syscall.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	fmt.Println(s)
	c, err := s.PacketConn()
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Printf("%T\n", c)
	// Output:
	// netlink raw socket, unbound
	// *sockets.PacketConn
}

func ExampleSocket_Bind() {
	s, err := sockets.New("udp4")
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := sockopt.ReuseAddr.Set(s, true); err != nil {
		log.Fatal(err)
	}
	if err := s.Bind(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.LocalAddr().(*net.UDPAddr).IP)
	// Output: 127.0.0.1
}

func ExampleSocket_Listen() {
	s, err := sockets.New("unix")
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.Bind(&net.UnixAddr{}); err != nil { // a name of the kernel's choice
		log.Fatal(err)
	}
	l, err := s.Listen(8)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	fmt.Printf("%T %d\n", l, len(l.Addr().String()))
	// Output: *sockets.UnixListener 6
}

// A failed Connect leaves the Socket as it was.
func ExampleSocket_Connect() {
	l, err := sockets.Listen("unix", "@example-connect")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	s, err := sockets.New("unix")
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, name := range []string{"@example-nobody", "@example-connect"} {
		c, err := s.Connect(ctx, &net.UnixAddr{Name: name, Net: "unix"})
		if err != nil {
			fmt.Println(err)
			continue
		}
		defer c.Close()
		fmt.Println("connected to", c.RemoteAddr())
	}
	// Output:
	// dial unix @example-nobody: connect: connection refused
	// connected to @example-connect
}

// The first write waits for the connection.
func ExampleSocket_ConnectNoWait() {
	l, err := sockets.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	s, err := sockets.New("tcp4")
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	c, err := s.ConnectNoWait(l.Addr())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	n, err := c.Write([]byte("hello"))
	fmt.Println(n, err)
	// Output: 5 <nil>
}

func ExamplePair() {
	a, b, err := sockets.Pair("unix")
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	if _, err := a.Write([]byte("ping")); err != nil {
		log.Fatal(err)
	}
	if err := a.CloseWrite(); err != nil {
		log.Fatal(err)
	}
	text, err := io.ReadAll(b)
	fmt.Printf("%s %v\n", text, err)
	// Output: ping <nil>
}

func ExampleWith() {
	l, err := sockets.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	c, err := sockets.Dial("tcp", l.Addr().String())
	err = sockets.With(c, err, func(c net.Conn) error {
		_, err := io.WriteString(c, "hello")
		return err
	})
	if err != nil {
		log.Fatal(err)
	}

	a, err := l.Accept()
	err = sockets.With(a, err, func(a net.Conn) error {
		text, err := io.ReadAll(a)
		fmt.Printf("%s\n", text)
		return err
	})
	fmt.Println(err)
	// Output:
	// hello
	// <nil>
}

func ExampleDialer() {
	l, err := sockets.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	d := sockets.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)},
		Options:   []sockopt.Setting{sockopt.NoDelay.With(false)},
	}
	c, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	noDelay, err := sockopt.NoDelay.Get(c.(syscall.Conn))
	fmt.Println(c.LocalAddr().(*net.TCPAddr).IP, noDelay, err)
	// Output: 127.0.0.2 false <nil>
}

func ExampleListenConfig() {
	lc := sockets.ListenConfig{
		Backlog: 64,
		Options: []sockopt.Setting{sockopt.BindToDevice.With("lo"), sockopt.ReusePort.With(true)},
	}
	l, err := lc.Listen(context.Background(), "tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	device, err := sockopt.BindToDevice.Get(l.(syscall.Conn))
	fmt.Println(device, err)
	// Output: lo <nil>
}

func ExampleTCPListener_AcceptWith() {
	l, err := sockets.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	_, err = l.AcceptWith(sockets.AcceptConfig{NoWait: true})
	fmt.Println(errors.Is(err, sockets.ErrWouldBlock))
	_, err = l.AcceptWith(sockets.AcceptConfig{Timeout: 1})
	fmt.Println(err.(net.Error).Timeout())

	client, err := sockets.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("\xc8\x89\x15")); err != nil {
		log.Fatal(err)
	}
	format, err := sockets.ParseFormat("cp1047,nel")
	if err != nil {
		log.Fatal(err)
	}
	c, err := l.AcceptWith(sockets.AcceptConfig{Format: format, InputBufferSize: 4096})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	line, err := bufio.NewReader(c).ReadString('\n')
	fmt.Printf("%q %v\n", line, err)
	// Output:
	// true
	// true
	// "Hi\n" <nil>
}

// Text stays in the output buffer until it is full or flushed.
func ExampleTextConn_SetBufferSizes() {
	a, b, err := sockets.Pair("unix")
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	format, err := sockets.ParseFormat("utf-16be")
	if err != nil {
		log.Fatal(err)
	}
	c := sockets.NewTextConn(a, format)
	defer c.Close()
	if err := c.SetBufferSizes(4096, 4096); err != nil {
		log.Fatal(err)
	}
	if _, err := c.WriteString("Hi"); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 16)
	_, _, err = b.ReceiveFrom(buf, sockets.MsgDontWait)
	fmt.Println(errors.Is(err, sockets.ErrWouldBlock))
	if err := c.Flush(); err != nil {
		log.Fatal(err)
	}
	n, err := b.Read(buf)
	fmt.Printf("% x %v\n", buf[:n], err)
	// Output:
	// true
	// 00 48 00 69 <nil>
}

func ExampleParseAddr() {
	addr, err := sockets.ParseAddr("vsock", "2:1024")
	fmt.Printf("%+v %v\n", *addr.(*sockets.VsockAddr), err)
	// Output: {CID:2 Port:1024} <nil>
}

// A server that was killed leaves its socket's file; the next one listens in its place.
// Only this user and the group may connect.
func ExampleListenConfig_replaceStale() {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "server")
	killed, err := sockets.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		log.Fatal(err)
	}
	killed.SetUnlinkOnClose(false)
	killed.Close()

	lc := sockets.ListenConfig{ReplaceStale: true, UnixMode: 0o660}
	l, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	info, err := os.Lstat(path)
	if err != nil {
		log.Fatal(err)
	}
	_, err = lc.Listen(context.Background(), "unix", path)
	fmt.Println(info.Mode(), errors.Is(err, syscall.EADDRINUSE))
	// Output: Srw-rw---- true
}

// A listener removes its own file, not that of a server that has replaced it.
func ExampleUnixListener_Close() {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "server")
	old, err := sockets.Listen("unix", path)
	if err != nil {
		log.Fatal(err)
	}
	// The new server listens beside it, and takes the path in one step.
	l, err := sockets.Listen("unix", path+".new")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	if err := os.Rename(path+".new", path); err != nil {
		log.Fatal(err)
	}
	old.Close()
	c, err := sockets.Dial("unix", path)
	if err != nil {
		log.Fatal(err)
	}
	c.Close()
	fmt.Println("connected to the new server")
	// Output: connected to the new server
}

// A program that has addresses, from a service registry or from its own resolver, dials
// them as Dial does those of a name: over both families if there are both.
func ExampleDialer_DialAddrs() {
	l, err := sockets.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()

	addrs := []netip.AddrPort{
		netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), port), // which refuses
		netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port),
	}
	var d sockets.Dialer
	c, err := d.DialAddrs(context.Background(), "tcp", addrs)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.RemoteAddr().(*net.TCPAddr).IP)
	// Output: 127.0.0.1
}

// A program serves and dials in the network namespace of a container without moving
// there itself.
func ExampleDialer_netNS() {
	netns, err := os.Open("/proc/self/ns/net") // or /run/netns/blue, /proc/1234/ns/net
	if err != nil {
		log.Fatal(err)
	}
	defer netns.Close()

	lc := sockets.ListenConfig{NetNS: netns}
	d := sockets.Dialer{NetNS: netns}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if errors.Is(err, fs.ErrPermission) {
		// Without CAP_SYS_ADMIN there is only the namespace of the process.
		lc.NetNS, d.NetNS = nil, nil
		l, err = lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	}
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprint(c, "hello from the namespace")
		c.Close()
	}()

	c, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	fmt.Printf("%s %v\n", b, err)
	// Output: hello from the namespace <nil>
}

func ExampleOption_Set() {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	udp := c.(*net.UDPConn)

	if err := sockopt.TOS.Set(udp, 0x28); err != nil {
		log.Fatal(err)
	}
	tos, err := sockopt.TOS.Get(udp)
	fmt.Printf("%#x %v\n", tos, err)
	// Output: 0x28 <nil>
}

// Setting an option that the socket does not have returns an error that says so.
func ExampleOption_Set_unsupported() {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	err = sockopt.NoDelay.Set(c.(*net.UDPConn), true)
	fmt.Println(errors.Is(err, errors.ErrUnsupported))
	if e, ok := errors.AsType[*sockopt.Error](err); ok {
		fmt.Println(e)
	}
	// Output:
	// true
	// TCP_NODELAY on udp4 socket: setsockopt: protocol not available
}

func ExampleOption_Get() {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	reuse, err := sockopt.ReuseAddr.Get(l.(*net.TCPListener))
	fmt.Println(sockopt.ReuseAddr, reuse, err)
	// Output: SO_REUSEADDR true <nil>
}

func ExampleOption_With() {
	settings := []sockopt.Setting{
		sockopt.ReuseAddr.With(true),
		sockopt.Broadcast.With(true),
		sockopt.BindToDevice.With("lo"),
		sockopt.KeepAlive.With(true),
		sockopt.KeepIdle.With(30 * time.Second),
		sockopt.Linger.With(sockopt.LingerConfig{Enable: true, Timeout: 5 * time.Second}),
	}
	for _, s := range settings {
		fmt.Println(s)
	}
	// Output:
	// SO_REUSEADDR=true
	// SO_BROADCAST=true
	// SO_BINDTODEVICE=lo
	// SO_KEEPALIVE=true
	// TCP_KEEPIDLE=30s
	// SO_LINGER=5s
}

func ExampleReadOnlyOption_Get() {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	info, err := sockopt.ConnectionInfo.Get(c.(*net.TCPConn))
	fmt.Println(info.State, info.RTT > 0, err)
	// Output: ESTAB true <nil>
}
