package netfd

import (
	"math"
	"os"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// Probed is what a socket that others made tells about itself.
type Probed struct {
	Family, Type, Proto int
	Local, Remote       sys.Sockaddr // no address if there is none
}

// AdoptCopy returns an FD with a copy of sysfd, in the poller, if check has nothing
// against the socket. sysfd stays the caller's. The socket becomes non-blocking, unless
// it fails. The FD has neither addresses nor the name of a network.
func AdoptCopy(sysfd int, check func(family, typ int) error) (*FD, Probed, error) {
	p, err := probe(sysfd)
	if err != nil {
		// Without a copy, whose close would give up the locks of a file, fcntl(2).
		return nil, p, err
	}
	nfd, errno := sys.Dup(uintptr(sysfd))
	if errno != 0 {
		return nil, p, os.NewSyscallError("fcntl", errno)
	}
	if err := check(p.Family, p.Type); err != nil {
		sys.Close(nfd)
		return nil, p, err
	}
	nonblocking, err := setNonblock(nfd)
	if err != nil {
		return nil, p, err
	}
	fd, err := p.own(nfd)
	if err != nil && !nonblocking {
		sys.SetBlocking(sysfd)
	}
	return fd, p, err
}

// Adopt is AdoptCopy for a descriptor that becomes the FD's, or is closed if that fails.
// It needs no other one, of which there may be none.
func Adopt(sysfd int) (*FD, Probed, error) {
	p, err := probe(sysfd)
	if err != nil {
		sys.Close(sysfd)
		return nil, p, err
	}
	if _, err := setNonblock(sysfd); err != nil {
		return nil, p, err
	}
	fd, err := p.own(sysfd)
	return fd, p, err
}

// Take is AdoptCopy that closes sysfd once there is the copy. In the place of 0, 1 and 2
// it leaves the null device.
func Take(sysfd int) (*FD, Probed, error) {
	if sysfd < 0 || sysfd > math.MaxInt32 {
		// The kernel would take the low 32 bits.
		return nil, Probed{}, os.NewSyscallError("getsockopt", syscall.EBADF)
	}
	if sysfd > 2 {
		fd, p, err := AdoptCopy(sysfd, func(family, typ int) error { return nil })
		if err == nil {
			sys.Close(sysfd)
		}
		return fd, p, err
	}
	null := -1
	fd, p, err := AdoptCopy(sysfd, func(family, typ int) (err error) {
		// Not before it is known that sysfd is open, or null might be that.
		var errno syscall.Errno
		if null, errno = sys.OpenNull(); errno != 0 {
			err = os.NewSyscallError("open", errno)
		}
		return err
	})
	if null >= 0 {
		defer sys.Close(null)
	}
	if err == nil {
		sys.Dup2(null, sysfd)
	}
	return fd, p, err
}

// setNonblock makes sysfd non-blocking, and reports whether it was so already. It
// closes sysfd if it fails. Where package net asks getsockname, it has set the mode
// before. Here it comes last, for it is the one thing that others see.
func setNonblock(sysfd int) (was bool, err error) {
	was, errno := sys.Nonblocking(sysfd)
	if errno == 0 && !was {
		errno = sys.SetNonblock(sysfd)
	}
	if errno != 0 {
		sys.Close(sysfd)
		return was, os.NewSyscallError("setnonblock", errno)
	}
	return was, nil
}

// probe finds out what kind of socket sysfd is, and changes nothing.
func probe(sysfd int) (p Probed, err error) {
	s := uintptr(sysfd)
	var errno syscall.Errno
	if p.Type, errno = sys.GetsockoptInt(s, sys.SOL_SOCKET, sys.SO_TYPE); errno != 0 {
		return p, os.NewSyscallError("getsockopt", errno)
	}
	nameErrno := sys.Getsockname(s, &p.Local)
	if p.Family, errno = sys.GetsockoptInt(s, sys.SOL_SOCKET, sys.SO_DOMAIN); errno != 0 {
		// Only the address tells.
		if nameErrno != 0 {
			return p, os.NewSyscallError("getsockname", nameErrno)
		}
		p.Family = p.Local.Family()
	}
	p.Proto, _ = sys.GetsockoptInt(s, sys.SOL_SOCKET, sys.SO_PROTOCOL)
	sys.Getpeername(s, &p.Remote) // none if it is not connected
	return p, nil
}

// own makes sysfd, which must be non-blocking, an FD in the poller. It closes sysfd
// if it fails.
func (p *Probed) own(sysfd int) (*FD, error) {
	fd, err := New(sysfd, Kind{Family: p.Family, Type: p.Type, Proto: p.Proto})
	if err != nil {
		return nil, err
	}
	fd.FindOffload()
	if err := fd.Init(); err != nil {
		fd.Close()
		return nil, err
	}
	return fd, nil
}

// ReceivedFile returns the file of a descriptor that was received.
func ReceivedFile(sysfd int) *os.File {
	if sysfd <= 2 {
		// Of 1 and 2, an os.File would raise SIGPIPE.
		if up, errno := sys.Dup(uintptr(sysfd)); errno == 0 {
			sys.Close(sysfd)
			sysfd = up
		}
	}
	return os.NewFile(uintptr(sysfd), "received")
}
