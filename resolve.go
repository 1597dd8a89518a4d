package sockets

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"

	"github.com/iolib-go/sockets/internal/sys"
)

// protocolNumber returns the number of an internet protocol given by number or name.
func protocolNumber(s string) (int, error) {
	if n, ok := decimal(s); ok {
		return n, nil
	}
	if n, ok := protocols()[strings.ToLower(s)]; ok {
		return n, nil
	}
	return 0, &net.AddrError{Err: "unknown IP protocol specified", Addr: s}
}

func decimal(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || n > 0xffffff {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}

// protocols are the names in /etc/protocols, protocols(5), and a few that are
// known without it.
var protocols = sync.OnceValue(func() map[string]int {
	m := map[string]int{"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "ipv6-icmp": 58}
	b, err := os.ReadFile("/etc/protocols")
	if err != nil {
		return m
	}
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
		line, _, _ := strings.Cut(sc.Text(), "#")
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, ok := decimal(f[1])
		if !ok {
			continue
		}
		for _, name := range append(f[2:], f[0]) {
			name = strings.ToLower(name)
			if _, ok := m[name]; !ok {
				m[name] = n
			}
		}
	}
	return m
})

// resolve returns the addresses that address stands for, at least one. local is the
// local address of a dial, which leaves only those of its own type and family.
func (k *kind) resolve(ctx context.Context, r *net.Resolver, dial bool, address string, local net.Addr) ([]net.Addr, error) {
	if dial && address == "" {
		return nil, errMissingAddress()
	}
	var addrs []net.Addr
	var err error
	if k.address != nil {
		var addr net.Addr
		addr, err = k.address(k, dial, address)
		addrs = []net.Addr{addr}
	} else {
		addrs, err = k.resolveInternet(ctx, r, address)
	}
	if err != nil {
		return nil, err
	}
	if !dial {
		return addrs, nil
	}
	return fitting(addrs, local)
}

// given is resolve for a dial to addresses that are known.
func (k *kind) given(given []netip.AddrPort, local net.Addr) ([]net.Addr, error) {
	if !k.internet() || k.typ == sys.SOCK_RAW {
		return nil, net.UnknownNetworkError(k.name)
	}
	if len(given) == 0 {
		return nil, &ArgumentError{Arg: "addresses", Value: given, Why: "must not be empty"}
	}
	addrs := make([]net.Addr, len(given))
	for i, ap := range given {
		ip := ap.Addr().Unmap()
		why := ""
		switch {
		case !ip.IsValid():
			why = "must be valid"
		case k.family == sys.AF_INET && !ip.Is4():
			why = "must be of IPv4 for network " + k.name
		case k.family == sys.AF_INET6 && ip.Is4():
			why = "must be of IPv6 for network " + k.name
		}
		if why != "" {
			return nil, &ArgumentError{Arg: "address", Value: ap, Why: why}
		}
		addrs[i] = k.internetAddr(net.IPAddr{IP: ip.AsSlice(), Zone: ip.Zone()}, int(ap.Port()))
	}
	return fitting(addrs, local)
}

// fitting returns those of addrs, at least one, that a socket with the address local can
// have for a peer. It reuses the memory of addrs.
func fitting(addrs []net.Addr, local net.Addr) ([]net.Addr, error) {
	if local == nil {
		return addrs, nil
	}
	fit := addrs[:0]
	for _, addr := range addrs {
		if addr.Network() != local.Network() {
			return nil, &net.AddrError{Err: "mismatched local address type", Addr: local.String()}
		}
		if fitsLocal(addr, local) {
			fit = append(fit, addr)
		}
	}
	if len(fit) == 0 {
		return nil, noSuitableAddress(local.String())
	}
	return fit, nil
}

func noSuitableAddress(addr string) error {
	return &net.AddrError{Err: "no suitable address found", Addr: addr}
}

// fitsLocal reports whether one socket can have both addresses.
func fitsLocal(addr, local net.Addr) bool {
	if plain(local) == nil || isWildcard(local) || isWildcard(addr) {
		return true
	}
	return isIPv4(addr) == isIPv4(local)
}

func (k *kind) resolveInternet(ctx context.Context, r *net.Resolver, address string) ([]net.Addr, error) {
	host, port := address, 0
	if k.typ != sys.SOCK_RAW {
		host = ""
		if address != "" {
			h, p, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			if port, err = r.LookupPort(ctx, k.network, p); err != nil {
				return nil, err
			}
			host = h
		}
	}
	if host == "" {
		return []net.Addr{k.internetAddr(net.IPAddr{}, port)}, nil
	}
	var room [2]net.IPAddr
	ips, err := k.lookupIP(ctx, r, host, room[:0])
	if err != nil {
		return nil, err
	}
	if len(ips) == 1 && ips[0].IP.Equal(net.IPv6unspecified) {
		// Linux and others have an IPv6 wildcard where no IPv6 address is in use,
		// go.dev/issue/18806.
		ips = append(ips, net.IPAddr{IP: net.IPv4zero})
	}
	var addrs []net.Addr
	for _, ip := range ips {
		is4 := ip.IP.To4() != nil
		switch k.family {
		case sys.AF_INET:
			if !is4 {
				continue
			}
		case sys.AF_INET6:
			if is4 || len(ip.IP) != net.IPv6len {
				continue
			}
		}
		addrs = append(addrs, k.internetAddr(ip, port))
	}
	if len(addrs) == 0 {
		return nil, noSuitableAddress(host)
	}
	return addrs, nil
}

// internetAddr returns the address of an internet socket of kind k.
func (k *kind) internetAddr(ip net.IPAddr, port int) net.Addr {
	switch k.typ {
	case sys.SOCK_STREAM:
		return &net.TCPAddr{IP: ip.IP, Port: port, Zone: ip.Zone}
	case sys.SOCK_DGRAM:
		return &net.UDPAddr{IP: ip.IP, Port: port, Zone: ip.Zone}
	}
	return &net.IPAddr{IP: ip.IP, Zone: ip.Zone}
}

// lookupIP asks only for addresses of the network's family, as package net does. One
// that needs no lookup goes into room.
func (k *kind) lookupIP(ctx context.Context, r *net.Resolver, host string, room []net.IPAddr) ([]net.IPAddr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		as16 := ip.As16()
		return append(room, net.IPAddr{IP: as16[:], Zone: ip.Zone()}), nil
	}
	network := "ip4"
	switch k.family {
	case sys.AF_UNSPEC:
		return r.LookupIPAddr(ctx, host)
	case sys.AF_INET6:
		network = "ip6"
	}
	found, err := r.LookupIP(ctx, network, host)
	if err != nil {
		return nil, err
	}
	ips := make([]net.IPAddr, len(found))
	for i, ip := range found {
		if ip.IsLinkLocalUnicast() && k.family == sys.AF_INET6 {
			// LookupIP loses zones, which link-local addresses need.
			return r.LookupIPAddr(ctx, host)
		}
		ips[i].IP = ip
	}
	return ips, nil
}

// preferIPv4 returns the address that a listener uses of several.
func preferIPv4(addrs []net.Addr) net.Addr {
	for _, addr := range addrs {
		if isIPv4(addr) {
			return addr
		}
	}
	return addrs[0]
}

// partition splits addrs into those of the first one's family and the others.
func partition(addrs []net.Addr) (primaries, fallbacks []net.Addr) {
	if len(addrs) == 1 {
		return addrs, nil
	}
	for _, addr := range addrs {
		if isIPv4(addr) == isIPv4(addrs[0]) {
			primaries = append(primaries, addr)
		} else {
			fallbacks = append(fallbacks, addr)
		}
	}
	return primaries, fallbacks
}
