package sockets

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/net/bpf"

	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
)

// ListenGroup is Listen for n listeners on one address, among which the kernel
// shares out the connections, SO_REUSEPORT. With port 0 it chooses one for all.
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
		return nil, &net.OpError{Op: "listen", Net: network, Err: &ArgumentError{Arg: "group size", Value: n, Why: "must be positive"}}
	}
	group := *lc
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
// Systems without it answer errors.ErrUnsupported. See SO_ATTACH_REUSEPORT_CBPF in
// socket(7).
func SteerByCPU(member syscall.Conn, size int) error {
	err := steerByCPU(member, size)
	if err == nil {
		return nil
	}
	op := &net.OpError{Op: "set", Addr: optionAddr(member), Err: err}
	if op.Addr != nil {
		op.Net = op.Addr.Network()
	}
	return op
}

func steerByCPU(member syscall.Conn, size int) error {
	if size < 1 {
		return &ArgumentError{Arg: "group size", Value: size, Why: "must be positive"}
	}
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtCPUID},
		bpf.ALUOpConstant{Op: bpf.ALUOpMod, Val: uint32(size)},
		bpf.RetA{},
	})
	if err != nil {
		return err
	}
	rc, err := member.SyscallConn()
	if err != nil {
		return closedError(err)
	}
	if cerr := rc.Control(func(s uintptr) { err = sys.AttachReusePort(s, program) }); cerr != nil {
		return closedError(cerr)
	}
	return syscallError("setsockopt", err)
}

// syscallError adds the call to an errno; what was refused or missing before any
// call passes through.
func syscallError(call string, err error) error {
	if _, ok := err.(syscall.Errno); ok {
		return os.NewSyscallError(call, err)
	}
	return err
}

// optionAddr returns c's local address, nil if c has none.
func optionAddr(c syscall.Conn) net.Addr {
	switch c := c.(type) {
	case interface{ LocalAddr() net.Addr }:
		return c.LocalAddr()
	case interface{ Addr() net.Addr }:
		return c.Addr()
	}
	return nil
}

// closedError turns the ways in which a conn says that it is closed into
// net.ErrClosed; other errors pass through.
func closedError(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) || errors.Is(err, fileClosed()) {
		return net.ErrClosed
	}
	return err
}

// fileClosed returns what the RawConn of a closed os.File answers: an error of
// package os's own that matches no exported one.
var fileClosed = sync.OnceValue(func() error {
	// No system numbers its descriptors this high, so none is opened here and
	// none is closed.
	f := os.NewFile(1<<31-1, "")
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	f.Close()
	return rc.Control(func(uintptr) {})
})
