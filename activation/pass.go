package activation

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"weak"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// Named is a socket or any other file, together with the name under which a child
// process receives it.
type Named struct {
	Name string // printable ASCII without colons, at most 255 bytes

	// Conn is a net.Listener, net.Conn, net.PacketConn, *os.File, or anything else with a
	// SyscallConn method. A value without one, such as a *tls.Conn, is an error that names
	// its type.
	Conn any
}

// PassTo passes copies of descriptors to cmd, which must not have been started. The
// program that cmd starts receives them in this order by calling [Inherited], or its
// counterpart in another package that follows sd_listen_fds(3). Call it once, after
// setting cmd.Env (if you set it), because PassTo adds variables to it.
//
// PassTo appends the copies to cmd.ExtraFiles. Once cmd has been started, or starting
// it has failed, call [ClosePassed] to close them; otherwise they stay open until cmd
// is garbage collected, and a listener's port stays in use. Descriptors that already
// were in cmd.ExtraFiles keep their numbers. The sockets remain non-blocking, in this
// process and in the child.
//
// A unix listener leaves its path to the child: from then on its Close does not remove
// the socket's file, unless starting cmd fails and ClosePassed is called. To have the
// file removed in the end, call SetUnlinkOnClose on this listener or on the one that
// the child adopts. On a [*net.UnixListener], which does not report its setting, PassTo
// leaves it off.
//
// A program that follows sd_listen_fds(3) to the letter expects its own process ID in
// LISTEN_PID, which is not known before it is started; use [PassToService] for such
// programs. Inherited of this package instead recognizes the descriptors themselves,
// and leaves out those that already were in cmd.ExtraFiles.
func PassTo(cmd *exec.Cmd, socks ...Named) error {
	if err := checkCommand(cmd); err != nil {
		return err
	}
	return passTo(cmd, socks)
}

// PassToService is like [PassTo], for a program that checks LISTEN_PID. It starts the
// program through /bin/sh, which sets LISTEN_PID to its own process ID and then becomes
// the program. Therefore it changes cmd.Path and cmd.Args, and the program's args[0] is
// its path. Starting it succeeds even if the program cannot be executed; it then exits
// with status 126 or 127.
func PassToService(cmd *exec.Cmd, socks ...Named) error {
	if err := checkCommand(cmd); err != nil {
		return err
	}
	if cmd.Err != nil {
		return cmd.Err
	}
	if slices.Contains(cmd.ExtraFiles, nil) {
		return &sockets.ArgumentError{Arg: "command", Value: cmd.Path, Why: "a nil file in ExtraFiles is a gap, which sd_listen_fds(3) refuses"}
	}
	if err := passTo(cmd, socks); err != nil {
		return err
	}
	path := cmd.Path
	if !strings.Contains(path, "/") {
		path = "./" + path // sh would look it up in PATH
	}
	var args []string
	if len(cmd.Args) > 0 {
		args = cmd.Args[1:]
	}
	const script = `LISTEN_PID=$$; export LISTEN_PID; exec "$0" "$@"`
	cmd.Args = append([]string{"sh", "-c", script, path}, args...)
	cmd.Path = "/bin/sh"
	return nil
}

// checkCommand returns an error if cmd cannot be given descriptors.
func checkCommand(cmd *exec.Cmd) error {
	switch {
	case cmd == nil:
		return &sockets.ArgumentError{Arg: "command", Value: nil, Why: "must not be nil"}
	case cmd.Process != nil:
		return &sockets.ArgumentError{Arg: "command", Value: cmd.Path, Why: "has been started"}
	case slices.ContainsFunc(cmd.ExtraFiles, isPassed):
		return &sockets.ArgumentError{Arg: "command", Value: cmd.Path, Why: "has been given descriptors; pass all of them at once"}
	}
	return nil
}

