package upgrade

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/internal/sys"
)

// SuccessorError reports a successor that was started but did not become ready.
type SuccessorError struct {
	Err    error            // the reason; os.ErrDeadlineExceeded if it took too long
	State  *os.ProcessState // how it exited
	Output string           // the last lines that it wrote, unless Config.Command redirected them
}

func (e *SuccessorError) Error() string {
	s := "sockets: the successor did not become ready: " + e.Err.Error()
	if e.State != nil {
		s += " (" + e.State.String() + ")"
	}
	if e.Output != "" {
		s += "\n" + e.Output
	}
	return s
}

// Unwrap returns Err.
func (e *SuccessorError) Unwrap() error { return e.Err }

// errExited is the cause of a SuccessorError for a process that ended by itself.
var errExited = errors.New("it exited")

// errHungUp is that for one that closed the link.
var errHungUp = errors.New("it closed the connection to its predecessor")

// Upgrade starts a successor and returns once it is ready; Done is closed then. After
// an error this process continues to serve as before: Upgrade has waited for the
// successor to exit, and has told the service manager that the service is ready again.
//
// The error is [ErrUpgrading], [ErrNotReady] or [ErrStopped] if no successor was
// started, a [*SuccessorError] if the successor did not become ready, and otherwise the
// reason why it could not be started.
func (u *Upgrader) Upgrade(ctx context.Context) error {
	return u.replace(ctx, u.start)
}

// replace has start make a successor and waits until that is ready.
func (u *Upgrader) replace(ctx context.Context, start func([]holding) (*successor, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	held, err := u.begin(cancel)
	if err != nil {
		return err
	}
	s, err := start(held)
	if err == nil {
		err = u.await(ctx, s)
	}
	if err == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.state, u.cancel = serving, nil
	if u.ended {
		u.finish()
		return ErrStopped
	}
	// Before the next upgrade says which process is the main one.
	u.notify(activation.NotifyReady, activation.NotifyMainPID(os.Getpid()))
	return err
}

// begin marks an upgrade as under way, tells the service manager, and returns what the
// successor gets.
func (u *Upgrader) begin(cancel context.CancelFunc) ([]holding, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.ended:
		return nil, ErrStopped
	case u.state == starting:
		return nil, ErrNotReady
	case u.state == upgrading:
		return nil, ErrUpgrading
	}
	u.state, u.cancel = upgrading, cancel
	u.notify(activation.NotifyReloading())
	u.held = slices.DeleteFunc(u.held, func(h holding) bool { return !isOpen(h.Conn.(syscall.Conn)) })
	return slices.Clone(u.held), nil
}

// isOpen reports whether c has not been closed.
func isOpen(c syscall.Conn) bool {
	raw, err := c.SyscallConn()
	return err == nil && raw.Control(func(uintptr) {}) == nil
}

// successor is a process that is to become ready.
type successor struct {
	link    net.Conn
	process *os.Process   // nil if it is unknown
	kill    func()        // ends it
	exited  chan struct{} // closed when it has ended; nil if that cannot be known
	reap    func() *os.ProcessState
	output  func() string
}

// await waits until s is ready, and makes it the service.
func (u *Upgrader) await(ctx context.Context, s *successor) error {
	defer s.link.Close()
	if limit := u.config.ReadyTimeout; limit >= 0 {
		if limit == 0 {
			limit = DefaultReadyTimeout
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, os.ErrDeadlineExceeded)
		defer cancel()
	}
	said := make(chan error, 1)
	go func() { said <- expectReady(s.link) }()
	var err error
	select {
	case <-ctx.Done():
		err = context.Cause(ctx)
	case err = <-said:
	case <-s.exited:
		err = errExited
		// It may have become ready before, which is what then counts no more.
	}
	if err == nil {
		if s.output != nil {
			s.output() // which it has written until now
		}
		if err = u.handOver(ctx, s); err == nil {
			return nil
		}
	}
	return s.fail(err)
}

