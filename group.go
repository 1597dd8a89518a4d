package sockets

import (
	"context"
	"math"
	"net"
	"syscall"

	"golang.org/x/net/bpf"

	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
)

// ListenGroup is Listen for n listeners on one address, among which the kernel
// shares out the connections, SO_REUSEPORT. With port 0 it chooses one for all.
//
// They are for TCP alone unless network or SetMultipathTCP says Multipath TCP, among
// whose listeners SteerByCPU cannot choose.
//
// Each has a queue of its own, so n goroutines accept without contending for it;
// and what is in the queue when a listener is closed is lost. See socket(7).
func (lc *ListenConfig) ListenGroup(ctx context.Context, network, address string, n int) ([]net.Listener, error) {
	return listenGroup(lc, network, address, n, func(group *ListenConfig, address string) (net.Listener, net.Addr, error) {
		l, err := group.Listen(ctx, network, address)
		if err != nil {
			return nil, nil, err
		}
		return l, l.Addr(), nil
	})
}

// ListenPacketGroup is ListenPacket for n sockets on one address, among which the
// kernel shares out the peers, SO_REUSEPORT. With port 0 it chooses one for all.
// Datagrams of one peer go to one socket as long as the group stays the same.
func (lc *ListenConfig) ListenPacketGroup(ctx context.Context, network, address string, n int) ([]net.PacketConn, error) {
	return listenGroup(lc, network, address, n, func(group *ListenConfig, address string) (net.PacketConn, net.Addr, error) {
		c, err := group.ListenPacket(ctx, network, address)
		if err != nil {
			return nil, nil, err
		}
		return c, c.LocalAddr(), nil
	})
}

func listenGroup[M interface{ Close() error }](lc *ListenConfig, network, address string, n int, open func(*ListenConfig, string) (M, net.Addr, error)) (members []M, err error) {
	if n < 1 {
		return nil, openError("listen", network, nil, nil, &ArgumentError{Arg: "group size", Value: n, Why: "must be positive"})
	}
	group := *lc
	if group.mptcp == mptcpDefault {
		// SteerByCPU and BPF programs choose among TCP sockets only.
		group.SetMultipathTCP(false)
	}
	group.Options = append([]sockopt.Setting{sockopt.ReusePort.With(true)}, lc.Options...)
	for range n {
		m, addr, err := open(&group, address)
		if err != nil {
			for _, m := range members {
				m.Close()
			}
			return nil, err
		}
		members = append(members, m)
		address = addr.String() // with the port that the first was given
	}
	return members, nil
}

// SteerByCPU makes the kernel give what arrives to the member of a group that has
// the number of the CPU which received it, modulo the group's size, counting from 0
// in the order of ListenGroup or ListenPacketGroup. member is any of the group. It
// serves well if each member is read by a thread bound to its CPU.
//
// Systems without it return errors.ErrUnsupported. See SO_ATTACH_REUSEPORT_CBPF in
// socket(7).
func SteerByCPU(member syscall.Conn, size int) error {
	why := ""
	switch {
	case size < 1:
		why = "must be positive"
	case size > math.MaxInt32:
		why = "does not fit in 32 bits"
	}
	if why != "" {
		addr := sys.ConnAddr(member)
		return openError("set", networkOf(addr), nil, addr, &ArgumentError{Arg: "group size", Value: size, Why: why})
	}
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtCPUID},
		bpf.ALUOpConstant{Op: bpf.ALUOpMod, Val: uint32(size)},
		bpf.RetA{},
	})
	if err != nil {
		return err
	}
	return sockopt.AttachReusePortCBPF.Set(member, program)
}
