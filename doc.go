// Package sockets provides the parts of the BSD socket interface that package net
// hides. Its connections and listeners are ordinary [net.Conn], [net.Listener] and
// [net.PacketConn] values, so net/http, crypto/tls, gRPC, quic-go and database drivers
// use them unchanged. Sockets are made with raw system calls and wait in the Go
// runtime's network poller.
//
// Where package net does something, this package does the same: the same functions and
// types by the same names, the same addresses, deadlines and edge cases, and the same
// errors down to their text. It adds:
//
//   - sockets of every address family that can be configured before they listen or
//     connect ([New], [NewRaw]), also in other network namespaces ([NewIn])
//   - socket options, each with the type of its value (package [sockopt])
//   - flags for single messages ([MsgFlags])
//   - datagrams in batches ([UDPConn.ReadBatch]) and with segmentation offload
//     ([UDPConn.SetOffload]), their local addresses and ECN marks ([PacketInfo]), and
//     the reasons why some did not arrive ([UDPConn.ReadErrorQueue])
//   - passing descriptors and credentials over unix sockets ([UnixConn.SendFD],
//     [UnixConn.ReceiveCred]), and adopting existing descriptors ([FromFD])
//   - external formats, which combine a character encoding with a newline style, for
//     connections, files and byte slices ([ExternalFormat], [TextConn])
//
// Package [activation] takes over sockets from a service manager, package [upgrade]
// replaces a running server, and package [compat] is package net under another import
// path.
//
// # Getting a socket
//
// [Dial] and [Listen] work like their namesakes in package net. [Dialer] and
// [ListenConfig] have the fields of net's types and more; their Options, for example,
// are set before the socket is bound.
//
// [New] makes a [Socket], which does not yet have a role. It can be given options and
// bound. Its methods [Socket.Listen], [Socket.Connect], [Socket.Conn], [Socket.Listener]
// and [Socket.PacketConn] then give it a role: each moves the descriptor into one of the
// types below and leaves the Socket empty. Closing an empty Socket does nothing, so
// defer s.Close() is always right.
//
//	New -> (options, Bind)* -> Listen | Connect | PacketConn
//
// # Types
//
// [TCPConn], [UDPConn], [IPConn], [UnixConn], [TCPListener] and [UnixListener] have the
// methods of their namesakes in package net. [StreamConn], [StreamListener] and
// [PacketConn] are for address families that package net does not support, such as
// vsock and netlink. A type has a method only if the method works on it, because
// libraries test for methods to find out what a connection can do.
//
// Connections are safe for concurrent use, and Close unblocks pending calls. Every
// function that takes or returns a descriptor or an [os.File] documents which side
// closes it.
//
// # Errors
//
// Calls on sockets return errors of type [*net.OpError]. The end of a stream is
// [io.EOF]. An operation that the system does not support returns an error that matches
// [errors.ErrUnsupported]. A *net.OpError wraps [net.ErrClosed],
// [os.ErrDeadlineExceeded], an [*os.SyscallError] with the errno, or one of these:
//
//   - [ArgumentError]: an argument is invalid for any socket
//   - [sockopt.Error]: an option could not be read or set; it wraps a
//     [sockopt.ValueError] if the option cannot have that value
//   - [RoleError]: a socket cannot take a role
//   - [ControlError]: something is wrong with received descriptors or credentials; it
//     matches [ErrNoDescriptor], [ErrTooManyDescriptors], [ErrDescriptorsLost],
//     [ErrMessageTooLong], [ErrUnknownControl] or [ErrNoCredentials]
//   - [DescriptorError]: a descriptor cannot be sent
//   - [ErrWouldBlock]: a non-blocking call would have had to wait
//
// [FormatError] reports text that cannot be converted, or a format that does not exist;
// it matches [ErrMalformed], [ErrUnencodable], [ErrUnknownEncoding] or
// [ErrFormatOption]. [QueuedError] is a report from a socket's error queue.
//
// # Limits
//
// The package is developed for Linux, where everything works and is tested. On macOS
// and the BSDs it builds, and operations that the system lacks return
// [errors.ErrUnsupported]. On Windows every operation does; there package compat is
// package net.
//
// Some fast paths of the standard library recognize only package net's own types:
// [net.Buffers] writes its slices one by one to other connections, and
// PacketConn.ReadFrom of golang.org/x/net/ipv4 and ipv6 returns an error for them. A
// type assertion to *net.TCPConn succeeds only in code that imports package compat as
// net.
//
// An accepted connection is assumed to have the listener's address. The kernel is asked
// only if the listener's address is a wildcard, or if other code had access to the
// listener's descriptor: through Control, Options, SyscallConn or File, or because the
// listener was adopted. A BPF program of type sk_lookup that another process installs
// is not noticed.
//
// [activation]: https://pkg.go.dev/github.com/iolib-go/sockets/activation
// [compat]: https://pkg.go.dev/github.com/iolib-go/sockets/compat
// [upgrade]: https://pkg.go.dev/github.com/iolib-go/sockets/upgrade
package sockets
