//go:build linux

package family

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/net/nettest"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// A streamFamily is a kind of stream that package net does not know, of which this
// kernel may have a loopback.
type streamFamily struct {
	name        string
	domain, typ int
	proto       int
	any, unused net.Addr // to listen to, and where nothing listens
}

var streamFamilies = []streamFamily{
	{"vsock", unix.AF_VSOCK, unix.SOCK_STREAM, 0,
		&sockets.VsockAddr{CID: sockets.VsockLocal, Port: sockets.VsockAny}, &sockets.VsockAddr{CID: sockets.VsockLocal, Port: 4}},
	{"sctp", unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP,
		&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4}},
	{"sctp6", unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_SCTP,
		&net.TCPAddr{IP: net.IPv6loopback}, &net.TCPAddr{IP: net.IPv6loopback, Port: 4}},
}

func (f streamFamily) new(t *testing.T) *sockets.Socket {
	t.Helper()
	s, err := sockets.NewRaw(f.domain, f.typ, f.proto)
	if err != nil {
		t.Skipf("no %s: %v", f.name, err)
	}
	socktest.CloseLater(t, s)
	return s
}

// listen skips the test if the kernel has no loopback for the family.
func (f streamFamily) listen(t *testing.T) net.Listener {
	t.Helper()
	s := f.new(t)
	if err := s.Bind(f.any); err != nil {
		t.Skipf("no loopback for %s: %v", f.name, err)
	}
	l, err := s.Listen(0)
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	return l
}

// forEachStream runs a test over every family that is there.
func forEachStream(t *testing.T, f func(t *testing.T, family streamFamily, l net.Listener)) {
	for _, family := range streamFamilies {
		t.Run(family.name, func(t *testing.T) { f(t, family, family.listen(t)) })
	}
}

func (f streamFamily) dial(t *testing.T, l net.Listener) (c, accepted net.Conn) {
	t.Helper()
	s := f.new(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := s.Connect(ctx, l.Addr())
	socktest.Check(t, err)
	accepted, err = l.Accept()
	socktest.Check(t, err)
	return c, accepted
}

func TestStreamFamilies(t *testing.T) {
	forEachStream(t, func(t *testing.T, family streamFamily, l net.Listener) {
		nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
			c1, c2 = family.dial(t, l)
			return c1, c2, func() { c1.Close(); c2.Close() }, nil
		})
	})
}

// TestStreamFamiliesCopy moves data from each family to TCP and back: by splice(2)
// where the kernel has it for the family, otherwise by copying.
func TestStreamFamiliesCopy(t *testing.T) {
	data := socktest.RandomBytes(2 << 20)
	forEachStream(t, func(t *testing.T, family streamFamily, l net.Listener) {
		for _, toTCP := range []bool{true, false} {
			feeder, src := family.dial(t, l)
			dst, sink := conntest.StreamPair(t, "", "tcp")
			if !toTCP {
				feeder, src, dst, sink = dst, sink, feeder, src
			}
			for _, c := range []net.Conn{feeder, src, dst, sink} {
				socktest.CloseLater(t, c)
				socktest.Check(t, c.SetDeadline(time.Now().Add(time.Minute)))
			}
			go func() {
				// SCTP takes a message that fits in its buffer, or none.
				for rest := data; len(rest) > 0; {
					n, err := feeder.Write(rest[:min(len(rest), 50_000)])
					if err != nil {
						t.Error("feeding:", err)
						break
					}
					rest = rest[n:]
				}
				feeder.(interface{ CloseWrite() error }).CloseWrite()
			}()
			type result struct {
				b   []byte
				err error
			}
			got := make(chan result)
			go func() {
				b, err := io.ReadAll(sink)
				got <- result{b, err}
			}()
			n, err := sockets.Copy(dst, src)
			if n != int64(len(data)) || err != nil {
				t.Errorf("Copy, to TCP %v: %d, %v, want %d", toTCP, n, err, len(data))
			}
			socktest.Check(t, dst.(interface{ CloseWrite() error }).CloseWrite())
			if r := <-got; r.err != nil || !bytes.Equal(r.b, data) {
				t.Errorf("to TCP %v: %d bytes arrived, %v", toTCP, len(r.b), r.err)
			}
		}
	})
}

// TestStreamFamiliesHTTP serves HTTP over each family.
func TestStreamFamiliesHTTP(t *testing.T) {
	forEachStream(t, func(t *testing.T, family streamFamily, l net.Listener) {
		server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error("reading a request:", err)
			}
			w.Write(b)
		})}
		served := make(chan error)
		go func() { served <- server.Serve(l) }()
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return family.new(t).Connect(ctx, l.Addr())
		}}
		client := &http.Client{Transport: transport, Timeout: time.Minute}
		want := socktest.RandomBytes(200_000)
		for range 3 {
			resp, err := client.Post("http://host/echo", "application/octet-stream", bytes.NewReader(want))
			socktest.Check(t, err)
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !bytes.Equal(want, got) {
				t.Errorf("an echo of %d bytes, %v", len(got), err)
			}
		}
		transport.CloseIdleConnections()
		socktest.Check(t, server.Shutdown(t.Context()))
		if err := <-served; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
}

