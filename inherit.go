package sockets

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// The environment variables of sd_listen_fds(3).
const (
	listenPID     = "LISTEN_PID"
	listenPIDFDID = "LISTEN_PIDFDID"
	listenFDs     = "LISTEN_FDS"
	listenFDNames = "LISTEN_FDNAMES"

	// listenIDs is ours: the first number, and what files the descriptors are. It
	// does what LISTEN_PID is for, to tell descriptors that are meant for this
	// process, and a parent knows it before the process exists.
	listenIDs = "SOCKETS_LISTEN_IDS"
)

// firstInherited is SD_LISTEN_FDS_START.
const firstInherited = 3

// unknownName is the name of a descriptor that came without one, sd_listen_fds(3).
const unknownName = "unknown"

// InheritedSocket is a descriptor that the process was started with.
type InheritedSocket struct {
	Name   string   // "unknown" if it came without one
	Socket *Socket  // nil if it is no socket
	File   *os.File // what is no socket, such as a FIFO; otherwise nil
}

// Close closes the socket or the file.
func (s InheritedSocket) Close() error {
	if s.Socket != nil {
		return s.Socket.Close()
	}
	return s.File.Close()
}

// InheritError reports an environment that says something impossible about
// inherited descriptors.
type InheritError struct {
	Variable string // "LISTEN_FDS"
	Value    string
	Err      error
}

func (e *InheritError) Error() string {
	return fmt.Sprintf("sockets: %s=%q: %v", e.Variable, e.Value, e.Err)
}

// Unwrap returns Err.
func (e *InheritError) Unwrap() error { return e.Err }

var inheritMu sync.Mutex

// Inherited returns what a service manager, systemd-socket-activate or PassTo gave
// to this process, in order, and makes it close-on-exec. The caller owns it. The
// second call returns nothing, because the first removes the variables from the
// environment, so that no child takes them for its own.
//
// There is none, and no error, if the variables are missing or meant for another
// process. The error is an *InheritError if they are malformed: if there are more
// names than descriptors, or if a descriptor is missing, which matches
// syscall.EBADF. It leaves the descriptors as they were, unless the system is at the
// end of its resources half way, which closes those that were taken until then. See
// sd_listen_fds(3).
func Inherited() ([]InheritedSocket, error) {
	inheritMu.Lock()
	defer inheritMu.Unlock()
	env := make(map[string]string)
	for _, name := range []string{listenPID, listenPIDFDID, listenFDs, listenFDNames, listenIDs} {
		if v, ok := os.LookupEnv(name); ok {
			env[name] = v
			os.Unsetenv(name)
		}
	}
	names, first, err := parseListen(env, os.Getpid())
	if err != nil || len(names) == 0 {
		return nil, err
	}
	for i := range names {
		if err := checkInherited(first + i); err != nil {
			return nil, &InheritError{listenFDs, env[listenFDs], fmt.Errorf("descriptor %d: %w", first+i, err)}
		}
	}
	// At once, before somebody starts a program.
	for i := range names {
		sys.SetCloseOnExec(first + i)
	}
	socks := make([]InheritedSocket, len(names))
	for i, name := range names {
		s, err := inherit(first+i, name)
		if err != nil {
			for _, s := range socks[:i] {
				s.Close()
			}
			return nil, &InheritError{listenFDs, env[listenFDs], err}
		}
		socks[i] = s
	}
	return socks, nil
}

// checkInherited reports whether fd came from whoever started this process. What
// the process opened itself does not survive exec, the poller's descriptors least
// of all.
func checkInherited(fd int) error {
	on, errno := sys.CloseOnExec(fd)
	if errno == 0 && on {
		errno = syscall.EBADF
	}
	return errnoErr(errno)
}

func inherit(fd int, name string) (InheritedSocket, error) {
	s, err := FromFD(fd)
	switch {
	case err == nil:
		return InheritedSocket{Name: name, Socket: s}, nil
	case isErrno(err, syscall.ENOTSOCK):
		return InheritedSocket{Name: name, File: os.NewFile(uintptr(fd), name)}, nil
	}
	return InheritedSocket{}, err
}

// parseListen returns the names of the descriptors that process pid inherits, and
// the number of the first. There are none if they are not meant for it.
func parseListen(env map[string]string, pid int) (names []string, first int, err error) {
	first, last, ours := matchIDs(env[listenIDs])
	if !ours {
		if first, last, err = parsePID(env, pid); err != nil || last < first {
			return nil, 0, err
		}
	}
	var given []string
	if v := env[listenFDNames]; v != "" {
		given = strings.Split(v, ":")
		if n := last - firstInherited + 1; len(given) > n {
			return nil, 0, &InheritError{listenFDNames, v, fmt.Errorf("more names than the %d descriptors", n)}
		}
		// Those in front of ours belong to others.
		given = given[min(len(given), first-firstInherited):]
	}
	for i := range last - first + 1 {
		name := unknownName
		if i < len(given) {
			name = given[i]
		}
		names = append(names, name)
	}
	return names, first, nil
}

// parsePID returns the first and the last of the descriptors that are given to
// process pid by sd_listen_fds(3).
func parsePID(env map[string]string, pid int) (first, last int, err error) {
	v, ok := env[listenPID]
	if !ok {
		return 0, -1, nil
	}
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil || n == 0 {
		return 0, -1, &InheritError{listenPID, v, errMalformed}
	}
	if int(n) != pid {
		return 0, -1, nil
	}
	if v, ok := env[listenPIDFDID]; ok {
		// A process number may have been another's before, this one never.
		id, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			return 0, -1, &InheritError{listenPIDFDID, v, errMalformed}
		}
		if own, ok := sys.PIDFDID(pid); ok && own != id {
			return 0, -1, nil
		}
	}
	if v, ok = env[listenFDs]; !ok {
		return 0, -1, nil
	}
	n, err = strconv.ParseUint(v, 10, 31)
	if err != nil || n == 0 || n > math.MaxInt32-firstInherited {
		return 0, -1, &InheritError{listenFDs, v, errMalformed}
	}
	last = firstInherited + int(n) - 1
	// A count that no process can have must not cost memory.
	if err := checkInherited(last); err != nil {
		return 0, -1, &InheritError{listenFDs, v, fmt.Errorf("descriptor %d: %w", last, err)}
	}
	return firstInherited, last, nil
}

