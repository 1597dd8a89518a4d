package upgrade

import (
	"context"
	"errors"
	"fmt"
	"log"
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
	"github.com/iolib-go/sockets/sockopt"
)

var (
	// ErrUpgrading is returned by Upgrade while another upgrade is in progress.
	ErrUpgrading = errors.New("sockets: an upgrade is in progress")

	// ErrNotReady is returned by Upgrade before Ready has returned nil.
	ErrNotReady = errors.New("sockets: not ready")

	// ErrStopped is returned once a successor has taken over, or Stop was called.
	ErrStopped = errors.New("sockets: the process is stopping")

	// ErrRefused is returned by Ready if the predecessor has stopped waiting for this
	// process, and by New if the predecessor refuses to be replaced by it.
	ErrRefused = errors.New("sockets: the predecessor continues to serve")
)

// DefaultReadyTimeout is how long a successor may take to become ready.
const DefaultReadyTimeout = time.Minute

// Config holds the options of [New]. The zero value is ready to use.
type Config struct {
	// Command may change how a successor is started: its arguments, environment, working
	// directory, credentials and output. It is called with a cmd that has this program's
	// path and arguments, the working directory in which this process was started, and
	// this process's environment, before descriptors are added. It must not start cmd. If
	// it returns an error, the upgrade fails.
	//
	// Unless Command changes them, Stdout and Stderr are those of this process. Until the
	// successor is ready, its output passes through this process, so that an error can
	// quote the last lines.
	Command func(cmd *exec.Cmd) error

	// ReadyTimeout is how long a successor may take to become ready; after that it is
	// killed. Zero means DefaultReadyTimeout; a negative value means no limit.
	ReadyTimeout time.Duration

	// UpgradeSignals start an upgrade. Nil means SIGHUP; an empty slice means none. They
	// have no effect once Done is closed.
	UpgradeSignals []os.Signal

	// StopSignals stop the process, like Stop. Nil means SIGINT and SIGTERM; an empty
	// slice means none. They also end an upgrade that is in progress. The second such
	// signal has its default effect, which is to kill the process at once, even while it
	// drains.
	StopSignals []os.Signal

	// PIDFile, if not empty, is the file to which Ready writes the process ID. It replaces
	// that of a predecessor atomically. Stop removes it. A relative path is resolved by New.
	PIDFile string

	// Control, if not empty, is the path of a unix socket on which this process hands over
	// its sockets to another process with the same Control, as to a successor that was
	// started by other means. New first tries to take over sockets there. It cannot be an
	// abstract address, which a successor could not take over in one step, and has at most
	// 95 bytes, because each process first binds a name beside it.
	Control string

	// AllowControl decides whether the process at the other end of Control may have the
	// sockets or, in New, whether its sockets can be trusted. Nil allows only processes of
	// the same effective user.
	AllowControl func(peer sockopt.Ucred) error

	// Logf logs what is not returned to any caller: a failed upgrade that a signal
	// started, and a process at Control that was refused. Nil means log.Printf.
	Logf func(format string, args ...any)
}

// Upgrader holds the sockets of a process that can be replaced. Its methods are safe
// for concurrent use.
type Upgrader struct {
	config    Config
	done      chan struct{} // closed once the process is to end
	upgrades  chan os.Signal
	stops     chan os.Signal
	inherited map[string]activation.Descriptor // nil once ready
	owned     map[string]bool                  // names of inherited listeners whose paths are ours

	readying sync.Mutex // held by Ready

	mu      sync.Mutex
	pre     *predecessor // until ready, nil if there is none
	refused error        // what Ready has returned because of pre
	held    []holding    // in the order of their making
	state   state
	ended   bool               // done is closed, or about to be
	stopped bool               // Stop has done its work
	cancel  context.CancelFunc // of the upgrade that is under way
	control *control
}

type state uint8

const (
	starting  state = iota // Ready has not returned
	serving                // Ready has returned
	upgrading              // Upgrade is under way
	replaced               // a successor is ready
)

// holding is a descriptor that a successor gets.
type holding struct {
	activation.Named
	owned *sockets.UnixListener // that is to remove its path in the end, or nil
}

// descriptor hides from PassTo that a unix listener has a path: the predecessor keeps
// that until the successor is ready.
type descriptor struct{ syscall.Conn }

