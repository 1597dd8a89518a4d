package upgrade

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
)

// checkKind returns an error unless s is a socket for network.
func checkKind(s activation.Descriptor, network string, listener bool) error {
	if s.Socket == nil {
		return &NameError{s.Name, "is a file, not a socket"}
	}
	probe, err := sockets.New(network)
	if err != nil {
		return err
	}
	defer probe.Close()
	got, want := s.Socket, probe
	switch {
	case got.Type() != want.Type(), !sameFamily(got.Family(), want.Family(), network):
		return &NameError{s.Name, "is " + got.String() + ", not a socket of network " + network}
	case listener && !got.Listening():
		return &NameError{s.Name, "does not listen"}
	}
	return nil
}

// sameFamily reports whether a socket of family got serves network, whose sockets are
// of family want. A network without a number in its name has both IPv4 and IPv6.
func sameFamily(got, want int, network string) bool {
	isIP := func(family int) bool { return family == syscall.AF_INET || family == syscall.AF_INET6 }
	if isIP(got) && isIP(want) && !strings.HasSuffix(network, "4") && !strings.HasSuffix(network, "6") {
		return true
	}
	return got == want
}

// hasAddr reports whether a socket with the address local does what one listening to
// address would.
func hasAddr(ctx context.Context, local net.Addr, network, address string) bool {
	switch local := local.(type) {
	case *net.UnixAddr:
		return samePath(local.Name, address)
	case *net.TCPAddr:
		return hasIP(ctx, local.IP, local.Port, network, address)
	case *net.UDPAddr:
		return hasIP(ctx, local.IP, local.Port, network, address)
	}
	// An address of another family has one form.
	addr, err := sockets.ParseAddr(network, address)
	return err == nil && addr.String() == local.String()
}

func hasIP(ctx context.Context, ip net.IP, port int, network, address string) bool {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if want, err := net.DefaultResolver.LookupPort(ctx, network, service); err != nil || want != 0 && want != port {
		return false
	}
	if host == "" {
		return ip.IsUnspecified()
	}
	host, _, _ = strings.Cut(host, "%")
	addrs := []net.IP{net.ParseIP(host)}
	if addrs[0] == nil {
		if addrs, err = net.DefaultResolver.LookupIP(ctx, "ip", host); err != nil {
			return false
		}
	}
	for _, addr := range addrs {
		if addr.Equal(ip) || addr.IsUnspecified() && ip.IsUnspecified() {
			return true
		}
	}
	return false
}

// samePath reports whether two names of unix sockets are one, and the socket is still
// there.
func samePath(local, address string) bool {
	if strings.HasPrefix(local, "@") || strings.HasPrefix(address, "@") || address == "" {
		return local == address || address == ""
	}
	if _, err := os.Lstat(local); err != nil {
		return false
	}
	a, err1 := filepath.Abs(local)
	b, err2 := filepath.Abs(address)
	return err1 == nil && err2 == nil && a == b
}
