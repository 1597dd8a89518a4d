// Package sockets makes sockets with raw system calls, waits for them in Go's
// runtime poller, and gives them back as net.Conn, net.Listener and
// net.PacketConn. Everything that uses package net's sockets can use these:
// net/http, crypto/tls, gRPC, quic-go, database drivers.
//
// Where package net has an answer, this package has the same one: the same
// functions and types by the same names, the same errors down to their text, the
// same addresses, deadlines and edge cases. What it adds is the rest of the BSD
// socket interface: a socket before it has a role, every option with its type,
// flags for each message, every address family, descriptors that are passed,
// adopted and inherited, and an external format, a character encoding and newline
// style, in the stream path. The operators are those of IOLib, a socket library
// for Common Lisp.
//
// # Getting a socket
//
// Dial and Listen are those of package net. [Dialer] and [ListenConfig] have the
// fields of their namesakes, and more: Options, for one, are set before the socket
// is bound.
//
// [New] makes a [Socket] without a role, to be bound and given options. Listen,
// Connect, Conn, Listener and PacketConn give it one: they move the descriptor
// into a value of the types below and leave the Socket empty, so that closing it
// afterwards, or by defer before, is always right.
//
//	New -> (options, Bind)* -> Listen | Connect | PacketConn
//
// # Types
//
// [TCPConn], [UDPConn], [IPConn], [UnixConn], [TCPListener] and [UnixListener]
// have the methods of their namesakes in package net. [StreamConn],
// [StreamListener] and [PacketConn] are for families that package net does not
// know, such as vsock and netlink. A type has a method only if it works there,
// because libraries find out what a connection can do by asking for its methods.
//
// Connections are safe for concurrent use, and Close wakes whoever waits. Who
// gives or takes a descriptor, or an *os.File, says who closes it.
//
// # Errors
//
// Errors of calls on sockets are *net.OpError. Inside are net.ErrClosed,
// os.ErrDeadlineExceeded, an *os.SyscallError with the errno, or one of the typed
// errors of this package: [ArgumentError], [sockopt.Error], [RoleError]. What a
// system cannot do matches errors.ErrUnsupported. The end of a stream is io.EOF.
//
// # Limits
//
// Linux is where everything works and is tested. On macOS and the BSDs the package
// builds, and what the system lacks answers errors.ErrUnsupported. On Windows every
// call does; package compat is package net there.
//
// Some fast paths of the standard library know only package net's own types:
// net.Buffers writes each of its slices by a call of its own to other connections,
// and PacketConn.ReadFrom of golang.org/x/net/ipv4 and ipv6 refuses them. Code that
// asks for *net.TCPConn finds it only if it imports package compat as net.
//
// A listener on one address takes that for the local address of what it accepts,
// and asks the kernel only if somebody had access to its descriptor: through
// Control, Options, SyscallConn, File, or because it was adopted. So a BPF program
// of type sk_lookup, set up by another process, is not noticed.
package sockets
