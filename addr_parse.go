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
	for i := range families {
		if f := &families[i]; f.name == network && f.parse != nil {
			return f.parse(s)
		}
	}
	switch network {
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
