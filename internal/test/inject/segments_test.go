//go:build linux && amd64

package inject

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// TestSegmentsRefused has the kernel refuse to cut up what was joined, UDP_SEGMENT in
// udp(7): the datagrams go out singly. A filter of system calls does not see control
// messages, a tracer does.
func TestSegmentsRefused(t *testing.T) {
	for _, errno := range []syscall.Errno{
		unix.ENOSYS, unix.EPERM, unix.EINVAL, unix.EOPNOTSUPP, unix.EACCES, unix.EIO, unix.EMSGSIZE,
	} {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			refused := 0
			pending := make(map[int]bool)
			j := &injector{t: t}
			status, printed := socktest.TraceChild(t, func(tid int, info socktest.SyscallInfo) {
				if info.Op == socktest.SyscallExit {
					if pending[tid] {
						delete(pending, tid)
						j.setRegs(tid, func(r *unix.PtraceRegs) { r.Rax = -uint64(errno) })
					}
					return
				}
				switch first := segmented(tid, info); {
				case first == 0:
					refused++
					pending[tid] = true
					j.setRegs(tid, func(r *unix.PtraceRegs) { r.Orig_rax = ^uint64(0) })
				case first > 0: // the messages before it are sent, as the kernel does
					j.setRegs(tid, func(r *unix.PtraceRegs) { r.Rdx = uint64(first) })
				}
			}, "segments")
			if status.ExitStatus() != 0 || refused == 0 {
				t.Errorf("after %d refusals: status %#x\n%s", refused, status, printed)
			}
		})
	}
}

// segmented returns the index of the first message of a call that is to be cut up, -1 if
// there is none.
func segmented(tid int, info socktest.SyscallInfo) int {
	n, size := 1, uintptr(sizeofMmsghdr)
	switch info.NR {
	case unix.SYS_SENDMSG:
	case unix.SYS_SENDMMSG:
		n = int(info.Args[2])
	default:
		return -1
	}
	for i := range n {
		header := make([]byte, unix.SizeofMsghdr)
		if _, err := unix.PtracePeekData(tid, uintptr(info.Args[1])+uintptr(i)*size, header); err != nil {
			return -1
		}
		control := make([]byte, binary.NativeEndian.Uint64(header[40:]))
		if _, err := unix.PtracePeekData(tid, uintptr(binary.NativeEndian.Uint64(header[32:])), control); err != nil {
			continue
		}
		messages, err := unix.ParseSocketControlMessage(control)
		if err != nil {
			continue
		}
		for _, m := range messages {
			if m.Header.Level == unix.SOL_UDP && m.Header.Type == unix.UDP_SEGMENT {
				return i
			}
		}
	}
	return -1
}

// sizeofMmsghdr is the size of struct mmsghdr, recvmmsg(2).
const sizeofMmsghdr = unix.SizeofMsghdr + 8

func init() {
	socktest.Children["segments"] = func() error {
		pc, err := (&sockets.ListenConfig{Offload: true}).ListenPacket(context.Background(), "udp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		r := pc.(*sockets.UDPConn)
		c, err := (&sockets.Dialer{Offload: true}).Dial("udp4", r.LocalAddr().String())
		if err != nil {
			return err
		}
		w := c.(*sockets.UDPConn)
		defer closeAll(r, w)
		if err := r.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		want := 0
		arrived := func(n int) error {
			p := make([]byte, 100)
			for end := want + n; want < end; want++ {
				k, err := r.Read(p)
				if err != nil || k != 4 || int(binary.BigEndian.Uint32(p)) != want {
					return fmt.Errorf("datagram %d: % x, %v", want, p[:k], err)
				}
			}
			return nil
		}
		const count = 10
		for range 3 { // also with what is known from the time before
			out := make([]sockets.Message, count)
			segments := []byte{}
			for i := range out {
				out[i].Buffers = net.Buffers{binary.BigEndian.AppendUint32(nil, uint32(want+i))}
				segments = binary.BigEndian.AppendUint32(segments, uint32(want+count+i))
			}
			if n, err := w.WriteBatch(out, 0); n != count || err != nil {
				return fmt.Errorf("WriteBatch: %d, %w", n, err)
			}
			if err := arrived(count); err != nil {
				return err
			}
			if n, err := w.WriteSegments(segments, 4, netip.AddrPort{}); n != len(segments) || err != nil {
				return fmt.Errorf("WriteSegments: %d, %w", n, err)
			}
			if err := arrived(count); err != nil {
				return err
			}
		}
		return nil
	}
}
