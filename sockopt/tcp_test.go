//go:build linux

package sockopt

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
)

// tcpRows are the rows of TestOptions for tcp.go, in its order.
func tcpRows() []optionRow {
	const tcp = "tcp4 tcp6"
	const anyTCP = tcp + " mptcp4 mptcp6"
	raw := func(opt, want int) rawValue { return rawInt(unix.IPPROTO_TCP, opt, want) }
	return []optionRow{
		row(Congestion, otherCongestion(), anyTCP, rawString(unix.IPPROTO_TCP, unix.TCP_CONGESTION, otherCongestion())),
		rowOf(ConnectionInfo, anyTCP, testConnectionInfo),
		row(Cork, true, anyTCP, raw(unix.TCP_CORK, 1)),
		row(DeferAccept, 3*time.Second, anyTCP, raw(unix.TCP_DEFER_ACCEPT, 3)),
		row(FastOpen, 5, anyTCP, raw(unix.TCP_FASTOPEN, 5)),
		row(FastOpenConnect, true, anyTCP, raw(unix.TCP_FASTOPEN_CONNECT, 1)),
		row(KeepCount, 3, anyTCP, raw(unix.TCP_KEEPCNT, 3)),
		row(KeepIdle, 30*time.Second, anyTCP, raw(unix.TCP_KEEPIDLE, 30)),
		row(KeepInterval, 20*time.Second, anyTCP, raw(unix.TCP_KEEPINTVL, 20)),
		row(Linger2, 10*time.Second, tcp, raw(unix.TCP_LINGER2, 10)),
		rowMaxSegment(anyTCP, raw(unix.TCP_MAXSEG, 1000)),
		rowTry(MD5Sig, MD5Signature{Peer: netip.MustParsePrefix("127.0.0.1/32"), Key: []byte("key")}, tcp, testMD5Sig),
		row(NoDelay, true, anyTCP, raw(unix.TCP_NODELAY, 1)),
		row(NotSentLowWater, 4096, anyTCP, raw(unix.TCP_NOTSENT_LOWAT, 4096)),
		row(QuickAck, false, tcp, raw(unix.TCP_QUICKACK, 0)),
		row(SYNCount, 3, tcp, raw(unix.TCP_SYNCNT, 3)),
		row(SaveSYN, true, tcp, raw(unix.TCP_SAVE_SYN, 1)),
		rowOf(SavedSYN, tcp, testSavedSYN),
		row(ThinLinearTimeouts, true, tcp, raw(unix.TCP_THIN_LINEAR_TIMEOUTS, 1)),
		rowTry(ULP, "tls", tcp, testULP),
		row(UserTimeout, 1500*time.Millisecond, tcp, raw(unix.TCP_USER_TIMEOUT, 1500)),
		row(WindowClamp, 65536, tcp, raw(unix.TCP_WINDOW_CLAMP, 65536)),

		row(UDPCork, true, "udp4 udp6", rawInt(unix.IPPROTO_UDP, unix.UDP_CORK, 1)),
		row(UDPGRO, true, "udp4 udp6", rawInt(unix.IPPROTO_UDP, unix.UDP_GRO, 1)),
		row(UDPSegment, 1000, "udp4 udp6", rawInt(unix.IPPROTO_UDP, unix.UDP_SEGMENT, 1000)),
	}
}

func testSavedSYN(t *testing.T, kind string) {
	_, c := dialSelf(t, kind, SaveSYN.With(true))
	syn, err := SavedSYN.Get(c.(*net.TCPConn))
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]int{"tcp4": 20, "tcp6": 40}
	if n := headers[kind] + 20; len(syn) < n || syn[n-7]&2 == 0 {
		t.Errorf("% x are no headers of a SYN", syn)
	}
	if syn, err := SavedSYN.Get(c.(*net.TCPConn)); len(syn) != 0 || err != nil {
		t.Errorf("second Get = % x, %v; want nothing", syn, err)
	}
}

func testMD5Sig(t *testing.T, kind string) {
	socktest.NeedNetwork(t, kind)
	peer, address := netip.MustParsePrefix("127.0.0.0/8"), "127.0.0.1:0"
	if kind == "tcp6" {
		peer, address = netip.MustParsePrefix("::1/128"), "[::1]:0"
	}
	l := listen(t, kind, address)
	dial := func(key string) error {
		d := net.Dialer{Timeout: 300 * time.Millisecond, Control: func(_, _ string, c syscall.RawConn) error {
			if key == "" {
				return nil
			}
			return MD5Sig.With(MD5Signature{Peer: peer, Key: []byte(key)}).Apply(c)
		}}
		c, err := d.Dial(kind, l.Addr().String())
		if err == nil {
			c.Close()
		}
		return err
	}
	must(t, MD5Sig.Set(l.(*net.TCPListener), MD5Signature{Peer: peer, Key: []byte("secret")}))
	for key, want := range map[string]bool{"secret": true, "another": false, "": false} {
		if err := dial(key); (err == nil) != want {
			t.Errorf("dial with key %q: %v", key, err)
		}
	}
	must(t, MD5Sig.Set(l.(*net.TCPListener), MD5Signature{Peer: peer})) // none
	must(t, dial(""))
	for _, s := range []MD5Signature{{}, {Peer: peer, Key: make([]byte, 81)}, {Peer: netip.MustParsePrefix("::/0"), Key: nil}} {
		if err := MD5Sig.Set(l.(*net.TCPListener), s); err == nil {
			t.Errorf("%v with a key of %d bytes is accepted", s, len(s.Key))
		}
	}
}

func testULP(t *testing.T, kind string) {
	_, c := dialSelf(t, kind)
	tcp := c.(*net.TCPConn)
	if v, err := ULP.Get(tcp); v != "" || err != nil {
		t.Errorf("initially %q, %v", v, err)
	}
	if err := ULP.Set(tcp, "no-such-ulp"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("an unknown one: %v, want ENOENT", err)
	}
	if err := ULP.Set(tcp, "tls"); errors.Is(err, syscall.ENOENT) {
		t.Skip("this kernel has no tls")
	} else {
		must(t, err)
	}
	if v, err := ULP.Get(tcp); v != "tls" || err != nil {
		t.Errorf("afterwards %q, %v", v, err)
	}
}

// rowMaxSegment is a row for kernels that tell the size of a socket which is not connected:
// before Linux 6.4 they say 536 whatever was set.
func rowMaxSegment(kinds string, raw rawValue) optionRow {
	r := row(MaxSegment, 1000, kinds, raw)
	check := r.check
	r.check = func(t *testing.T, kind string) {
		control(t, newSocket(t, kind), func(fd int) error {
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, 1000); err != nil {
				return err
			}
			got, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG)
			if got == 536 {
				t.Skip("the kernel does not tell what was set")
			}
			return err
		})
		check(t, kind)
	}
	return r
}
