//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package sys

import (
	"net"
	"syscall"
)

// Systems without these system calls: every function answers with the errno that
// matches errors.ErrUnsupported, and the numbers mean nothing.

const unixPathSize = 108
const hasAbstract = false

const (
	MSG_CMSG_CLOEXEC = 0
	IPPROTO_MPTCP    = -1
	SO_PROTOCOL      = -1
	SO_DOMAIN        = -1
	SO_ACCEPTCONN    = -1
	TCP_KEEPIDLE     = -1
	TCP_KEEPINTVL    = -1
	TCP_KEEPCNT      = -1
	AF_UNSPEC        = 0
	AF_UNIX          = 1
	AF_INET          = 2
	AF_INET6         = 10
	SOCK_STREAM      = 1
	SOCK_DGRAM       = 2
	SOCK_RAW         = 3
	SOCK_SEQPACKET   = 5
	SHUT_RD          = 0
	SHUT_WR          = 1
	MSG_DONTWAIT     = 1 << 0
	MSG_PEEK         = 1 << 1
	MSG_OOB          = 1 << 2
	MSG_DONTROUTE    = 1 << 3
	MSG_WAITALL      = 1 << 4
	MSG_TRUNC        = 0
	MSG_CONFIRM      = 1 << 5
	MSG_MORE         = 1 << 6
	MSG_LACKING      = 1<<7 - 1
	MSG_NOSIGNAL     = 0
	MSG_EOR          = 0
	IPPROTO_TCP      = 6
	IPPROTO_IP       = 0
	IPPROTO_IPV6     = 41
	SOL_SOCKET       = 1
	SO_REUSEADDR     = -1
	SO_REUSEPORT     = -1
	SO_BROADCAST     = -1
	SO_KEEPALIVE     = -1
	SO_RCVBUF        = -1
	SO_SNDBUF        = -1
	SO_TYPE          = -1
	SO_ERROR         = -1
	TCP_NODELAY      = -1
	IPV6_V6ONLY      = -1
)

const none = syscall.ENOSYS

func putFamily(b *[sockaddrSize]byte, family, _ int) { b[0] = byte(family) }
func family(b *[sockaddrSize]byte) int               { return int(b[0]) }

// Interface4 is an interface of IPv4 multicasting.
type Interface4 int

func Interface4Of(ifi *net.Interface) (Interface4, error) { return 0, nil }

func Socket(family, typ, proto int) (int, syscall.Errno)                 { return -1, none }
func Socketpair(family, typ, proto int) ([2]int, syscall.Errno)          { return [2]int{}, none }
func Accept(fd uintptr, sa *Sockaddr) (int, syscall.Errno)               { return -1, none }
func Bind(fd uintptr, sa *Sockaddr) syscall.Errno                        { return none }
func Connect(fd uintptr, sa *Sockaddr) syscall.Errno                     { return none }
func Listen(fd uintptr, backlog int) syscall.Errno                       { return none }
func Shutdown(fd uintptr, how int) syscall.Errno                         { return none }
func Close(fd int) syscall.Errno                                         { return none }
func SetNonblock(fd int) syscall.Errno                                   { return none }
func Dup(fd uintptr) (int, syscall.Errno)                                { return -1, none }
func Getsockname(fd uintptr, sa *Sockaddr) syscall.Errno                 { return none }
func Getpeername(fd uintptr, sa *Sockaddr) syscall.Errno                 { return none }
func SetsockoptInt(fd uintptr, level, name, value int) syscall.Errno     { return none }
func GetsockoptInt(fd uintptr, level, name int) (int, syscall.Errno)     { return 0, none }
func SetLinger(fd uintptr, sec int) syscall.Errno                        { return none }
func SetMulticastInterface4(fd uintptr, ifi Interface4) syscall.Errno    { return none }
func SetMulticastInterface6(fd uintptr, index int) syscall.Errno         { return none }
func SetMulticastLoop4(fd uintptr, on bool) syscall.Errno                { return none }
func SetMulticastLoop6(fd uintptr, on bool) syscall.Errno                { return none }
func JoinGroup4(fd uintptr, group [4]byte, ifi Interface4) syscall.Errno { return none }
func SetMulticastReuse(fd uintptr) syscall.Errno                         { return none }
func JoinGroup6(fd uintptr, group [16]byte, index int) syscall.Errno     { return none }

type SocketFileID struct{ Device, Inode uint64 }

func SocketFile(path string) (id SocketFileID, ok bool)                     { return id, false }
func Unlink(path string) syscall.Errno                                      { return none }
func LockFile(path string) (int, syscall.Errno)                             { return -1, none }
func Setmode(fd uintptr, mode uint32) syscall.Errno                         { return none }
func ChangeSocketFile(path string, uid, gid int, mode uint32) syscall.Errno { return none }

func Recv(fd uintptr, p []byte) (int, syscall.Errno)                              { return -1, none }
func Send(fd uintptr, p []byte) (int, syscall.Errno)                              { return -1, none }
func Recvfrom(fd uintptr, p []byte, flags int, sa *Sockaddr) (int, syscall.Errno) { return -1, none }
func Sendto(fd uintptr, p []byte, flags int, sa *Sockaddr) (int, syscall.Errno)   { return -1, none }
func Recvmsg(fd uintptr, p, oob []byte, flags int, sa *Sockaddr) (n, oobn, rflags int, e syscall.Errno) {
	return 0, 0, 0, none
}
func Sendmsg(fd uintptr, p, oob []byte, flags int, sa *Sockaddr) (int, syscall.Errno) {
	return -1, none
}

// MaxBacklog returns the longest accept queue the system allows.
func MaxBacklog() int { return 128 }

const (
	UnnamedUnix      = ""
	ConnectsWildcard = true
	MapsIPv4         = false
)

// Address families of Linux; a negative one is of no socket.
const (
	AF_VSOCK   = -2
	AF_NETLINK = -3
	AF_PACKET  = -4
)

func (sa *Sockaddr) MakeReachable()                         {}
func HasMultipathTCP() bool                                 { return false }
func UsesMultipathTCP(fd int) bool                          { return false }
func Disconnect(fd uintptr, zone, device int) syscall.Errno { return none }
func KeepsPeer6() bool                                      { return false }
func BoundDevice(fd uintptr) int                            { return 0 }
func BindDevice(fd uintptr, index int) syscall.Errno        { return none }
func PeerEnded(fd uintptr) bool                             { return true }
