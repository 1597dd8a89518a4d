//go:build linux

package sockets_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
)

func TestReadErrorQueue(t *testing.T) {
	socktest.NeedOption(t, "IP_RECVERR")
	socktest.NeedErrorQueue(t)
	for _, network := range []string{"udp4", "udp6"} {
		t.Run(network, func(t *testing.T) {
			gone, c := conntest.OpenUDP(t, network), conntest.OpenUDP(t, network)
			conntest.LimitTime(t, c)
			option := sockopt.ReceiveError
			if network == "udp6" {
				option = sockopt.ReceiveError6
			}
			conntest.SetOptions(t, c, option)
			b := make([]byte, 100)
			if _, _, err := c.ReadErrorQueue(b); !errors.Is(err, syscall.EAGAIN) {
				t.Errorf("ReadErrorQueue of an empty queue: %v, want EAGAIN", err)
			}
			to := gone.LocalAddr().(*net.UDPAddr)
			gone.Close()
			if _, err := c.WriteTo([]byte("hello"), to); err != nil {
				t.Fatal(err)
			}
			// The report wakes readers, and stays in the queue.
			if _, _, err := c.ReadFrom(b); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatalf("ReadFrom: %v, want ECONNREFUSED", err)
			}
			n, report, err := c.ReadErrorQueue(b)
			if err != nil {
				t.Fatal(err)
			}
			want := QueuedError{Addr: to.AddrPort(), Err: syscall.ECONNREFUSED, Origin: QueuedICMP, Reporter: to.AddrPort().Addr(), Type: 3, Code: 3}
			if network == "udp6" {
				want.Origin, want.Type, want.Code = QueuedICMP6, 1, 4
			}
			want.Addr = netip.AddrPortFrom(want.Addr.Addr().Unmap(), want.Addr.Port())
			want.Reporter = want.Reporter.Unmap()
			if *report != want || string(b[:n]) != "hello" {
				t.Errorf("report %+v about %q, want %+v about hello", *report, b[:n], want)
			}
			if !errors.Is(report, syscall.ECONNREFUSED) {
				t.Errorf("%v does not match ECONNREFUSED", report)
			}
			c.Close()
			if _, _, err := c.ReadErrorQueue(b); !errors.Is(err, net.ErrClosed) {
				t.Errorf("ReadErrorQueue after Close: %v", err)
			}
		})
	}
	if _, _, err := new(UDPConn).ReadErrorQueue(nil); err != syscall.EINVAL {
		t.Errorf("ReadErrorQueue of the zero value: %v", err)
	}
}

// A reader that waits for datagrams does not keep reports from being read.
func TestReadErrorQueueBesideReader(t *testing.T) {
	socktest.NeedErrorQueue(t)
	gone, c := conntest.OpenUDP(t, "udp4"), conntest.OpenUDP(t, "udp4")
	conntest.SetOptions(t, c, sockopt.ReceiveError)
	to := gone.LocalAddr()
	gone.Close()
	done := make(chan error)
	go func() {
		_, _, err := c.ReadFrom(make([]byte, 10))
		done <- err
	}()
	conntest.WaitBlocked(t, c)
	if _, _, err := c.ReadErrorQueue(nil); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("ReadErrorQueue: %v, want EAGAIN", err)
	}
	if _, err := c.WriteTo([]byte("x"), to); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the reader got %v, want ECONNREFUSED", err)
	}
}

// timestampSent has the error queue of c tell when datagrams leave.
func timestampSent(t *testing.T, c syscall.Conn) {
	t.Helper()
	socktest.NeedTimestampSent(t)
	const what = sockopt.TimestampTxSoftware | sockopt.TimestampSoftware | sockopt.TimestampOptTSOnly | sockopt.TimestampOptID
	socktest.Check(t, sockopt.Timestamping.Set(c, what))
}

// The error queue has more than errors: when datagrams left.
func TestReadErrorQueueOfTimestamp(t *testing.T) {
	for _, network := range []string{"udp4", "udp6"} {
		t.Run(network, func(t *testing.T) {
			c := conntest.OpenUDP(t, network)
			timestampSent(t, c)
			for i := range uint32(2) {
				before := time.Now()
				if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
					t.Fatal(err)
				}
				conntest.WaitError(t, c)
				_, report, err := c.ReadErrorQueue(nil)
				if err != nil {
					t.Fatal(err)
				}
				if report.Time.Sub(before).Abs() > time.Hour {
					t.Errorf("sent at %v, not %v", report.Time, before)
				}
				report.Time = time.Time{}
				want := QueuedError{Err: syscall.ENOMSG, Origin: QueuedTimestamp, Data: i}
				if *report != want {
					t.Errorf("report %+v, want %+v", *report, want)
				}
			}
			if _, _, err := c.ReadErrorQueue(nil); !errors.Is(err, syscall.EAGAIN) {
				t.Errorf("ReadErrorQueue of an empty queue: %v, want EAGAIN", err)
			}
		})
	}
}