// New takes over what a predecessor, the process at config.Control or a service manager
// gave to this process, and starts to handle signals. A process can have only one
// Upgrader, because the environment describes the sockets only once.
//
// An error means that what was given cannot be used, which for config is a
// [*sockets.ArgumentError], or that the predecessor refuses, [ErrRefused].
func New(config Config) (*Upgrader, error) {
	if strings.HasPrefix(config.Control, "@") || strings.Contains(config.Control, "\x00") {
		return nil, &sockets.ArgumentError{Arg: "Control", Value: strconv.Quote(config.Control), Why: "is not the path of a file"}
	}
	if len(config.Control) > maxControl {
		return nil, &sockets.ArgumentError{Arg: "Control", Value: strconv.Quote(config.Control), Why: "is longer than 95 bytes"}
	}
	u := &Upgrader{
		config:    config,
		done:      make(chan struct{}),
		inherited: make(map[string]activation.Descriptor),
		owned:     make(map[string]bool),
	}
	if config.PIDFile != "" {
		u.config.PIDFile = absolute(config.PIDFile)
	}
	if u.config.Logf == nil {
		u.config.Logf = log.Printf
	}
	u.startSignals()
	if err := u.inherit(); err != nil {
		u.release()
		return nil, err
	}
	go u.handleSignals()
	return u, nil
}

// inherit takes what the environment tells of, or else what the process at Control
// gives.
func (u *Upgrader) inherit() error {
	for name := range strings.SplitSeq(os.Getenv(ownedVar), ":") {
		u.owned[name] = true
	}
	os.Unsetenv(ownedVar)
	given, err := activation.Inherited()
	if err != nil {
		return err
	}
	for i, s := range given {
		if s.Name == linkName && s.Socket != nil && u.pre == nil {
			u.pre, err = newPredecessor(s.Socket)
		} else {
			err = u.addInherited(s)
		}
		if err != nil {
			for _, s := range given[i+1:] {
				s.Close()
			}
			return err
		}
	}
	if u.pre == nil && len(u.inherited) == 0 && u.config.Control != "" {
		return u.takeOver()
	}
	return nil
}

func (u *Upgrader) addInherited(s activation.Descriptor) error {
	if _, twice := u.inherited[s.Name]; twice {
		s.Close()
		return &NameError{s.Name, "was inherited twice"}
	}
	u.inherited[s.Name] = s
	return nil
}

// release gives back what New took, after an error.
func (u *Upgrader) release() {
	signal.Stop(u.upgrades)
	signal.Stop(u.stops)
	for _, s := range u.inherited {
		s.Close()
	}
	if u.pre != nil {
		u.pre.close()
	}
}

// NameError reports a socket name that cannot be used. It wraps a
// [*sockets.ArgumentError], and so matches [syscall.EINVAL].
type NameError struct {
	Name string
	Why  string
}

func (e *NameError) Error() string { return fmt.Sprintf("sockets: %q %s", e.Name, e.Why) }

// Unwrap returns a [*sockets.ArgumentError] about the name.
func (e *NameError) Unwrap() error {
	return &sockets.ArgumentError{Arg: "name", Value: strconv.Quote(e.Name), Why: e.Why}
}

// HasPredecessor reports whether this process got its sockets from a process that still
// serves and waits for Ready.
func (u *Upgrader) HasPredecessor() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pre != nil
}

// Done returns a channel that is closed when the process should end, because a
// successor is ready or Stop was called. Stop accepting then, finish the work in
// progress and exit.
func (u *Upgrader) Done() <-chan struct{} { return u.done }

// Replaced reports whether a successor has taken over. Once Done is closed, it tells
// why.
func (u *Upgrader) Replaced() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state == replaced
}

// Stop closes Done. Before that it ends an upgrade that is in progress, which then
// returns [ErrStopped], tells the service manager that the service is stopping, and
// removes the PID file. Stop does not wait for the upgrade; Done is closed once its
// successor has ended.
func (u *Upgrader) Stop() {
	u.mu.Lock()
	if u.ended {
		u.mu.Unlock()
		return
	}
	wasReady := u.state != starting
	control := u.end()
	u.mu.Unlock()
	control.close(true)
	if wasReady {
		u.notify(activation.NotifyStopping)
		u.removePIDFile()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stopped = true
	u.finish()
}

// finish closes done after Stop, unless an upgrade is under way: if this process ended
// before that, its successor would take over.
func (u *Upgrader) finish() {
	if u.stopped && u.state != upgrading {
		close(u.done)
	}
}

// end marks the process as one that is to end and returns the control socket, which the
// caller closes, and then done.
func (u *Upgrader) end() *control {
	u.ended = true
	if u.cancel != nil {
		u.cancel()
	}
	c := u.control
	u.control = nil
	return c
}

// hold records that a successor gets c under name. After an error it has closed c.
func (u *Upgrader) hold(name string, c interface{ Close() error }, owned *sockets.UnixListener) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	raw, ok := c.(syscall.Conn)
	var err error
	switch {
	case !ok:
		err = &NameError{name, "has no descriptor"}
	case u.isHeld(name): // by a call at the same time
		err = &NameError{name, "is in use"}
	}
	if err != nil {
		c.Close()
		return err
	}
	u.held = append(u.held, holding{activation.Named{Name: name, Conn: descriptor{raw}}, owned})
	return nil
}

