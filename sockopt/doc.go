// Package sockopt holds the options of sockets, each with the type of its value.
//
// An option works on every [syscall.Conn]: connections and listeners of package
// net, of package sockets and of others, and an [os.File]. To set one before a socket
// is bound or connected, put a [Setting] in the Options of a sockets.Dialer or
// sockets.ListenConfig, or apply it in the Control function of package net:
//
//	lc := net.ListenConfig{Control: func(network, address string, c syscall.RawConn) error {
//		return sockopt.ReusePort.With(true).Apply(c)
//	}}
//
// Options are listed by level: SO_ (any socket), IP_, IPV6_, TCP_ and UDP_. An
// option has the name that the kernel gives it, as Go spells it; a name ends in 6
// where the option of IPv6 is called as that of IPv4.
package sockopt