// expectReady waits for the successor's word.
func expectReady(c net.Conn) error {
	line, err := bufio.NewReaderSize(c, 64).ReadSlice('\n')
	switch {
	case string(line) == sayReady+"\n":
		return nil
	case err != nil && err != bufio.ErrBufferFull:
		return errHungUp
	}
	return &protocolError{string(line)}
}

// handOver makes s, which is ready, the service.
func (u *Upgrader) handOver(ctx context.Context, s *successor) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if s.process != nil && exists(s.process) {
		// Said by this process, because it is the one that the manager listens to.
		u.notify(activation.NotifyMainPID(s.process.Pid))
	}
	u.keepPaths()
	s.link.SetWriteDeadline(time.Now().Add(notifyTimeout))
	if _, err := io.WriteString(s.link, sayGo+"\n"); err != nil {
		u.ownPaths()
		return errHungUp
	}
	u.state = replaced
	u.cancel = nil
	u.end().close(false)
	close(u.done)
	return nil
}

// keepPaths leaves the files of unix listeners to the successor.
func (u *Upgrader) keepPaths() { u.setUnlink(false) }

// ownPaths takes them back.
func (u *Upgrader) ownPaths() { u.setUnlink(true) }

func (u *Upgrader) setUnlink(on bool) {
	for _, h := range u.held {
		if h.owned != nil {
			h.owned.SetUnlinkOnClose(on)
		}
	}
}

// fail ends s and returns what the matter was.
func (s *successor) fail(err error) error {
	s.link.SetWriteDeadline(time.Now().Add(notifyTimeout))
	io.WriteString(s.link, sayRefuse+"\n")
	s.link.Close()
	if s.kill != nil {
		if err == errHungUp {
			// It is about to exit; its status tells more than ours would.
			select {
			case <-s.exited:
			case <-time.After(exitTime):
			}
		}
		s.kill()
	}
	e := &SuccessorError{Err: err}
	if s.exited != nil {
		<-s.exited
		e.State = s.reap()
	}
	if s.output != nil {
		e.Output = s.output()
	}
	return e
}

// exitTime is how long a successor that has closed the link may take to exit.
const exitTime = time.Second

// start starts the program again.
func (u *Upgrader) start(held []holding) (s *successor, err error) {
	path, err := program()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Dir = startDir()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.WaitDelay = exitTime
	if u.config.Command != nil {
		if err := u.config.Command(cmd); err != nil {
			return nil, err
		}
	}
	tail := new(tail)
	closeOutput, err := tail.capture(cmd)
	if err != nil {
		return nil, err
	}
	defer closeOutput()
	ours, theirs, err := sockets.Pair("unix")
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	named := []activation.Named{{Name: linkName, Conn: theirs}}
	var owned []string
	for _, h := range held {
		named = append(named, h.Named)
		if h.owned != nil {
			owned = append(owned, h.Name)
		}
	}
	cmd.Env = append(watched(cmd.Environ()), ownedVar+"="+strings.Join(owned, ":"))
	err = activation.PassTo(cmd, named...)
	if err == nil {
		err = cmd.Start()
	}
	activation.ClosePassed(cmd)
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("sockets: starting the successor: %w", err)
	}
	s = &successor{
		link:    ours,
		process: cmd.Process,
		kill:    func() { cmd.Process.Kill() },
		exited:  make(chan struct{}),
		reap: func() *os.ProcessState {
			cmd.Wait() // its error is ProcessState
			return cmd.ProcessState
		},
		output: tail.String,
	}
	go func() {
		// One that has become the service is left to the service manager, which is its
		// parent once this process has ended: as a zombie it keeps its number, and its
		// status for the manager.
		if !sys.AwaitExit(cmd.Process.Pid) {
			cmd.Wait()
		}
		close(s.exited)
	}()
	return s, nil
}

// started is what the process was called by, and from where. A path that leads through
// a symbolic link is kept, because the link may be what an update changes.
var started = struct{ arg0, dir string }{os.Args[0], workingDir()}

func workingDir() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	return dir
}

