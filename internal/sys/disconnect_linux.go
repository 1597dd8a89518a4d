package sys

import (
	"sync"

	"golang.org/x/sys/unix"
)

// KeepsPeer6 reports whether the kernel leaves a disconnected IPv6 socket deaf for all
// but its old peer, as Linux does: __udp_disconnect in net/ipv4/udp.c forgets
// inet_daddr, and not sk_v6_daddr, which __udp6_lib_lookup compares with the sender of
// a datagram. gVisor lets one that was bound before it had an IPv4 peer hear IPv4 alone.
//
// A socket that had an IPv4 peer is sent to over IPv6 and then over IPv4. The latter
// arrives in any case, and shows whether the former did not.
var KeepsPeer6 = sync.OnceValue(func() bool {
	var fds [2]uintptr
	for i := range fds {
		s, errno := Socket(AF_INET6, SOCK_DGRAM, 0)
		if errno != 0 {
			return true
		}
		defer Close(s)
		fds[i] = uintptr(s)
		SetsockoptInt(fds[i], IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
	any6, loopback6 := [16]byte{}, [16]byte{15: 1}
	mapped := [16]byte{10: 0xff, 0xff, 127, 0, 0, 1}
	var sa Sockaddr
	sa.SetInet6(any6, 0, 0)
	if Bind(fds[0], &sa) != 0 || Getsockname(fds[0], &sa) != 0 {
		return true
	}
	port := int(sa.Port())
	sa.SetInet6(mapped, 9, 0)
	if Connect(fds[0], &sa) != 0 || Disconnect(fds[0], 0, 0) != 0 || Getsockname(fds[0], &sa) != 0 {
		return true
	}
	if int(sa.Port()) != port { // Linux takes a port away that it has chosen
		sa.SetInet6(any6, 0, 0)
		if Bind(fds[0], &sa) != 0 || Getsockname(fds[0], &sa) != 0 {
			return true
		}
		port = int(sa.Port())
	}
	for i, to := range [][16]byte{loopback6, mapped} {
		sa.SetInet6(to, port, 0)
		if _, errno := Sendto(fds[1], []byte{byte(i)}, 0, &sa); errno != 0 {
			return true
		}
	}
	p := []unix.PollFd{{Fd: int32(fds[0]), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(p, 1000); err != unix.EINTR {
			break
		}
	}
	var first [1]byte
	n, errno := Recv(fds[0], first[:])
	return errno != 0 || n != 1 || first[0] != 0
})
