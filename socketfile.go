package sockets

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// UnixOwner is the user and the group that own the file of a unix socket. A negative ID
// leaves the one that the file got from the process, as in [os.Chown].
type UnixOwner struct {
	UID, GID int
}

// socketFile is the file of a unix socket, or none.
type socketFile struct {
	path string // absolute, "" if there is no file
	id   sys.SocketFileID
}

// socketPath returns the path in addr, "" if that is no address of a file.
func socketPath(addr net.Addr) string {
	if a, ok := addr.(*net.UnixAddr); ok && a != nil && !sys.IsAbstract(a.Name) {
		return a.Name
	}
	return ""
}

// socketFileAt returns the file that a socket with the address addr was bound to a
// moment ago, if there is one.
func socketFileAt(addr net.Addr) socketFile {
	path := socketPath(addr)
	if path == "" {
		return socketFile{}
	}
	id, ok := sys.SocketFile(path)
	if !ok {
		return socketFile{}
	}
	if !filepath.IsAbs(path) {
		// Not filepath.Abs: "link/.." is another directory than it makes of it, and the
		// links in $PWD may change.
		if dir, err := syscall.Getwd(); err == nil {
			path = dir + "/" + path
		}
	}
	return socketFile{path, id}
}

// remove removes the file, unless another one has its path by now. The socket must still
// be open, or the other one may have got its inode number.
func (f *socketFile) remove() {
	if f == nil || f.path == "" {
		return
	}
	if now, ok := sys.SocketFile(f.path); ok && now == f.id {
		sys.Unlink(f.path)
	}
}

// checkFile refuses options about the file of a socket that would not have any effect
// on one of kind k at addr, or not the one that was meant.
func (lc *ListenConfig) checkFile(k *kind, addr net.Addr) error {
	if lc.UnixMode&^fs.ModePerm != 0 {
		return &ArgumentError{Arg: "UnixMode", Value: lc.UnixMode, Why: "has bits other than permissions"}
	}
	if o := lc.UnixOwner; o != nil {
		switch {
		case lc.UnixMode == 0:
			return &ArgumentError{Arg: "UnixOwner", Value: *o, Why: "requires UnixMode"}
		case int64(o.UID) >= math.MaxUint32 || int64(o.GID) >= math.MaxUint32:
			return &ArgumentError{Arg: "UnixOwner", Value: *o, Why: "does not fit in 32 bits"}
		}
	}
	if lc.UnixMode != 0 && (k.family != sys.AF_UNIX || socketPath(addr) == "") {
		return &ArgumentError{Arg: "UnixMode", Value: lc.UnixMode, Why: "the socket has no file"}
	}
	return nil
}

// bindPassive gives a listening socket its address, and its file, if it has one, the
// mode and the owner asked for.
func (o *opening) bindPassive(fd *netfd.FD, sa *sys.Sockaddr, local net.Addr) error {
	if o.unixMode == 0 {
		err := bind(fd, sa, local)
		if err == nil {
			o.file = socketFileAt(local)
		}
		return err
	}
	// No process can connect to a stream socket before listen(2), but to others after
	// bind. The owner may write all along, so that what a process leaves that is killed
	// here can be told to be stale without privileges.
	if err := fd.Setmode(uint32(o.unixMode & 0o200)); err != nil && !o.stream() {
		return err
	}
	if err := bind(fd, sa, local); err != nil {
		return err
	}
	o.file = socketFileAt(local)
	owner := UnixOwner{-1, -1}
	if o.unixOwner != nil {
		owner = *o.unixOwner
	}
	errno := sys.ChangeSocketFile(socketPath(local), max(owner.UID, -1), max(owner.GID, -1), uint32(o.unixMode))
	if errno != 0 {
		return os.NewSyscallError("chmod", errno)
	}
	return nil
}

// removeStale removes the file of a socket at path that no process has open. Until
// unlock, others that call it wait, or give up with ctx.
//
// They must wait until the new socket listens: before that, connecting to it fails like
// connecting to a stale one. The lock is a file beside the socket, because another
// file does not exist that every starter knows and no other process can lock. Binding to a
// temporary name and renaming that would replace a socket in one step; but of two that
// start at once, the second would replace the first's, and every peer would be told the
// temporary name.
func removeStale(ctx context.Context, path string) (unlock func(), err error) {
	unlock = func() {}
	if _, err := lstatSocket(path); err != nil {
		return unlock, err // before anything is changed
	}
	if unlock, err = lockBeside(ctx, path); err != nil {
		return unlock, err
	}
	there, err := lstatSocket(path)
	if err == nil && there && netfd.IsStale(path) {
		if errno := sys.Unlink(path); errno != 0 && errno != syscall.ENOENT {
			err = os.NewSyscallError("unlink", errno)
		}
	}
	if err != nil {
		unlock()
		return func() {}, err
	}
	return unlock, nil
}

// lstatSocket reports whether there is a file at path. It must be a socket.
func lstatSocket(path string) (there bool, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil && info.Mode().Type() != fs.ModeSocket {
		err = &ArgumentError{Arg: "address", Value: path, Why: "is not a socket, and ReplaceStale removes only sockets"}
	}
	return err == nil, err
}

// lockSuffix is what the name of a lock file ends in. It is not ".lock", which programs
// use for locks that they keep while they run, or write into: flock(1) scripts, Wayland
// and PostgreSQL among them.
const lockSuffix = ".starting"

// lockPoll is how often it is tried to get a lock that another process has, for the
// few system calls that listening takes.
const lockPoll = 2 * time.Millisecond

// lockBeside locks the file beside path, and unlock removes it.
func lockBeside(ctx context.Context, path string) (unlock func(), err error) {
	path += lockSuffix
	for {
		unlock, errno := netfd.LockFile(path)
		switch errno {
		case 0:
			return unlock, nil
		case syscall.EAGAIN:
		default:
			return func() {}, &fs.PathError{Op: "lock", Path: path, Err: errno}
		}
		select {
		case <-ctx.Done():
			return func() {}, mapErr(ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}