// Named is a socket, or any other file, and the name that a child knows it by.
type Named struct {
	Name string // printable ASCII without colons, at most 255 octets
	Conn syscall.Conn
}

// PassTo gives cmd, which must not have been started, copies of descriptors: what
// is started calls Inherited, with this package or another that follows
// sd_listen_fds(3), and finds them in this order. Call it once, and set cmd.Env
// before, if at all, to which PassTo adds what tells of them. Descriptors that are in
// cmd.ExtraFiles already keep their numbers; only Inherited of this package leaves
// them out.
//
// The copies go to the end of cmd.ExtraFiles. Call ClosePassed once cmd has been
// started, or starting it has failed, to close them; otherwise they stay open until
// cmd is collected, and a listener's port with them. The sockets stay non-blocking
// for this process, and so they are for the child.
//
// A program that follows sd_listen_fds(3) to the letter wants to find its process
// ID in LISTEN_PID, which nobody knows before it is started: for such programs, use
// PassToService. Inherited recognises the descriptors themselves.
func PassTo(cmd *exec.Cmd, socks ...Named) error {
	return passTo(cmd, socks)
}

// PassToService is PassTo for a program that insists on LISTEN_PID. The program is
// started through /bin/sh, which puts its own process ID there and then becomes the
// program. So cmd.Path and cmd.Args change, the program finds its path in args[0],
// and it starts even if it cannot be executed, to exit with the status 126 or 127.
func PassToService(cmd *exec.Cmd, socks ...Named) error {
	if cmd.Err != nil {
		return cmd.Err
	}
	if slices.Contains(cmd.ExtraFiles, nil) {
		return &ArgumentError{Arg: "command", Value: cmd.Path, Why: "a nil file in ExtraFiles is a gap, which sd_listen_fds(3) refuses"}
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

func passTo(cmd *exec.Cmd, socks []Named) (err error) {
	if cmd.Process != nil {
		return &ArgumentError{Arg: "command", Value: cmd.Path, Why: "has been started"}
	}
	if slices.ContainsFunc(cmd.ExtraFiles, isPassed) {
		return &ArgumentError{Arg: "command", Value: cmd.Path, Why: "has been given descriptors; pass all of them at once"}
	}
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
	return nil
}

// passedPrefix begins the name of files that PassTo adds to a command. With the NUL
// it is no path.
const passedPrefix = "passed\x00"

func isPassed(f *os.File) bool { return f != nil && strings.HasPrefix(f.Name(), passedPrefix) }

// ClosePassed closes the copies that PassTo added to cmd.ExtraFiles, and leaves the
// other files alone. The child has its own.
func ClosePassed(cmd *exec.Cmd) {
	for _, f := range cmd.ExtraFiles {
		if isPassed(f) {
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
		why = "longer than 255 octets"
	}
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' || c == ':' {
			why = "only printable ASCII without colons is possible"
		}
	}
	if why != "" {
		return "", &ArgumentError{Arg: "name of a descriptor", Value: strconv.Quote(name), Why: why}
	}
	return name, nil
}

// passedFile returns a file with a copy of the descriptor, and what tells it from
// others. It is no file of package net, of which exec would make the socket
// blocking.
func passedFile(i int, s Named) (*os.File, string, error) {
	if s.Conn == nil {
		return nil, "", &DescriptorError{i, syscall.EINVAL}
	}
	raw, err := s.Conn.SyscallConn()
	if err != nil {
		return nil, "", &DescriptorError{i, closedError(err)}
	}
	nfd, errno := -1, syscall.EBADF
	if err := raw.Control(func(fd uintptr) { nfd, errno = sys.Dup(fd) }); err != nil {
		return nil, "", &DescriptorError{i, closedError(err)}
	}
	if errno != 0 {
		return nil, "", &DescriptorError{i, os.NewSyscallError("fcntl", errno)}
	}
	id, errno := fileID(nfd)
	if errno != 0 {
		sys.Close(nfd)
		return nil, "", &DescriptorError{i, os.NewSyscallError("fstat", errno)}
	}
	return os.NewFile(uintptr(nfd), passedPrefix+s.Name), id, nil
}

// fileID returns the text that tells an open file from others, "8.1234".
func fileID(fd int) (string, syscall.Errno) {
	dev, ino, errno := sys.FileID(uintptr(fd))
	return strconv.FormatUint(dev, 10) + "." + strconv.FormatUint(ino, 10), errno
}

// matchIDs returns the first and the last descriptor that the value of listenIDs
// tells of, and whether they are the files that they should be.
func matchIDs(v string) (first, last int, ok bool) {
	start, ids, ok := strings.Cut(v, ",")
	n, err := strconv.ParseUint(start, 10, 31)
	if !ok || err != nil || n < firstInherited {
		return 0, -1, false
	}
	first = int(n)
	last = first - 1
	for want := range strings.SplitSeq(ids, ",") {
		last++
		if got, errno := fileID(last); last > math.MaxInt32 || errno != 0 || got != want {
			return 0, -1, false
		}
	}
	return first, last, true
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