// startDir returns the directory for a successor, which has the same arguments: the one
// that this process was started in. It is "" if that is gone.
func startDir() string {
	if info, err := os.Stat(started.dir); err != nil || !info.IsDir() {
		return ""
	}
	return started.dir
}

// watched returns env for a process that takes the place of this one: if the service
// manager watches this process, it watches that one as well, see activation.Watchdog.
func watched(env []string) []string {
	own := "WATCHDOG_PID=" + strconv.Itoa(os.Getpid())
	return slices.DeleteFunc(env, func(kv string) bool { return kv == own })
}

// program returns the path of the executable, which may have been replaced on disk.
func program() (string, error) {
	path := started.arg0
	if !strings.Contains(path, string(filepath.Separator)) {
		if found, err := exec.LookPath(path); err == nil {
			path = found
		}
	}
	if !filepath.IsAbs(path) && started.dir != "" {
		path = filepath.Join(started.dir, path)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return path, nil
	}
	return os.Executable()
}

// The last lines of output that a SuccessorError quotes.
const (
	tailLines = 20
	tailBytes = 4096
)

// tail passes output on and keeps the end of it.
type tail struct {
	readers sync.WaitGroup
	mu      sync.Mutex
	last    []byte
}

// capture puts pipes in front of what cmd writes to, where that is this process's own
// output, and tells the successor how to be rid of them. Call closeEnds once cmd has
// been started, or starting it has failed.
func (t *tail) capture(cmd *exec.Cmd) (closeEnds func(), err error) {
	var ends []*os.File
	var copies []func() // not before the start, which uses what they use
	closeEnds = func() {
		for i, f := range ends {
			f.Close()
			t.readers.Go(copies[i])
		}
	}
	var numbers [2]string
	extra := cmd.ExtraFiles
	for i, out := range []*io.Writer{&cmd.Stdout, &cmd.Stderr} {
		std := []*os.File{os.Stdout, os.Stderr}[i]
		if *out != std {
			continue
		}
		own, err := duplicate(std)
		if err == os.ErrClosed {
			continue
		}
		if err != nil {
			closeEnds()
			return nil, err
		}
		r, w, err := os.Pipe()
		if err != nil {
			own.Close()
			closeEnds()
			return nil, err
		}
		ends = append(ends, w)
		*out = w
		extra = append(extra[:len(extra):len(extra)], own)
		numbers[i] = strconv.Itoa(2 + len(extra))
		copies = append(copies, func() {
			defer own.Close()
			t.copy(own, r)
		})
	}
	if len(ends) > 0 {
		cmd.ExtraFiles = extra
		cmd.Env = append(cmd.Environ(), stdioVar+"="+strings.Join(numbers[:], ","))
	}
	return closeEnds, nil
}

// duplicate returns a copy of f, which is standard output or standard error. If nothing
// reads that any more, writing to the copy is an error, and not the end of the process.
func duplicate(f *os.File) (*os.File, error) {
	var (
		fd    int
		errno syscall.Errno
	)
	raw, err := f.SyscallConn()
	if err != nil || raw.Control(func(own uintptr) { fd, errno = sys.Dup(own) }) != nil {
		return nil, os.ErrClosed
	}
	if errno != 0 {
		return nil, os.NewSyscallError("fcntl", errno)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func (t *tail) copy(to io.Writer, r *os.File) {
	defer r.Close()
	b := make([]byte, tailBytes)
	for {
		n, err := r.Read(b)
		if err != nil {
			return
		}
		to.Write(b[:n])
		t.mu.Lock()
		t.last = append(t.last, b[:n]...)
		t.last = t.last[max(0, len(t.last)-tailBytes):]
		t.mu.Unlock()
	}
}

// String returns the last lines. It waits for the end of the output, but not for
// programs that the successor has started and that go on writing.
func (t *tail) String() string {
	all := make(chan struct{})
	go func() {
		t.readers.Wait()
		close(all)
	}()
	select {
	case <-all:
	case <-time.After(exitTime):
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := bytes.Split(bytes.TrimRight(t.last, "\n"), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-tailLines):], []byte("\n")))
}
