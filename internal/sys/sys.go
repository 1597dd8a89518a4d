// Package sys holds the system calls that sockets are made of, one file set per
// operating system: nothing above this package knows which system it runs on.
//
// Every function takes a bare descriptor and gives back the bare errno, 0 for
// success. Nothing here waits or keeps state. What a signal interrupts begins again,
// except connect(2), which goes on by itself.
package sys

import "syscall"

// maxAborted is how many connections Accept passes over that were gone before they
// were accepted. A family may have no other answer, as Linux's AF_ALG where the
// peer's address is asked for.
const maxAborted = 1024

// IPPROTO_SCTP is the Stream Control Transmission Protocol, RFC 9260.
const IPPROTO_SCTP = 132

// Errno values that the layers above tell apart on every system.
const (
	EAGAIN       = syscall.EAGAIN
	EINTR        = syscall.EINTR
	EINVAL       = syscall.EINVAL
	EINPROGRESS  = syscall.EINPROGRESS
	EALREADY     = syscall.EALREADY
	EISCONN      = syscall.EISCONN
	ECONNABORTED = syscall.ECONNABORTED
	ENOTCONN     = syscall.ENOTCONN
	EPIPE        = syscall.EPIPE
	EAFNOSUPPORT = syscall.EAFNOSUPPORT
	ENOPROTOOPT  = syscall.ENOPROTOOPT
)
