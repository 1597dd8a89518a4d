package activation

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/iolib-go/sockets"
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

// Descriptor is a descriptor with which the process was started.
type Descriptor struct {
	Name   string          // "unknown" if it has none
	Socket *sockets.Socket // nil if it is not a socket
	File   *os.File        // if it is not a socket, such as a FIFO; otherwise nil
}

// Close closes the socket or the file. It does nothing if a method of [Descriptors] has
// moved it out, or if the socket has taken a role.
func (d Descriptor) Close() error {
	switch {
	case d.Socket != nil:
		return d.Socket.Close()
	case d.File != nil:
		return d.File.Close()
	}
	return nil
}

// InheritError reports environment variables whose description of inherited
// descriptors, or of the watchdog, is invalid.
type InheritError struct {
	Variable string // "LISTEN_FDS"
	Value    string
	Err      error
}

func (e *InheritError) Error() string {
	return fmt.Sprintf("sockets: %s=%q: %v", e.Variable, e.Value, e.Err)
}

var errMalformed = errors.New("malformed")

// Unwrap returns Err.
func (e *InheritError) Unwrap() error { return e.Err }

var inheritMu sync.Mutex

// Inherited returns the descriptors that a service manager, systemd-socket-activate or
// [PassTo] gave to this process, in order. It makes them close-on-exec. The caller must
// close them. Inherited removes the variables from the environment, so that child
// processes do not mistake the descriptors for their own; a second call returns none.
//
// If the variables are not set, or are meant for another process, Inherited returns
// none and a nil error. The error is an [*InheritError] if the variables are malformed,
// if there are more names than descriptors, or if a descriptor does not exist, in which
// case it matches [syscall.EBADF]. Descriptors are left untouched on error, except that
// if resources run out half way, those already taken are closed. See sd_listen_fds(3).
func Inherited() (Descriptors, error) {
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
	// At once, before the process starts a program.
	for i := range names {
		sys.SetCloseOnExec(first + i)
	}
	socks := make(Descriptors, len(names))
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

// checkInherited returns an error unless fd came from what started this process. What
// the process opened itself does not survive exec, the poller's descriptors least
// of all.
func checkInherited(fd int) error {
	on, errno := sys.CloseOnExec(fd)
	if errno == 0 && on {
		errno = syscall.EBADF
	}
	if errno != 0 {
		return errno
	}
	return nil
}

func inherit(fd int, name string) (Descriptor, error) {
	s, err := sockets.FromFD(fd)
	switch {
	case err == nil:
		return Descriptor{Name: name, Socket: s}, nil
	case errors.Is(err, syscall.ENOTSOCK):
		return Descriptor{Name: name, File: os.NewFile(uintptr(fd), name)}, nil
	}
	return Descriptor{}, err
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

// fileID returns the text that tells an open file from others, "8.1234".
func fileID(fd uintptr) (string, syscall.Errno) {
	dev, ino, errno := sys.FileID(fd)
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
		if got, errno := fileID(uintptr(last)); last > math.MaxInt32 || errno != 0 || got != want {
			return 0, -1, false
		}
	}
	return first, last, true
}