func passTo(cmd *exec.Cmd, socks []Named) (err error) {
	var names, ids []string
	for range cmd.ExtraFiles {
		names = append(names, unknownName)
	}
	var files []*os.File
	defer func() {
		if err != nil {
			closeFiles(files)
		}
	}()
	for i, s := range socks {
		name, err := passedName(s.Name)
		if err != nil {
			return err
		}
		f, id, err := passedFile(i, s)
		if err != nil {
			return err
		}
		files, names, ids = append(files, f), append(names, name), append(ids, id)
	}
	env := withoutListen(cmd.Environ())
	if len(socks) > 0 {
		first := firstInherited + len(cmd.ExtraFiles)
		env = append(env,
			listenFDs+"="+strconv.Itoa(len(names)),
			listenFDNames+"="+strings.Join(names, ":"),
			listenIDs+"="+strconv.Itoa(first)+","+strings.Join(ids, ","))
	}
	cmd.Env = env
	cmd.ExtraFiles = append(cmd.ExtraFiles[:len(cmd.ExtraFiles):len(cmd.ExtraFiles)], files...)
	for i, s := range socks {
		leavePath(files[i], s.Conn)
	}
	return nil
}

// takeBacks has what ClosePassed does, by the weak pointer to a file that was passed, if
// the command has not been started.
var takeBacks sync.Map

// leavePath leaves the path of a unix listener to the process that gets f.
func leavePath(f *os.File, c any) {
	switch l := c.(type) {
	case interface{ LeavePath() (takeBack func()) }:
		key := weak.Make(f)
		takeBacks.Store(key, l.LeavePath())
		runtime.AddCleanup(f, func(key weak.Pointer[os.File]) { takeBacks.Delete(key) }, key)
	case *net.UnixListener:
		l.SetUnlinkOnClose(false)
	}
}

// passedPrefix begins the name of files that PassTo adds to a command. With the NUL
// it is no path.
const passedPrefix = "passed\x00"

func isPassed(f *os.File) bool { return f != nil && strings.HasPrefix(f.Name(), passedPrefix) }

// ClosePassed closes the copies that [PassTo] added to cmd.ExtraFiles, and no other
// files. The child has its own copies. A nil cmd has none.
func ClosePassed(cmd *exec.Cmd) {
	if cmd == nil {
		return
	}
	for _, f := range cmd.ExtraFiles {
		if isPassed(f) {
			takeBack, ok := takeBacks.LoadAndDelete(weak.Make(f))
			if ok && cmd.Process == nil {
				takeBack.(func())()
			}
			f.Close()
		}
	}
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// passedName returns name as it stands in LISTEN_FDNAMES.
func passedName(name string) (string, error) {
	if name == "" {
		// One empty name alone would be no name.
		return unknownName, nil
	}
	why := ""
	if len(name) > 255 {
		why = "longer than 255 bytes"
	}
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' || c == ':' {
			why = "only printable ASCII without colons is possible"
		}
	}
	if why != "" {
		return "", &sockets.ArgumentError{Arg: "name of a descriptor", Value: strconv.Quote(name), Why: why}
	}
	return name, nil
}

// passedFile returns a file with a copy of the descriptor, and what tells it from
// others. It is no file of package net, of which exec would make the socket
// blocking.
func passedFile(i int, s Named) (*os.File, string, error) {
	var (
		id    string
		nfd   = -1
		call  = "fstat"
		errno syscall.Errno
	)
	c, ok := s.Conn.(syscall.Conn)
	if !ok {
		return nil, "", &sockets.DescriptorError{Index: i, Err: &sockets.ArgumentError{
			Arg: "Conn", Value: fmt.Sprintf("%T", s.Conn), Why: "has no descriptor: it lacks SyscallConn"}}
	}
	err := netfd.Control(c, func(fd uintptr) {
		if id, errno = fileID(fd); errno == 0 {
			call = "fcntl"
			nfd, errno = sys.Dup(fd)
		}
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError(call, errno)
	}
	if err == sys.ErrNil {
		err = &sockets.ArgumentError{Arg: "Conn", Value: nil, Why: "must not be nil"}
	}
	if err != nil {
		return nil, "", &sockets.DescriptorError{Index: i, Err: err}
	}
	return os.NewFile(uintptr(nfd), passedPrefix+s.Name), id, nil
}

// withoutListen returns env without what was meant for this process.
func withoutListen(env []string) []string {
	var rest []string
	for _, kv := range env {
		switch name, _, _ := strings.Cut(kv, "="); name {
		case listenPID, listenPIDFDID, listenFDs, listenFDNames, listenIDs:
		default:
			rest = append(rest, kv)
		}
	}
	return rest
}
