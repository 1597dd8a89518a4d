package sys

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// AttachReusePort gives the group of a socket a program that chooses its members.
// See socket(7), SO_ATTACH_REUSEPORT_CBPF.
func AttachReusePort(fd uintptr, program []bpf.RawInstruction) error {
	filter := make([]unix.SockFilter, len(program))
	for i, p := range program {
		filter[i] = unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	return unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
		&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
}
