// Package sockets offers what the BSD socket interface can do and package net hides,
// as ordinary net.Conn, net.Listener and net.PacketConn: net/http, crypto/tls, gRPC,
// quic-go and database drivers use them unchanged. Sockets are made with raw system
// calls and wait in the poller of Go's runtime.
//
// Where package net has an answer, this package has the same one: the same functions
// and types by the same names, the same errors down to their text, the same addresses,
// deadlines and edge cases. It adds
//
//   - sockets before they have a role, of every address family ([New], [NewRaw]), in
//     other network namespaces as well ([NewIn]);
//   - every option with its type (package [sockopt]);
//   - flags for each message ([MsgFlags]);
//   - datagrams in batches ([UDPConn.ReadBatch]), with segmentation offload
//     ([UDPConn.SetOffload]), local addresses and ECN ([PacketInfo]), and the reasons why
//     some did not arrive ([UDPConn.ReadErrorQueue]);
//   - descriptors and credentials over unix sockets ([UnixConn.SendFD],
//     [UnixConn.ReceiveCred]), and descriptors that are adopted ([FromFD]);
//   - external formats, which are a character encoding and a newline style, in the path
//     of a stream, of a file and of bytes ([ExternalFormat], [TextConn]).
//
// Package activation takes over the sockets of a service manager, package upgrade
// replaces a running server, and package compat is package net by another import path.
//
// # Getting a socket
//
// [Dial] and [Listen] are those of package net. [Dialer] and [ListenConfig] have the
// fields of their namesakes and more; their Options, for example, are set before the
// socket is bound.
//
// [New] makes a [Socket] without a role, which can be bound and given options. Its
// methods Listen, Connect, Conn, Listener and PacketConn give it one: they move the
// descriptor into a value of the types below and leave the Socket empty. Closing an empty
// Socket does nothing, so defer s.Close() is always right.
//
//	New -> (options, Bind)* -> Listen | Connect | PacketConn
//
// # Types
//
// [TCPConn], [UDPConn], [IPConn], [UnixConn], [TCPListener] and [UnixListener] have the
// methods of their namesakes in package net. [StreamConn], [StreamListener] and
// [PacketConn] are for families that package net does not know, such as vsock and
// netlink. A type has a method only if it works there, because libraries find out what a
// connection can do by asking for its methods.
//
// Connections are safe for concurrent use, and Close unblocks calls that wait. Each
// function that takes or returns a descriptor, or an *os.File, says which side closes it.
//
// # Errors
//
// Errors of calls on sockets are *net.OpError. The end of a stream is io.EOF. What a
// system cannot do matches errors.ErrUnsupported. Inside a *net.OpError is net.ErrClosed,
// os.ErrDeadlineExceeded, an *os.SyscallError with the errno, or one of these:
//
//   - [ArgumentError]: an argument that no socket could work with, and why
//   - [sockopt.Error]: an option that could not be read or set; [sockopt.ValueError] if
//     its value is impossible
//   - [RoleError]: a socket that is not fit for a role
//   - [ControlError]: what is wrong with received descriptors or credentials; it matches
//     [ErrNoDescriptor], [ErrTooManyDescriptors], [ErrDescriptorsLost],
//     [ErrMessageTooLong], [ErrUnknownControl] or [ErrNoCredentials]
//   - [DescriptorError]: a descriptor that cannot be sent
//   - [ErrWouldBlock]: a call that was told not to wait would have had to
//
// [FormatError] reports text that cannot be converted, or the name of a format that does
// not exist; it matches [ErrMalformed], [ErrUnencodable], [ErrUnknownEncoding] or
// [ErrFormatOption]. [QueuedError] is a report from a socket's error queue.
//
// # Limits
//
// Linux is where everything works and is tested. On macOS and the BSDs the package
// builds, and what the system lacks returns errors.ErrUnsupported. On Windows every call
// does; package compat is package net there.
//
// Some fast paths of the standard library recognise only package net's own types:
// net.Buffers writes its slices one by one to other connections, and PacketConn.ReadFrom
// of golang.org/x/net/ipv4 and ipv6 refuses them. Code that asks for *net.TCPConn finds it
// only if it imports package compat as net.
//
// An accepted connection is assumed to have the listener's address. The kernel is asked
// only if the listener's address is a wildcard, or if other code had access to the
// listener's descriptor: through Control, Options, SyscallConn or File, or because it was
// adopted. A BPF program of type sk_lookup that another process installs is not noticed.
package sockets
