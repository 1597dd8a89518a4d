//go:build linux || darwin || freebsd || netbsd || openbsd

package compat

// The compiler hands the body of a small method to the importers of this package only
// if something here uses it. Without it the address that ReadFromUDP returns would be on
// the heap of a program that imports this package alone.
var _ = func(c *UDPConn, b []byte) {
	c.ReadFromUDP(b)
}
