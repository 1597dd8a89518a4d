package sockets

import (
	"errors"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// SetOffload turns segmentation offload on or off. With it, many datagrams pass through
// the kernel as one; see UDP_SEGMENT and UDP_GRO in udp(7). Only the speed changes:
// what is sent and received are still single datagrams.
//
//   - WriteBatch joins consecutive messages to the same peer that have the same OOB and
//     the same length; the last may be shorter. If the kernel refuses a joined message,
//     because the path carries only shorter datagrams for example, WriteBatch sends
//     them one by one, and for ten minutes does so for messages to this peer that are
//     as long.
//   - All methods that receive split merged datagrams, which have the same sender and
//     control data. Datagrams that have been received but not yet read are kept in the
//     UDPConn, and deadlines and Close apply to them. SyscallConn and File give access
//     to the socket itself: calls on it do not see these datagrams, nor where a merged
//     datagram has to be split.
//
// The kernel drops a merged datagram as a whole, and counts it as one in
// PacketInfo.Dropped.
//
// Offload pays if many datagrams of the same length go to one peer or come from one. If
// each has another peer, as in a DNS server, nothing is joined or merged: batches cost
// the same as without offload, and methods that receive one datagram cost one more
// copy. Messages with one buffer each, which are adjacent in memory, are sent without a
// copy, and received without one if the buffers are as long as the datagrams; the last
// datagram may be shorter. [UDPConn.WriteSegments] and [UDPConn.ReadSegments] handle a
// whole merged datagram at once.
//
// Turn it on before receiving: enabling it while datagrams are being read may truncate
// one. The Offload fields of [ListenConfig] and [Dialer] do so. Turning it off affects
// only sending; merged datagrams are still split, also by a UDPConn that is later made
// from the same socket, in this process or in another.
//
// A system without offload returns [errors.ErrUnsupported], and nothing changes.
func (c *UDPConn) SetOffload(on bool) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return c.setError(setOffload(c.fd, on))
}

func setOffload(fd *netfd.FD, on bool) error {
	err := fd.SetOffload(on)
	var errno syscall.Errno
	if errors.As(err, &errno) && (errno == sys.ENOPROTOOPT || sys.Refused(errno)) {
		return errors.ErrUnsupported // before Linux 5.0, or by a sandbox
	}
	return err
}

// offloads turns offload on for a socket being opened, if it is a UDP one and the
// system can.
func (o *opening) offloads(fd *netfd.FD) error {
	if !o.offload || fd.Type != sys.SOCK_DGRAM || fd.Family != sys.AF_INET && fd.Family != sys.AF_INET6 {
		return nil
	}
	if err := setOffload(fd, true); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
