package upgrade

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
)

// Ready reports that this process can serve. It returns once the predecessor, if there
// is one, has stopped accepting; from then on this process is the service. Call it
// before the first Accept.
//
// It writes the PID file, sends READY=1 and MAINPID to the service manager, and opens
// the socket at Config.Control. It closes inherited descriptors that were not asked
// for, and returns their names. If such a descriptor is a predecessor's unix listener,
// Ready removes its path.
//
// After an error the predecessor continues to serve, and this process must exit without
// accepting anything. The error is [ErrRefused] if the predecessor has stopped waiting,
// [ErrStopped] after Stop, the cause of ctx if it has ended, or an error of the PID
// file or the control socket.
func (u *Upgrader) Ready(ctx context.Context) (unused []string, err error) {
	u.readying.Lock()
	defer u.readying.Unlock()
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.ended:
		return nil, ErrStopped
	case u.state != starting:
		return nil, nil
	case u.refused != nil:
		return nil, u.refused
	}
	// Whatever can fail comes before the predecessor is told.
	pid, err := u.preparePIDFile()
	if err != nil {
		return nil, err
	}
	defer pid.discard()
	control, err := u.prepareControl()
	if err != nil {
		return nil, err
	}
	if u.pre != nil {
		ctx, cancel := context.WithCancelCause(ctx)
		stopped := u.cancelOnStop(cancel)
		u.mu.Unlock()
		err := u.pre.ready(ctx)
		u.mu.Lock()
		stopped()
		if err != nil {
			u.refused = err // the predecessor is not asked twice
			control.close(true)
			return nil, err
		}
		u.pre = nil
	}
	for name, s := range u.inherited {
		unused = append(unused, strings.TrimSuffix(name, replacedSuffix))
		u.discard(s)
	}
	u.inherited = nil
	slices.Sort(unused)
	u.state = serving
	if err := pid.commit(); err != nil {
		u.config.Logf("upgrade: %v", err)
	}
	if control != nil {
		if err := control.serve(u); err != nil {
			u.config.Logf("upgrade: %v", err)
		} else if u.ended {
			control.close(true)
		} else {
			u.control = control
		}
	}
	u.notify(activation.NotifyReady, activation.NotifyMainPID(os.Getpid()))
	if u.ended {
		// By Stop, while the predecessor answered: there was nothing to undo then.
		u.notify(activation.NotifyStopping)
		u.removePIDFile()
	}
	return unused, nil
}

// discard closes s, which was not asked for. It removes the path of a unix listener that
// the predecessor has left to this process, unless a new listener has that path.
func (u *Upgrader) discard(s activation.Descriptor) {
	defer s.Close()
	if s.Socket == nil || !u.owned[s.Name] {
		return
	}
	l, err := s.Socket.Listener()
	if err != nil {
		return
	}
	defer l.Close()
	if unix, ok := l.(*sockets.UnixListener); ok && !u.listensAt(unix.Addr().String()) {
		unix.SetUnlinkOnClose(true)
	}
}

// listensAt reports whether this process holds a unix listener at path.
func (u *Upgrader) listensAt(path string) bool {
	return slices.ContainsFunc(u.held, func(h holding) bool {
		return h.owned != nil && samePath(h.owned.Addr().String(), path)
	})
}

// cancelOnStop has Stop cancel a wait for the predecessor.
func (u *Upgrader) cancelOnStop(cancel context.CancelCauseFunc) (undo func()) {
	u.cancel = func() { cancel(ErrStopped) }
	return func() { u.cancel = nil; cancel(nil) }
}

// pidFile is a file that is written and not yet in its place.
type pidFile struct{ path, temporary string }

func (u *Upgrader) preparePIDFile() (*pidFile, error) {
	path := u.config.PIDFile
	if path == "" {
		return nil, nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &sockets.ArgumentError{Arg: "PIDFile", Value: path, Why: "is not a regular file"}
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	p := &pidFile{path, f.Name()}
	_, err = f.WriteString(pidText())
	if err == nil {
		err = f.Chmod(0o644)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		p.discard()
		return nil, err
	}
	return p, nil
}

func pidText() string { return strconv.Itoa(os.Getpid()) + "\n" }

// commit puts the file in its place.
func (p *pidFile) commit() error {
	if p == nil {
		return nil
	}
	err := os.Rename(p.temporary, p.path)
	if err == nil {
		p.temporary = ""
	}
	return err
}

// discard removes the file unless it is in its place.
func (p *pidFile) discard() {
	if p != nil && p.temporary != "" {
		os.Remove(p.temporary)
	}
}

// removePIDFile removes the file if it is about this process.
func (u *Upgrader) removePIDFile() {
	if u.config.PIDFile == "" {
		return
	}
	if b, err := os.ReadFile(u.config.PIDFile); err == nil && string(b) == pidText() {
		os.Remove(u.config.PIDFile)
	}
}