// TestConnectNoWaitFamilies begins to read and to write before the connection is
// established, which families other than TCP and unix report by ENOTCONN.
func TestConnectNoWaitFamilies(t *testing.T) {
	forEachStream(t, func(t *testing.T, family streamFamily, l net.Listener) {
		for range 100 {
			c, err := family.new(t).ConnectNoWait(l.Addr())
			socktest.Check(t, err)
			socktest.Check(t, c.SetDeadline(time.Now().Add(time.Minute)))
			read := make(chan error)
			go func() {
				b := make([]byte, 1)
				_, err := c.Read(b)
				read <- err
			}()
			if n, err := c.Write([]byte("early")); n != 5 || err != nil {
				t.Fatalf("Write: %d, %v", n, err)
			}
			a, err := l.Accept()
			socktest.Check(t, err)
			conntest.WantMessage(t, a, "early")
			_, err = a.Write([]byte("x"))
			socktest.Check(t, err)
			if err := <-read; err != nil {
				t.Fatalf("Read: %v", err)
			}
			socktest.Check(t, a.Close())
			socktest.Check(t, c.Close())
		}
	})
}

// firsts are calls that learn what became of a connect.
var firsts = map[string]func(c net.Conn) error{
	"Read":  func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err },
	"Write": func(c net.Conn) error { _, err := c.Write([]byte("x")); return err },
	"SendTo": func(c net.Conn) error {
		_, err := c.(interface {
			SendTo([]byte, net.Addr, sockets.MsgFlags) (int, error)
		}).SendTo([]byte("x"), nil, 0)
		return err
	},
	"ReceiveFrom": func(c net.Conn) error {
		_, _, err := c.(interface {
			ReceiveFrom([]byte, sockets.MsgFlags) (int, net.Addr, error)
		}).ReceiveFrom(make([]byte, 1), 0)
		return err
	},
	"Copy to":   func(c net.Conn) error { _, err := sockets.Copy(c, bytes.NewReader([]byte("x"))); return err },
	"Copy from": func(c net.Conn) error { _, err := sockets.Copy(io.Discard, c); return err },
}

// TestConnectNoWaitRefused looks for the reason why there is no connection, in what
// is called first.
func TestConnectNoWaitRefused(t *testing.T) {
	forEachStream(t, func(t *testing.T, family streamFamily, _ net.Listener) {
		for name, first := range firsts {
			for range 20 {
				c, err := family.new(t).ConnectNoWait(family.unused)
				if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) {
					continue // at once
				}
				socktest.Check(t, err)
				socktest.Check(t, c.SetDeadline(time.Now().Add(time.Minute)))
				err = first(c)
				if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("%s: %v, want ECONNREFUSED or ECONNRESET", name, err)
				}
				socktest.Check(t, c.Close())
			}
		}
	})
}

// TestConnectNoWaitUnanswered begins to read and to write on connections to which
// nothing answers: the calls wait, whatever the kernel says meanwhile.
func TestConnectNoWaitUnanswered(t *testing.T) {
	socktest.EnterNetNS(t)
	v0, _ := socktest.VethPair(t)
	socktest.AddPrefix(t, v0.Name, "192.0.2.1/24")
	peer := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 4}
	socktest.AddNeighbor(t, v0, peer.IP, net.HardwareAddr{2, 0, 0, 0, 0, 9})
	for _, family := range []streamFamily{
		{name: "tcp", domain: unix.AF_INET, typ: unix.SOCK_STREAM},
		{name: "sctp", domain: unix.AF_INET, typ: unix.SOCK_STREAM, proto: unix.IPPROTO_SCTP},
	} {
		for name, first := range firsts {
			// Not as a subtest, which would not be in the namespace.
			s, err := sockets.NewRaw(family.domain, family.typ, family.proto)
			if err != nil {
				t.Logf("no %s: %v", family.name, err)
				break
			}
			defer s.Close()
			c, err := s.ConnectNoWait(peer)
			socktest.Check(t, err)
			socktest.CloseLater(t, c)
			socktest.Check(t, c.SetDeadline(time.Now().Add(20*time.Millisecond)))
			if err := first(c); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s, %s: %v, want %v", family.name, name, err, os.ErrDeadlineExceeded)
			}
		}
	}
}

// TestConnectAfterRefusal connects a socket again, which vsock does not allow: an
// EALREADY of an attempt that is over must not be waited for.
func TestConnectAfterRefusal(t *testing.T) {
	forEachStream(t, func(t *testing.T, family streamFamily, l net.Listener) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := family.new(t)
		_, err := s.Connect(ctx, family.unused)
		if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("connecting to nobody: %v", err)
		}
		c, err := s.Connect(ctx, l.Addr())
		if err == nil {
			socktest.CloseLater(t, c)
			a, err := l.Accept()
			socktest.Check(t, err)
			socktest.CloseLater(t, a)
			return
		}
		socktest.WantError(t, err, "dial", syscall.EALREADY)
	})
}