// A send without a copy is reported once its buffer is free.
func TestReadErrorQueueOfZeroCopy(t *testing.T) {
	socktest.NeedErrorQueue(t)
	socktest.NeedSendFlag(t, unix.MSG_ZEROCOPY)
	c, to := conntest.OpenUDP(t, "udp4"), conntest.OpenUDP(t, "udp4")
	if err := sockopt.ZeroCopy.Set(c, true); err != nil {
		t.Skip(err)
	}
	conntest.LimitTime(t, to)
	msgs := []Message{{Buffers: [][]byte{make([]byte, 1000)}, Addr: to.LocalAddr()}}
	for i := range uint32(2) {
		if n, err := c.WriteBatch(msgs, unix.MSG_ZEROCOPY); n != 1 || err != nil {
			t.Fatalf("WriteBatch: %d, %v", n, err)
		}
		if _, err := to.Read(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		conntest.WaitError(t, c)
		_, report, err := c.ReadErrorQueue(nil)
		if err != nil {
			t.Fatal(err)
		}
		want := QueuedError{Origin: QueuedZeroCopy, Code: report.Code, Info: i, Data: i}
		if *report != want || errors.Unwrap(report) != nil {
			t.Errorf("report %+v, want %+v", *report, want)
		}
	}
}

// What the error queue tells without an address has none in a batch, either.
func TestReadBatchQueueWithoutAddress(t *testing.T) {
	for network, address := range map[string]string{"udp4": "127.0.0.1:0", "ip4:253": "127.0.0.1"} {
		pc, err := ListenPacket(network, address)
		if err != nil {
			t.Skip(err)
		}
		defer pc.Close()
		timestampSent(t, pc.(syscall.Conn))
		if _, err := pc.WriteTo([]byte("x"), pc.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		in := conntest.RoomFor(1, 10)
		in[0].Addr, in[0].OOB = pc.LocalAddr(), make([]byte, 256)
		conntest.WaitError(t, pc.(syscall.Conn))
		n, err := pc.(conntest.BatchReader).ReadBatch(in, syscall.MSG_ERRQUEUE|syscall.MSG_DONTWAIT)
		if n != 1 || err != nil || in[0].Addr != nil {
			t.Errorf("%s: ReadBatch = %d, %v from %#v, want 1, nil, from no address", network, n, err, in[0].Addr)
		}
	}
}

// A report is found among other control data.
func TestReadErrorQueueBesideControlData(t *testing.T) {
	socktest.NeedErrorQueue(t)
	for network, options := range map[string][]sockopt.Option[bool]{
		"udp4": {sockopt.ReceiveError, sockopt.ReceivePacketInfo, sockopt.ReceiveTOS, sockopt.TimestampNS},
		"udp6": {sockopt.ReceiveError6, sockopt.ReceivePacketInfo6, sockopt.ReceiveTrafficClass, sockopt.TimestampNS},
	} {
		t.Run(network, func(t *testing.T) {
			gone, c := conntest.OpenUDP(t, network), conntest.OpenUDP(t, network)
			conntest.SetOptions(t, c, options...)
			to := gone.LocalAddr().(*net.UDPAddr)
			gone.Close()
			if _, err := c.WriteTo([]byte("hello"), to); err != nil {
				t.Fatal(err)
			}
			conntest.WaitError(t, c)
			_, report, err := c.ReadErrorQueue(make([]byte, 10))
			if err != nil {
				t.Fatal(err)
			}
			host := netip.MustParseAddr(to.IP.String())
			if report.Err != syscall.ECONNREFUSED || report.Reporter != host || report.Addr != netip.AddrPortFrom(host, uint16(to.Port)) {
				t.Errorf("report %+v, want ECONNREFUSED of %v for %v", report, host, to)
			}
			want := "datagram to " + to.String() + ": connection refused (reported by " + host.String() + ")"
			if got := report.Error(); got != want {
				t.Errorf("the report says %q, want %q", got, want)
			}
		})
	}
}

// complain sends what a router says about a datagram from one address to another, by
// ICMP, RFC 792. word is what follows the checksum.
func complain(t *testing.T, typ, code byte, word uint32, from, to netip.AddrPort) {
	t.Helper()
	c, err := ListenPacket("ip4:icmp", "127.0.0.1")
	if errors.Is(err, syscall.EPERM) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 8+20+8)
	b[0], b[1] = typ, code
	binary.BigEndian.PutUint32(b[4:], word)
	ip, udp := b[8:], b[28:]
	ip[0], ip[8], ip[9] = 0x45, 64, syscall.IPPROTO_UDP
	binary.BigEndian.PutUint16(ip[2:], 28)
	copy(ip[12:], from.Addr().AsSlice())
	copy(ip[16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(udp, from.Port())
	binary.BigEndian.PutUint16(udp[2:], to.Port())
	binary.BigEndian.PutUint16(udp[4:], 8)
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(b[2:], ^uint16(sum+sum>>16))
	if _, err := c.WriteTo(b, &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
}

// The MTU is told if the datagram was too long, and no other number in its place.
func TestReadErrorQueueOfRouter(t *testing.T) {
	socktest.NeedOption(t, "IP_RECVERR")
	socktest.NeedErrorQueue(t)
	socktest.EnterNetNS(t) // whose routes may learn the MTU
	tests := []struct {
		name string
		word uint32
		want QueuedError
	}{
		{"parameter problem", 20 << 24, QueuedError{Err: syscall.EPROTO, Type: 12}},
		{"fragmentation needed", 600, QueuedError{Err: syscall.EMSGSIZE, Type: 3, Code: 4, MTU: 600}},
		{"time exceeded", 0, QueuedError{Err: syscall.EHOSTUNREACH, Type: 11}},
	}
	for _, tt := range tests {
		want := tt.want
		want.Origin = QueuedICMP
		want.Addr, want.Reporter = netip.MustParseAddrPort("127.0.0.1:9"), netip.MustParseAddr("127.0.0.1")
		pc, err := ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		c := pc.(*UDPConn)
		conntest.SetOptions(t, c, sockopt.ReceiveError)
		complain(t, want.Type, want.Code, tt.word, c.LocalAddr().(*net.UDPAddr).AddrPort(), want.Addr)
		conntest.WaitError(t, c)
		_, report, err := c.ReadErrorQueue(nil)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if *report != want {
			t.Errorf("%s: report %+v, want %+v", tt.name, *report, want)
		}
	}
}

// TestQueuedErrorText tells each kind of report by its text.
func TestQueuedErrorText(t *testing.T) {
	to := netip.MustParseAddrPort("192.0.2.7:53")
	sent := time.Date(2024, 5, 1, 10, 20, 30, 0, time.UTC)
	for _, tt := range []struct {
		e    QueuedError
		want string
	}{
		{QueuedError{Addr: to, Err: syscall.ECONNREFUSED, Origin: QueuedLocal}, "datagram to 192.0.2.7:53: connection refused"},
		{QueuedError{Err: syscall.EMSGSIZE, Origin: QueuedICMP, Reporter: netip.MustParseAddr("192.0.2.1")},
			"datagram: message too long (reported by 192.0.2.1)"},
		{QueuedError{Addr: to, Err: syscall.ENOMSG, Origin: QueuedTimestamp, Time: sent},
			"datagram to 192.0.2.7:53: time stamp 2024-05-01 10:20:30 +0000 UTC"},
		{QueuedError{Err: syscall.ENOMSG, Origin: QueuedTimestamp, HardwareTime: sent}, "datagram: time stamp 2024-05-01 10:20:30 +0000 UTC"},
		{QueuedError{Origin: QueuedZeroCopy, Info: 3, Data: 5}, "buffers of sends 3 to 5 are free"},
		{QueuedError{Addr: to, Err: syscall.ECANCELED, Origin: QueuedTxTime, Info: 2, Data: 1},
			"datagram to 192.0.2.7:53: time 4294967298: operation canceled"},
	} {
		if got := tt.e.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
		if tt.e.Err == 0 && tt.e.Unwrap() != nil || tt.e.Err != 0 && !errors.Is(&tt.e, tt.e.Err) {
			t.Errorf("%v unwraps as %v", &tt.e, tt.e.Unwrap())
		}
	}
}

// Only what has the right level, type and length is a report.
func TestParseQueuedError(t *testing.T) {
	// What the kernel tells of a port that is closed, with the reporter.
	full := make([]byte, 32)
	binary.NativeEndian.PutUint32(full, uint32(syscall.ECONNREFUSED))
	full[4], full[5], full[6] = byte(QueuedICMP), 3, 3
	tests := []struct {
		name       string
		level, typ int
		data       []byte
		want       bool
	}{
		{"IPv4", sys.IPPROTO_IP, sys.IP_RECVERR, full, true},
		{"IPv6", sys.IPPROTO_IPV6, sys.IPV6_RECVERR, full, true},
		{"without the reporter", sys.IPPROTO_IP, sys.IP_RECVERR, full[:16], true},
		{"too short", sys.IPPROTO_IP, sys.IP_RECVERR, full[:15], false},
		{"empty", sys.IPPROTO_IP, sys.IP_RECVERR, nil, false},
		{"another level with the type of IPv4", sys.SOL_SOCKET, sys.IP_RECVERR, full, false},
		{"another level with the type of IPv6", sys.IPPROTO_IP, sys.IPV6_RECVERR, full, false},
		{"another type of IPv4", sys.IPPROTO_IP, sys.IP_TOS, full, false},
		{"another type of IPv6", sys.IPPROTO_IPV6, sys.IPV6_TCLASS, full, false},
	}
	for _, tt := range tests {
		oob, data := sys.AppendCmsg(nil, tt.level, tt.typ, len(tt.data))
		copy(data, tt.data)
		e, ok := ParseQueuedError(oob)
		if ok != tt.want || ok && (e.Err != syscall.ECONNREFUSED || e.Type != 3 || e.Code != 3 || e.Reporter.IsValid() || e.MTU != 0) {
			t.Errorf("%s: %+v, %v, want %v", tt.name, e, ok, tt.want)
		}
	}
}

func FuzzParseQueuedError(f *testing.F) {
	f.Add([]byte{})
	oob, data := sys.AppendCmsg(nil, sys.IPPROTO_IP, sys.IP_RECVERR, 32)
	copy(data, []byte{111, 0, 0, 0, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 127, 0, 0, 1})
	f.Add(oob)
	f.Fuzz(func(t *testing.T, oob []byte) {
		if e, ok := ParseQueuedError(oob); ok && e.Error() == "" {
			t.Error("no text")
		}
	})
}

// TestKeptErrorOfRefusal has ICMP report what a sandbox might say as well, EOPNOTSUPP: an
// error that the socket gives to one call, which that call returns.
func TestKeptErrorOfRefusal(t *testing.T) {
	socktest.NeedErrorQueue(t)
	socktest.NeedRaw(t)
	calls := map[string]func(*UDPConn) error{
		"Read":  func(c *UDPConn) error { _, err := c.Read(make([]byte, 1)); return err },
		"Write": func(c *UDPConn) error { _, err := c.Write([]byte("x")); return err },
		"ReadBatch": func(c *UDPConn) error {
			_, err := c.ReadBatch([]Message{{Buffers: [][]byte{{0}}}, {Buffers: [][]byte{{0}}}}, 0)
			return err
		},
		"WriteBatch": func(c *UDPConn) error {
			ms := []Message{{Buffers: [][]byte{{0}}}, {Buffers: [][]byte{{0}}}}
			_, err := c.WriteBatch(ms, 0)
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			peer := conntest.OpenUDP(t, "udp4")
			c, err := Dial("udp4", peer.LocalAddr().String())
			socktest.Check(t, err)
			socktest.CloseLater(t, c)
			conntest.SetOptions(t, c.(*UDPConn), sockopt.ReceiveError)
			conntest.LimitTime(t, c)
			reportSourceRouteFailed(t, c)
			if err := call(c.(*UDPConn)); !errors.Is(err, syscall.EOPNOTSUPP) {
				t.Errorf("%v, want EOPNOTSUPP", err)
			}
		})
	}
}

// reportSourceRouteFailed sends what a router would answer to a datagram of c, and waits
// until it has come.
func reportSourceRouteFailed(t *testing.T, c net.Conn) {
	t.Helper()
	from, to := c.LocalAddr().(*net.UDPAddr), c.RemoteAddr().(*net.UDPAddr)
	b := make([]byte, 8+20+8)
	b[0], b[1] = 3, 5 // destination unreachable, source route failed
	ip := b[8:]
	ip[0], ip[8], ip[9] = 0x45, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint16(ip[2:], 28)
	copy(ip[12:], from.IP.To4())
	copy(ip[16:], to.IP.To4())
	binary.BigEndian.PutUint16(ip[20:], uint16(from.Port))
	binary.BigEndian.PutUint16(ip[22:], uint16(to.Port))
	binary.BigEndian.PutUint16(ip[24:], 8)
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(b[2:], ^uint16(sum+sum>>16))
	icmp, err := net.Dial("ip4:icmp", to.IP.String())
	socktest.Check(t, err)
	defer icmp.Close()
	_, err = icmp.Write(b)
	socktest.Check(t, err)
	raw, err := c.(*UDPConn).SyscallConn()
	socktest.Check(t, err)
	if !socktest.WaitUntil(func() (came bool) {
		socktest.Check(t, raw.Control(func(fd uintptr) {
			fds := []unix.PollFd{{Fd: int32(fd)}}
			unix.Poll(fds, 0)
			came = fds[0].Revents&unix.POLLERR != 0
		}))
		return came
	}) {
		t.Fatal("no report came")
	}
}
