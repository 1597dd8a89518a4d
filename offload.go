package sockets

import (
	"errors"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// SetOffload turns segmentation offload on or off, which moves many datagrams
// through the kernel as one: see UDP_SEGMENT and UDP_GRO in udp(7). Nothing changes
// but the speed. What is sent and received are single datagrams.
//
//   - WriteBatch joins consecutive messages that go to one peer with equal OOB, and
//     are of equal length, but for the last, which may be shorter. If the kernel refuses
//     that, as a path for shorter datagrams makes it do, the messages are sent singly,
//     and for ten minutes later ones to this peer that are as long as well.
//   - Every method that receives takes merged datagrams apart, with equal senders
//     and control data. What has been received and not been read yet waits in the
//     UDPConn, where a passed deadline and Close apply to it; SyscallConn and File
//     give access to the socket itself, and see neither that nor where merged
//     datagrams come apart.
//
// The kernel drops a merged datagram as a whole, and counts it as one in
// PacketInfo.Dropped.
//
// It pays where many datagrams of equal length go to one peer, or come from one. Where
// each has another peer, as those of a DNS server, nothing is joined or merged: batches
// cost what they cost without, and methods that receive one datagram cost a copy more.
// Messages whose Buffers lie one behind the other in memory are sent without a copy.
// [UDPConn.WriteSegments] and [UDPConn.ReadSegments] work on all of a merged datagram at
// once.
//
// Turn it on before anything is received, as the Offload of a ListenConfig or Dialer
// does: enabling it while datagrams are being read may truncate one. Turned off, messages
// are sent singly again, and merged datagrams are still taken apart, as they are by a
// UDPConn made of the socket later, in this process or in another.
//
// A system without offload returns errors.ErrUnsupported, and nothing changes.
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
