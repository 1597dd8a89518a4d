//go:build linux

package cost

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"golang.org/x/sys/unix"
)

// fdPass passes copies of a file from one end of a connection to the other, and
// closes them.
type fdPass struct {
	name  string
	batch int // descriptors per message
	// pass does it once. What it gives its caller is in the name: numbers or files.
	open func(tb testing.TB, f *os.File, batch int) (pass func() error)
}

// fdPasses has package net's way first, with numbers or files for the caller, and
// the bare system calls last.
var fdPasses = []fdPass{
	{"impl=net/get=file", 1, netPass(true)},
	{"impl=net/get=number", 1, netPass(false)},
	{"impl=net/get=file", sockets.MaxDescriptors, netPass(true)},
	{"impl=net/get=number", sockets.MaxDescriptors, netPass(false)},
	{"impl=sockets/get=file", 1, socketsPassOne},
	{"impl=sockets/get=file", sockets.MaxDescriptors, socketsPass},
	{"impl=sockets/get=number", 1, socketsPassRaw},
	{"impl=sockets/get=number", sockets.MaxDescriptors, socketsPassRaw},
	{"impl=syscall/get=number", 1, syscallPass},
	{"impl=syscall/get=number", sockets.MaxDescriptors, syscallPass},
}

// BenchmarkPassFD measures the time per descriptor: sent, received and closed. A
// socket costs more than a device where the receiver gets a file, for package os
// gives it to the poller.
func BenchmarkPassFD(b *testing.B) {
	for _, kind := range []string{"device", "socket"} {
		for _, p := range fdPasses {
			b.Run(fmt.Sprintf("%s/batch=%d/kind=%s", p.name, p.batch, kind), func(b *testing.B) {
				socktest.NeedFiles(b, p.batch)
				pass := p.open(b, fdOfKind(b, kind), p.batch)
				b.ReportAllocs()
				for b.Loop() {
					if err := pass(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*p.batch), "ns/fd")
			})
		}
	}
}

