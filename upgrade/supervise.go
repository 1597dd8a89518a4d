package upgrade

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
)

// Supervise keeps a container running across upgrades. A container ends with its
// process 1, so process 1 must not be the one that is replaced. Call Supervise first in
// main, before anything else is started:
//
//	func main() {
//		if err := upgrade.Supervise(); err != nil {
//			log.Fatal(err)
//		}
//		...
//
// In any process other than process 1 it returns nil at once. In process 1 it starts
// the program again with the same arguments and does not return. It passes signals on
// to the process that serves, and reaps orphaned processes. Once the last process that
// served has ended, and those that it has replaced, it exits with the status of the last
// one. If that one was started in the container from outside, such as with docker exec,
// its status is not known, and Supervise returns an error.
//
// It passes on the sockets that a service manager gave to it. It learns which process
// serves from the messages to the service manager, and passes those messages on to the
// real service manager if there is one, but not descriptors for its store.
//
// The program must be process 1 itself. If that is a shell or an init program, such as
// with docker run --init, the container ends at the first upgrade.
//
// Any other error means that the program could not be started.
func Supervise() error {
	if os.Getpid() != 1 {
		return nil
	}
	status, err := supervise()
	if err != nil {
		return err
	}
	os.Exit(status)
	return nil
}

// supervisor is process 1.
type supervisor struct {
	notify  *sockets.UnixConn
	signals chan os.Signal
	synced  chan struct{} // gets a token when listen has come to what sync sent

	mu     sync.Mutex    // held while a process is signalled or reaped, which frees its number
	main   *os.Process   // that serves; nil once it has been reaped
	before []*os.Process // that served before
}

func supervise() (status int, err error) {
	s := &supervisor{signals: make(chan os.Signal, 16), synced: make(chan struct{}, 1)}
	signal.Notify(s.signals)
	if s.notify, err = sockets.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"}); err != nil {
		return 0, err
	}
	defer s.notify.Close()
	if err := sockopt.PassCred.Set(s.notify, true); err != nil {
		return 0, err
	}
	path, err := program()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(path, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(watched(os.Environ()), "NOTIFY_SOCKET="+s.notify.LocalAddr().String())
	if err := startWithInherited(cmd); err != nil {
		return 0, fmt.Errorf("sockets: starting the program: %w", err)
	}
	s.main = cmd.Process
	go s.passSignals()
	go func() {
		for s.listen() == nil {
		}
	}()
	return s.reap()
}

// startWithInherited starts cmd with what a service manager gave to this process, which keeps
// nothing of it.
func startWithInherited(cmd *exec.Cmd) error {
	given, err := activation.Inherited()
	if err != nil {
		return err
	}
	defer given.Close()
	var named []activation.Named
	for _, d := range given {
		n := activation.Named{Name: d.Name, Conn: d.Socket}
		if d.Socket == nil {
			n.Conn = d.File
		}
		named = append(named, n)
	}
	defer activation.ClosePassed(cmd)
	if err := activation.PassTo(cmd, named...); err != nil {
		return err
	}
	return cmd.Start()
}

// passSignals passes signals on to the process that serves, or once that has ended to those
// that still finish their work.
func (s *supervisor) passSignals() {
	for sig := range s.signals {
		if sys.ConcernsOneProcess(sig) {
			continue
		}
		s.mu.Lock()
		if s.main != nil {
			s.main.Signal(sig)
		} else {
			for _, p := range s.before {
				p.Signal(sig)
			}
		}
		s.mu.Unlock()
	}
}

// listen receives what a process tells a service manager, and passes it on.
func (s *supervisor) listen() error {
	b := make([]byte, 4096)
	n, cred, err := s.notify.ReceiveCred(b)
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	// A process of another container has no number here. The one that serves may have
	// given up privileges.
	switch {
	case err != nil || cred.PID <= 0:
		return nil
	case int(cred.PID) == os.Getpid():
		s.synced <- struct{}{}
		return nil
	case int(cred.UID) != os.Geteuid() && !s.isMain(int(cred.PID)):
		return nil
	}
	var states []activation.NotifyState
	for line := range strings.Lines(string(b[:n])) {
		line = strings.TrimSuffix(line, "\n")
		switch name, value, _ := strings.Cut(line, "="); name {
		case "MAINPID":
			s.setMain(value)
			continue // of another name space for the manager
		case "MAINPIDFDID":
			continue
		}
		states = append(states, activation.NotifyState(line))
	}
	if len(states) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), notifyTimeout)
		defer cancel()
		activation.Notify(ctx, states...)
	}
	return nil
}

// setMain takes note of the process that serves, unless it is gone already.
func (s *supervisor) setMain(value string) {
	pid, err := strconv.ParseInt(value, 10, 32)
	if err != nil || pid <= 1 {
		return
	}
	p, err := os.FindProcess(int(pid))
	if err != nil || !exists(p) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.main != nil && s.main.Pid != p.Pid {
		s.before = append(s.before, s.main)
	}
	s.main = p
}

// isMain reports whether pid is the process that serves, and not one that has got the
// number of it since.
func (s *supervisor) isMain(pid int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.main != nil && s.main.Pid == pid && exists(s.main)
}

// exists reports whether p has not been reaped.
func exists(p *os.Process) bool { return p.Signal(syscall.Signal(0)) != os.ErrProcessDone }

// reap waits for processes until none is left that serves or has served, and returns the
// status of the last one that served.
func (s *supervisor) reap() (status int, err error) {
	for {
		pid, errno := sys.AwaitAny()
		if errno == syscall.ECHILD {
			alive, served := s.strangers()
			if alive {
				time.Sleep(strangerPause)
				continue
			}
			if !served {
				return status, nil
			}
		}
		if errno != 0 {
			return 0, os.NewSyscallError("waitid", errno)
		}
		// What it said before its end may still wait to be heard.
		s.sync()
		ended, errno := s.end(pid, &status)
		if errno != 0 {
			return 0, os.NewSyscallError("wait4", errno)
		}
		if ended {
			return status, nil
		}
	}
}

// strangerPause is how often reap looks whether a process that is not a descendant of this
// one still runs. Nothing can wait for it.
const strangerPause = 100 * time.Millisecond

// strangers reports, when this process has no children left, whether one of the processes
// that reap waits for is alive nevertheless, because it was started in the container from
// outside, and whether the last one that served was such a process.
func (s *supervisor) strangers() (alive, served bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = slices.DeleteFunc(s.before, func(p *os.Process) bool { return !exists(p) })
	return s.main != nil && exists(s.main) || len(s.before) > 0, s.main != nil
}

// end reaps a process, and reports whether it was the last one that reap waits for. If it was
// the one that served, end sets status to how it ended.
func (s *supervisor) end(pid int, status *int) (last bool, errno syscall.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, errno := sys.Reap(pid)
	if s.main != nil && s.main.Pid == pid {
		s.main, *status = nil, st
	}
	// Those whose parent is another process are reaped by that, or later by this one.
	s.before = slices.DeleteFunc(s.before, func(p *os.Process) bool { return p.Pid == pid || !exists(p) })
	return s.main == nil && len(s.before) == 0, errno
}

// sync waits until listen has come to all that has been said.
func (s *supervisor) sync() {
	c, err := sockets.Dial("unixgram", s.notify.LocalAddr().String())
	if err != nil {
		return
	}
	defer c.Close()
	if _, err = c.Write([]byte("sync")); err == nil {
		<-s.synced
	}
}