func (u *Upgrader) isHeld(name string) bool {
	return slices.ContainsFunc(u.held, func(h holding) bool { return h.Name == name })
}

// take returns the inherited descriptor of that name and whether there is one. It
// checks the name for a new one as well.
func (u *Upgrader) take(name string) (s activation.Descriptor, ok bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case name == linkName || !validName(name):
		return s, false, &NameError{name, "is not a valid name for a socket"}
	case u.state != starting:
		return s, false, &NameError{name, "cannot be added once the process is ready"}
	case u.isHeld(name):
		return s, false, &NameError{name, "is in use"}
	}
	s, ok = u.inherited[name]
	if ok {
		delete(u.inherited, name)
	}
	return s, ok, nil
}

// validName reports whether a name can be passed on, see activation.Named.
func validName(name string) bool {
	bad := func(r rune) bool { return r < ' ' || r > '~' || r == ':' }
	return name != "" && len(name) <= 255 && !strings.ContainsFunc(name, bad)
}

// Listen returns the inherited listener with that name or, if there is none, a new one.
// It has the options of lc; for an inherited listener see [sockets.ListenConfig.Adopt].
// A nil lc means the zero ListenConfig. The caller owns the listener. A listener that
// has been closed when an upgrade begins is not passed on.
//
// A listener from a service manager is used whatever its address is, because the
// manager's configuration decides. A predecessor's listener is used only if it has the
// given address. Otherwise the configuration has changed: Listen makes a new listener,
// and Ready closes the old one. If the inherited socket is of another kind, the error
// is a [*NameError].
//
// The path of a unix listener is passed on with it, and is removed when the last
// process closes the listener.
//
// For a group of listeners on one address, as [sockets.ListenConfig.ListenGroup] makes,
// call Listen with a different name for each, and with [sockopt.ReusePort] in the Options
// of lc.
func (u *Upgrader) Listen(ctx context.Context, lc *sockets.ListenConfig, name, network, address string) (net.Listener, error) {
	if lc == nil {
		lc = new(sockets.ListenConfig)
	}
	l, inherited, err := u.listen(ctx, lc, name, network, address)
	if err != nil {
		return nil, err
	}
	owned, _ := l.(*sockets.UnixListener)
	if owned != nil && inherited {
		if u.owned[name] {
			owned.SetUnlinkOnClose(true)
		} else {
			owned = nil
		}
	}
	if err := u.hold(name, l, owned); err != nil {
		return nil, err
	}
	return l, nil
}

func (u *Upgrader) listen(ctx context.Context, lc *sockets.ListenConfig, name, network, address string) (l net.Listener, inherited bool, err error) {
	s, ok, err := u.take(name)
	if err != nil {
		return nil, false, err
	}
	if ok {
		if err := checkKind(s, network, true); err != nil {
			u.putBack(s, s.Name)
			return nil, false, err
		}
		if u.pre == nil || hasAddr(ctx, s.Socket.LocalAddr(), network, address) {
			if l, err = lc.Adopt(s.Socket); err != nil {
				u.putBack(s, s.Name)
			}
			return l, true, err
		}
		u.putBack(s, s.Name+replacedSuffix)
	}
	l, err = lc.Listen(ctx, network, address)
	return l, false, err
}

// replacedSuffix ends the name of a listener that a new one has replaced, so that nothing
// asks for it.
const replacedSuffix = "\x00"

// putBack leaves s for Ready to close, or for a call that asks for name.
func (u *Upgrader) putBack(s activation.Descriptor, name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.inherited == nil { // Ready was called at the same time
		s.Close()
		return
	}
	u.inherited[name] = s
}