func TestPassFD(t *testing.T) {
	for _, p := range fdPasses {
		t.Run(fmt.Sprintf("%s/batch=%d", p.name, p.batch), func(t *testing.T) {
			socktest.NeedFiles(t, p.batch)
			socktest.CheckNoLeak(t)
			pass := p.open(t, fdOfKind(t, "socket"), p.batch)
			for range 3 {
				if err := pass(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func fdOfKind(tb testing.TB, kind string) *os.File {
	tb.Helper()
	var f *os.File
	var err error
	if kind == "device" {
		f, err = os.Open(os.DevNull)
	} else {
		var fds [2]int
		fds, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			unix.Close(fds[1])
			f = os.NewFile(uintptr(fds[0]), "socket")
		}
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	return f
}

func wrongCount(got, want int, err error) error {
	if err == nil && got != want {
		err = fmt.Errorf("received %d descriptors, want %d", got, want)
	}
	return err
}

// netPass is what a program does that has package net and package syscall.
func netPass(wrap bool) func(testing.TB, *os.File, int) func() error {
	return func(tb testing.TB, f *os.File, batch int) func() error {
		a, b := netPair(tb)
		buf, oob := make([]byte, 1), make([]byte, syscall.CmsgSpace(4*batch))
		fds := make([]int, batch)
		return func() error {
			for i := range fds {
				fds[i] = int(f.Fd())
			}
			if _, _, err := a.WriteMsgUnix(buf, syscall.UnixRights(fds...), nil); err != nil {
				return err
			}
			_, oobn, _, _, err := b.ReadMsgUnix(buf, oob)
			if err != nil {
				return err
			}
			msgs, err := syscall.ParseSocketControlMessage(oob[:oobn])
			if err != nil {
				return err
			}
			got, err := syscall.ParseUnixRights(&msgs[0])
			if err != nil {
				return err
			}
			if !wrap {
				for _, fd := range got {
					syscall.Close(fd)
				}
				return wrongCount(len(got), batch, nil)
			}
			files := make([]*os.File, len(got))
			for i, fd := range got {
				files[i] = os.NewFile(uintptr(fd), "received")
			}
			for _, f := range files {
				f.Close()
			}
			return wrongCount(len(got), batch, nil)
		}
	}
}

func netPair(tb testing.TB) (a, b *net.UnixConn) {
	tb.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	var cs [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { c.Close() })
		cs[i] = c.(*net.UnixConn)
	}
	return cs[0], cs[1]
}

// unixPair returns a pair without deadlines, whose timers cost time.
func unixPair(tb testing.TB) (a, b *sockets.UnixConn) {
	tb.Helper()
	a, b = conntest.Pair(tb, "unix")
	socktest.Check(tb, errors.Join(a.SetDeadline(time.Time{}), b.SetDeadline(time.Time{})))
	return a, b
}

func socketsPassOne(tb testing.TB, f *os.File, _ int) func() error {
	a, b := unixPair(tb)
	return func() error {
		if err := a.SendFD(f); err != nil {
			return err
		}
		got, err := b.ReceiveFD()
		if err != nil {
			return err
		}
		return got.Close()
	}
}

func socketsPass(tb testing.TB, f *os.File, batch int) func() error {
	a, b := unixPair(tb)
	fds := make([]syscall.Conn, batch)
	for i := range fds {
		fds[i] = f
	}
	buf := make([]byte, 1)
	return func() error {
		if _, err := a.SendFDs(buf, fds...); err != nil {
			return err
		}
		_, got, err := b.ReceiveFDs(buf, batch)
		socktest.CloseFiles(got)
		return wrongCount(len(got), batch, err)
	}
}

func socketsPassRaw(tb testing.TB, f *os.File, batch int) func() error {
	a, b := unixPair(tb)
	fds := make([]int, batch)
	for i := range fds {
		fds[i] = int(f.Fd())
	}
	buf, got := make([]byte, 1), make([]int, batch)
	return func() error {
		if _, err := a.SendRawFDs(buf, fds...); err != nil {
			return err
		}
		_, n, err := b.ReceiveRawFDs(buf, got)
		for _, fd := range got[:n] {
			syscall.Close(fd)
		}
		return wrongCount(n, batch, err)
	}
}

// syscallPass is the least that the kernel can be asked to do.
func syscallPass(tb testing.TB, f *os.File, batch int) func() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { unix.Close(pair[0]); unix.Close(pair[1]) })
	buf := make([]byte, 1)
	fds := make([]int, batch)
	for i := range fds {
		fds[i] = int(f.Fd())
	}
	rights, oob := unix.UnixRights(fds...), make([]byte, unix.CmsgSpace(4*batch))
	to, from := rawMessage(buf, rights), rawMessage(buf, oob)
	return func() error {
		if _, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(pair[0]), uintptr(to.pointer()), 0); errno != 0 {
			return errno
		}
		from.hdr.SetControllen(len(oob))
		if _, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(pair[1]), uintptr(from.pointer()), unix.MSG_CMSG_CLOEXEC); errno != 0 {
			return errno
		}
		for i := range batch {
			unix.RawSyscall(unix.SYS_CLOSE, uintptr(from.fd(i)), 0, 0)
		}
		return nil
	}
}

type rawMsg struct {
	hdr unix.Msghdr
	iov unix.Iovec
	oob []byte
}

func rawMessage(b, oob []byte) *rawMsg {
	m := &rawMsg{oob: oob}
	m.iov.Base = &b[0]
	m.iov.SetLen(len(b))
	m.hdr.Iov = &m.iov
	m.hdr.SetIovlen(1)
	m.hdr.Control = &oob[0]
	m.hdr.SetControllen(len(oob))
	return m
}

func (m *rawMsg) pointer() unsafe.Pointer { return unsafe.Pointer(&m.hdr) }

func (m *rawMsg) fd(i int) int32 {
	return int32(binary.NativeEndian.Uint32(m.oob[unix.CmsgLen(0)+4*i:]))
}
