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

// ListenGroup returns n listeners on one address. The kernel distributes connections
// among them, SO_REUSEPORT. If the port is 0, the kernel chooses one port for all.
//
// Each listener has its own queue, so n goroutines accept without contention.
// Connections in the queue of a listener that is closed are lost. See socket(7).
//
// The listeners use TCP, unless network or SetMultipathTCP asks for Multipath TCP, with
// which [SteerByCPU] does not work.
func (lc *ListenConfig) ListenGroup(ctx context.Context, network, address string, n int) ([]net.Listener, error) {
	return listenGroup(lc, network, address, n, func(group *ListenConfig, address string) (net.Listener, net.Addr, error) {
		l, err := group.Listen(ctx, network, address)
		if err != nil {
			return nil, nil, err
		}
		return l, l.Addr(), nil
	})
}

// ListenPacketGroup returns n packet sockets on one address. The kernel distributes
// peers among them, SO_REUSEPORT. If the port is 0, the kernel chooses one port for
// all. Datagrams from one peer go to the same socket for as long as the group does not
// change.
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

// SteerByCPU makes the kernel choose the member of a group by CPU: whatever CPU n
// receives goes to member n modulo size, counted from 0 in the order of
// [ListenConfig.ListenGroup] or [ListenConfig.ListenPacketGroup]. member is any member
// of the group, and size is the number of its members. This works well if each member
// is read by a thread that is bound to its CPU.
//
// Systems that lack it return [errors.ErrUnsupported]. See SO_ATTACH_REUSEPORT_CBPF in
// socket(7).
func SteerByCPU(member syscall.Conn, size int) error {
	if sys.IsNil(member) {
		return openError("set", "", nil, nil, argumentError("group member", sys.ErrNil))
	}
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
