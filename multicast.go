package sockets

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
)

// ListenMulticastUDP makes a UDP socket that receives datagrams sent to the multicast
// group gaddr on the interface ifi. A nil ifi lets the system choose. The network must
// be "udp", "udp4" or "udp6".
//
// The socket is bound to the wildcard address, so it also receives everything else that
// is sent to the port. Datagrams that it sends to the group are not delivered to this
// host. To receive only the group, or to join it on several interfaces or for chosen
// sources, use [ListenConfig.GroupOnly] and [UDPConn.JoinGroup].
func ListenMulticastUDP(network string, ifi *net.Interface, gaddr *net.UDPAddr) (*UDPConn, error) {
	k, err := kindOf(network, udpNetworks)
	if err == nil && (gaddr == nil || gaddr.IP == nil) {
		err = errMissingAddress()
	}
	var fd *netfd.FD
	if err == nil {
		fd, _, err = noListenConfig.open(context.Background(), k, gaddr)
	}
	if err == nil {
		if err = joinGroup(fd, ifi, gaddr.IP); err != nil {
			fd.Close()
		}
	}
	if err != nil {
		return nil, openError("listen", network, nil, plain(gaddr), err)
	}
	return newConn(fd).(*UDPConn), nil
}

func joinGroup(fd *netfd.FD, ifi *net.Interface, group net.IP) error {
	if ip4 := group.To4(); ip4 != nil {
		return joinGroup4(fd, ifi, [4]byte(ip4))
	}
	return joinGroup6(fd, ifi, group)
}

func joinGroup4(fd *netfd.FD, ifi *net.Interface, group [4]byte) error {
	to, err := sys.Interface4Of(ifi)
	if err != nil {
		return err
	}
	if ifi != nil {
		if err := fd.Setsockopt(func(s uintptr) syscall.Errno { return sys.SetMulticastInterface4(s, to) }); err != nil {
			return err
		}
	}
	if err := fd.Setsockopt(func(s uintptr) syscall.Errno { return sys.SetMulticastLoop4(s, false) }); err != nil {
		return err
	}
	return fd.Setsockopt(func(s uintptr) syscall.Errno { return sys.JoinGroup4(s, group, to) })
}

func joinGroup6(fd *netfd.FD, ifi *net.Interface, group net.IP) error {
	index := 0
	if ifi != nil {
		index = ifi.Index
		if err := fd.Setsockopt(func(s uintptr) syscall.Errno { return sys.SetMulticastInterface6(s, index) }); err != nil {
			return err
		}
	}
	if err := fd.Setsockopt(func(s uintptr) syscall.Errno { return sys.SetMulticastLoop6(s, false) }); err != nil {
		return err
	}
	var g [16]byte // the wildcard, which the kernel refuses, for an IP without bytes
	copy(g[:], group)
	return fd.Setsockopt(func(s uintptr) syscall.Errno { return sys.JoinGroup6(s, g, index) })
}

// isGroup reports whether addr is a multicast group of UDP.
func isGroup(addr net.Addr) bool {
	a, ok := addr.(*net.UDPAddr)
	return ok && a != nil && a.IP.IsMulticast()
}

// lacksLink reports whether addr is an IPv6 group of one link and does not tell which.
func lacksLink(addr net.Addr) bool {
	ip, _, zone, _ := ipParts(addr)
	return zone == "" && ip.To4() == nil && (ip.IsLinkLocalMulticast() || ip.IsInterfaceLocalMulticast())
}

// groupAddr prepares fd for a group and returns the address to bind: the group's if only
// that is to be received, otherwise the wildcard, as sockets on one port may join several
// groups.
func groupAddr(fd *netfd.FD, group *net.UDPAddr, only bool) (net.Addr, error) {
	if err := fd.Setsockopt(sys.SetMulticastReuse); err != nil {
		return nil, err
	}
	if !only {
		wild := *group
		wild.IP = net.IPv4zero
		if fd.Family == sys.AF_INET6 {
			wild.IP = net.IPv6unspecified
		}
		return &wild, nil
	}
	all := sockopt.MulticastAll
	if fd.Family == sys.AF_INET6 {
		all = sockopt.MulticastAll6
	}
	// Systems without the option deliver to members alone.
	if err := all.With(false).Apply((*rawConn)(fd)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	return group, nil
}

// JoinGroup starts receiving datagrams that are sent to a multicast group on the
// interface ifi, in addition to what the socket already receives. A nil ifi lets the
// system choose. group must be a [*net.UDPAddr] or [*net.IPAddr]; only its address is
// used.
//
// Systems without MCAST_JOIN_GROUP return [errors.ErrUnsupported]. See RFC 3678.
func (c *UDPConn) JoinGroup(ifi *net.Interface, group net.Addr) error {
	return c.setGroup(sockopt.JoinGroup, ifi, group, nil)
}

// LeaveGroup undoes [UDPConn.JoinGroup], and [UDPConn.JoinSourceSpecificGroup] for all
// sources.
func (c *UDPConn) LeaveGroup(ifi *net.Interface, group net.Addr) error {
	return c.setGroup(sockopt.LeaveGroup, ifi, group, nil)
}

// JoinSourceSpecificGroup is like [UDPConn.JoinGroup], but receives only what source
// sends to the group. It may be called for several sources. See RFC 4607.
func (c *UDPConn) JoinSourceSpecificGroup(ifi *net.Interface, group, source net.Addr) error {
	return c.setGroup(sockopt.JoinSourceGroup, ifi, group, source)
}

// LeaveSourceSpecificGroup undoes [UDPConn.JoinSourceSpecificGroup].
func (c *UDPConn) LeaveSourceSpecificGroup(ifi *net.Interface, group, source net.Addr) error {
	return c.setGroup(sockopt.LeaveSourceGroup, ifi, group, source)
}

// ExcludeSourceSpecificGroup stops receiving what source sends to a group that
// [UDPConn.JoinGroup] has joined. It may be called for several sources. See RFC 3678.
func (c *UDPConn) ExcludeSourceSpecificGroup(ifi *net.Interface, group, source net.Addr) error {
	return c.setGroup(sockopt.BlockSource, ifi, group, source)
}

// IncludeSourceSpecificGroup undoes [UDPConn.ExcludeSourceSpecificGroup].
func (c *UDPConn) IncludeSourceSpecificGroup(ifi *net.Interface, group, source net.Addr) error {
	return c.setGroup(sockopt.UnblockSource, ifi, group, source)
}

func (c *UDPConn) setGroup(o sockopt.WriteOnlyOption[sockopt.Membership], ifi *net.Interface, group, source net.Addr) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	var m sockopt.Membership
	if ifi != nil {
		m.Interface = ifi.Index
	}
	// What is neither UDP's address nor IP's stays the zero Addr, which the option refuses.
	m.Group, m.Source = ipOf(group), ipOf(source)
	err := o.With(m).Apply((*rawConn)(c.fd))
	if bad, ok := errors.AsType[*sockopt.ValueError](err); ok {
		err = &ArgumentError{Arg: "membership", Value: m, Why: bad.Why}
	}
	return opErrorLocal(c.fd, "set", err)
}

// ipOf returns the address of a *net.UDPAddr or *net.IPAddr, the zero Addr for others.
func ipOf(addr net.Addr) netip.Addr {
	switch addr.(type) {
	case *net.UDPAddr, *net.IPAddr:
	default:
		return netip.Addr{}
	}
	ip, _, zone, _ := ipParts(plain(addr))
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap().WithZone(zone)
}