// TestVsockWildcard dials the address of a listener as it is: any context is this
// machine.
func TestVsockWildcard(t *testing.T) {
	conntest.NeedVsock(t)
	l, err := sockets.Listen("vsock", ":*")
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	s, err := sockets.New("vsock")
	socktest.Check(t, err)
	dials := map[string]func() (net.Conn, error){
		"Dial":          func() (net.Conn, error) { return sockets.Dial("vsock", l.Addr().String()) },
		"Connect":       func() (net.Conn, error) { return s.Connect(t.Context(), l.Addr()) },
		"ConnectNoWait": func() (net.Conn, error) { return streamFamilies[0].new(t).ConnectNoWait(l.Addr()) },
	}
	for name, dial := range dials {
		c, err := dial()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		socktest.CloseLater(t, c)
		a, err := l.Accept()
		socktest.Check(t, err)
		socktest.CloseLater(t, a)
		if cid := c.RemoteAddr().(*sockets.VsockAddr).CID; cid != sockets.VsockLocal {
			t.Errorf("%s: the peer's context is %d, want %d", name, cid, sockets.VsockLocal)
		}
	}
}

// algListener is a listener of the kernel's crypto interface for an algorithm.
func algListener(t *testing.T, typ, name string, prepare func(fd int) error) net.Listener {
	t.Helper()
	s, err := sockets.NewRaw(unix.AF_ALG, unix.SOCK_SEQPACKET, 0)
	if err != nil {
		t.Skip("no AF_ALG:", err)
	}
	socktest.CloseLater(t, s)
	// struct sockaddr_alg: type[14], feat, mask, name[64]
	data := make([]byte, 14+4+4+64)
	copy(data, typ)
	copy(data[22:], name)
	if err := s.Bind(&sockets.RawAddr{Family: unix.AF_ALG, Data: data}); err != nil {
		t.Skipf("no %s: %v", name, err)
	}
	if prepare != nil {
		socktest.WithFD(t, s, prepare)
	}
	l, err := s.Listener()
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	return l
}

// TestAcceptALG accepts in every way where the kernel has no address to tell, and says
// ECONNABORTED if it is asked for one.
func TestAcceptALG(t *testing.T) {
	l := algListener(t, "hash", "sha256", nil).(*sockets.StreamListener)
	want := sha256.Sum256([]byte("hello"))
	accepts := map[string]func() (net.Conn, error){
		"Accept": l.Accept,
		"AcceptWith a timeout": func() (net.Conn, error) {
			return l.AcceptWith(sockets.AcceptConfig{Timeout: time.Minute})
		},
		"AcceptWith NoWait": func() (net.Conn, error) {
			return l.AcceptWith(sockets.AcceptConfig{NoWait: true})
		},
	}
	for name, accept := range accepts {
		c, err := accept()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		socktest.CloseLater(t, c)
		_, err = c.Write([]byte("hello"))
		socktest.Check(t, err)
		got := make([]byte, sha256.Size)
		_, err = io.ReadFull(c, got)
		socktest.Check(t, err)
		if !bytes.Equal(want[:], got) {
			t.Errorf("%s: hash %x, want %x", name, got, want)
		}
	}
	socktest.Check(t, l.SetDeadline(time.Unix(1, 0)))
	_, err := l.Accept()
	socktest.WantError(t, err, "accept", os.ErrDeadlineExceeded)
	socktest.Check(t, l.Close())
	_, err = l.Accept()
	socktest.WantError(t, err, "accept", net.ErrClosed)
}

// algControl is a control message of the kernel's crypto interface.
func algControl(typ int, data []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	h := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(b)))
	h.Level, h.Type = unix.SOL_ALG, int32(typ)
	h.SetLen(unix.CmsgLen(len(data)))
	copy(b[unix.CmsgLen(0):], data)
	return b
}

// TestCipherALG encrypts by the kernel: the key is an option of the listening socket,
// and what to do goes with the data as control messages.
func TestCipherALG(t *testing.T) {
	key, iv, plain := socktest.RandomBytes(16), socktest.RandomBytes(aes.BlockSize), socktest.RandomBytes(4*aes.BlockSize)
	l := algListener(t, "skcipher", "cbc(aes)", func(fd int) error {
		return unix.SetsockoptString(fd, unix.SOL_ALG, unix.ALG_SET_KEY, string(key))
	})
	c, err := l.Accept()
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	oob := algControl(unix.ALG_SET_OP, binary.NativeEndian.AppendUint32(nil, unix.ALG_OP_ENCRYPT))
	oob = append(oob, algControl(unix.ALG_SET_IV, append(binary.NativeEndian.AppendUint32(nil, uint32(len(iv))), iv...))...)
	socktest.WithFD(t, c.(syscall.Conn), func(fd int) error { return unix.Sendmsg(fd, plain, oob, nil, 0) })
	got := make([]byte, len(plain))
	_, err = io.ReadFull(c, got)
	socktest.Check(t, err)
	block, err := aes.NewCipher(key)
	socktest.Check(t, err)
	want := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(want, plain)
	if !bytes.Equal(want, got) {
		t.Errorf("encrypted to %x, want %x", got, want)
	}
}