// ListenPacket returns the inherited packet socket with that name or, if there is none,
// a new one, as [Upgrader.Listen] does.
func (u *Upgrader) ListenPacket(ctx context.Context, lc *sockets.ListenConfig, name, network, address string) (net.PacketConn, error) {
	if lc == nil {
		lc = new(sockets.ListenConfig)
	}
	c, err := u.listenPacket(ctx, lc, name, network, address)
	if err != nil {
		return nil, err
	}
	if err := u.hold(name, c, nil); err != nil {
		return nil, err
	}
	return c, nil
}

func (u *Upgrader) listenPacket(ctx context.Context, lc *sockets.ListenConfig, name, network, address string) (net.PacketConn, error) {
	s, ok, err := u.take(name)
	if err != nil {
		return nil, err
	}
	if ok {
		if err := checkKind(s, network, false); err != nil {
			u.putBack(s, s.Name)
			return nil, err
		}
		if u.pre == nil || hasAddr(ctx, s.Socket.LocalAddr(), network, address) {
			c, err := s.Socket.PacketConn()
			if err != nil {
				s.Close()
			}
			return c, err
		}
		u.putBack(s, s.Name+replacedSuffix)
	}
	return lc.ListenPacket(ctx, network, address)
}

// Conn returns the inherited connection with that name or, if there is none, the result
// of dial. The connection must have a descriptor, like those of packages sockets and
// net. What one process has read from it, the other does not see: hand it over between
// two messages.
func (u *Upgrader) Conn(name string, dial func() (net.Conn, error)) (net.Conn, error) {
	s, ok, err := u.take(name)
	if err != nil {
		return nil, err
	}
	var c net.Conn
	switch {
	case !ok:
		c, err = dial()
	case s.Socket == nil:
		err = &NameError{name, "is not a socket"}
	default:
		c, err = s.Socket.Conn()
	}
	if err != nil {
		if ok {
			u.putBack(s, name)
		}
		return nil, err
	}
	if err := u.hold(name, c, nil); err != nil {
		return nil, err
	}
	return c, nil
}

// File returns the inherited file with that name or, if there is none, the result of
// open. Both processes share its offset.
func (u *Upgrader) File(name string, open func() (*os.File, error)) (*os.File, error) {
	s, ok, err := u.take(name)
	if err != nil {
		return nil, err
	}
	f := s.File
	switch {
	case !ok:
		f, err = open()
	case f == nil:
		err = &NameError{name, "is a socket, not a file"}
		u.putBack(s, name)
	}
	if err != nil {
		return nil, err
	}
	if err := u.hold(name, f, nil); err != nil {
		return nil, err
	}
	return f, nil
}

func (u *Upgrader) startSignals() {
	up, stop := u.config.UpgradeSignals, u.config.StopSignals
	if up == nil {
		up = []os.Signal{syscall.SIGHUP}
	}
	if stop == nil {
		stop = []os.Signal{os.Interrupt, syscall.SIGTERM}
	}
	u.config.UpgradeSignals, u.config.StopSignals = up, stop
	// Notify takes an empty list for all signals.
	u.upgrades, u.stops = make(chan os.Signal, 1), make(chan os.Signal, 1)
	if len(up) > 0 {
		signal.Notify(u.upgrades, up...)
	}
	if len(stop) > 0 {
		signal.Notify(u.stops, stop...)
	}
}

// handleSignals goes on when the process is to end: it drains then, and a signal that
// comes late must not kill it.
func (u *Upgrader) handleSignals() {
	for {
		select {
		case <-u.stops:
			signal.Stop(u.stops)
			u.Stop()
		case <-u.upgrades:
			select {
			case <-u.done:
				continue
			default:
			}
			// In a goroutine, so that a signal to stop is heard meanwhile.
			go func() {
				if err := u.Upgrade(context.Background()); err != nil {
					u.config.Logf("upgrade: %v", err)
				}
			}()
		}
	}
}

// notify tells the service manager, if there is one.
func (u *Upgrader) notify(states ...activation.NotifyState) {
	ctx, cancel := context.WithTimeout(context.Background(), notifyTimeout)
	defer cancel()
	if _, err := activation.Notify(ctx, states...); err != nil {
		u.config.Logf("upgrade: service manager: %v", err)
	}
}

// notifyTimeout bounds the wait for a service manager whose queue is full.
const notifyTimeout = 5 * time.Second
