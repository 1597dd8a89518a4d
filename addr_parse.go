package sockets

import (
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// ParseAddr is the inverse of an address's String method, network being what its
// Network method returns: internet and unix addresses as package net prints them,
// without looking up names, and the addresses of this package.
func ParseAddr(network, s string) (net.Addr, error) {
	addr, err := parseAddr(network, s)
	if err != nil {
		return nil, &net.AddrError{Err: "malformed " + network + " address", Addr: s}
	}
	return addr, nil
}

func parseAddr(network, s string) (net.Addr, error) {
	switch network {
	case "vsock":
		cid, port, ok := strings.Cut(s, ":")
		c, err1 := parseVsockNumber(cid)
		p, err2 := parseVsockNumber(port)
		if !ok || err1 != nil || err2 != nil {
			return nil, errMalformed
		}
		return &VsockAddr{CID: c, Port: p}, nil
	case "netlink":
		port, groups, ok := strings.Cut(s, "/")
		p, err1 := strconv.ParseUint(port, 10, 32)
		g, err2 := strconv.ParseUint(groups, 0, 32)
		if !ok || err1 != nil || err2 != nil {
			return nil, errMalformed
		}
		return &NetlinkAddr{PortID: uint32(p), Groups: uint32(g)}, nil
	case "packet":
		return parseLinkAddr(s)
	case "unix", "unixgram", "unixpacket":
		return &net.UnixAddr{Name: s, Net: network}, nil
	}
	if family, ok := strings.CutPrefix(network, "af"); ok {
		f, err1 := strconv.ParseUint(family, 10, 16)
		data, err2 := hex.DecodeString(s)
		if err1 != nil || err2 != nil {
			return nil, errMalformed
		}
		return &RawAddr{Family: int(f), Data: data}, nil
	}
	return parseInternetAddr(network, s)
}

// errMalformed is replaced by ParseAddr.
var errMalformed = errors.New("malformed")

func parseVsockNumber(s string) (uint32, error) {
	if s == "*" {
		return VsockAny, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}

func parseLinkAddr(s string) (net.Addr, error) {
	f := strings.SplitN(s, "/", 5)
	if len(f) != 5 {
		return nil, errMalformed
	}
	index, err1 := strconv.ParseUint(f[0], 10, 31)
	protocol, err2 := strconv.ParseUint(f[1], 0, 16)
	hatype, err3 := strconv.ParseUint(f[2], 10, 16)
	pkttype, err4 := strconv.ParseUint(f[3], 10, 8)
	hw, err5 := parseHardwareAddr(f[4])
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			return nil, err
		}
	}
	return &LinkAddr{
		Interface: int(index), Protocol: uint16(protocol),
		HardwareType: uint16(hatype), PacketType: uint8(pkttype), HardwareAddr: hw,
	}, nil
}

func parseInternetAddr(network, s string) (net.Addr, error) {
	switch network {
	case "ip":
		if s == "" {
			return new(net.IPAddr), nil
		}
		ip, err := netip.ParseAddr(s)
		if err == nil {
			err = checkZone(ip)
		}
		return ipAddrFromAddr(ip), err
	case "tcp":
		ap, err := parseAddrPort(s)
		return net.TCPAddrFromAddrPort(ap), err
	case "udp":
		ap, err := parseAddrPort(s)
		return net.UDPAddrFromAddrPort(ap), err
	}
	return nil, net.UnknownNetworkError(network)
}

// parseAddrPort is netip.ParseAddrPort that takes ":80", too, for no IP address.
func parseAddrPort(s string) (netip.AddrPort, error) {
	if port, ok := strings.CutPrefix(s, ":"); ok {
		n, err := strconv.ParseUint(port, 10, 16)
		return netip.AddrPortFrom(netip.Addr{}, uint16(n)), err
	}
	ap, err := netip.ParseAddrPort(s)
	if err == nil {
		err = checkZone(ap.Addr())
	}
	return ap, err
}

// checkZone refuses a zone on an IPv4 address: package net prints both in a form
// that nothing parses.
func checkZone(ip netip.Addr) error {
	if ip.Is4In6() && ip.Zone() != "" {
		return errMalformed
	}
	return nil
}

// parseHardwareAddr takes addresses of any length up to 32 octets, unlike
// net.ParseMAC.
func parseHardwareAddr(s string) (net.HardwareAddr, error) {
	if s == "" {
		return nil, nil
	}
	var hw net.HardwareAddr
	for _, octet := range strings.Split(s, ":") {
		n, err := strconv.ParseUint(octet, 16, 8)
		if err != nil || len(octet) != 2 || len(hw) == maxHardwareAddr {
			return nil, errMalformed
		}
		hw = append(hw, byte(n))
	}
	return hw, nil
}
