package upgrade

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/sys"
)

// linkName is the name under which a successor finds the connection to its
// predecessor.
const linkName = "sockets-upgrade"

// stdioVar tells a successor which descriptors its standard output and standard error
// are to become once it is ready: until then, both are pipes that the predecessor
// reads.
const stdioVar = "SOCKETS_UPGRADE_STDIO"

// ownedVar tells a successor the names of unix listeners whose paths it is to remove in
// the end, with colons between.
const ownedVar = "SOCKETS_UPGRADE_OWNED"

// What is said over the link, a line each. The successor says that it is ready; then
// the predecessor says that it stops accepting, or that it does not: it has given up
// waiting, and the successor must not serve.
const (
	sayReady  = "ready"
	sayGo     = "go"
	sayRefuse = "no"
)

// predecessor is the link of a successor.
type predecessor struct {
	conn   *sockets.UnixConn
	stdio  *stdio
	answer chan error // what it says, once: nil if this process is to serve
}

func newPredecessor(s *sockets.Socket) (*predecessor, error) {
	conn, err := s.Conn()
	if err != nil {
		s.Close()
		return nil, err
	}
	c, ok := conn.(*sockets.UnixConn)
	if !ok {
		conn.Close()
		return nil, &NameError{linkName, "is no unix connection"}
	}
	io, err := takeStdio()
	if err != nil {
		c.Close()
		return nil, err
	}
	return watchPredecessor(c, bufio.NewReader(c), io), nil
}

// watchPredecessor returns the link over c, of which r may have read a part.
func watchPredecessor(c *sockets.UnixConn, r *bufio.Reader, io *stdio) *predecessor {
	p := &predecessor{conn: c, stdio: io, answer: make(chan error, 1)}
	go func() {
		answer := readAnswer(r)
		// A predecessor that has died does not read the output any more.
		p.stdio.restore()
		p.answer <- answer
	}()
	return p
}

// errGone is the answer of a predecessor that has died.
var errGone = errors.New("sockets: the predecessor has ended")

func readAnswer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	switch {
	case string(line) == sayGo+"\n":
		return nil
	case string(line) == sayRefuse+"\n":
		return ErrRefused
	case err != nil && err != bufio.ErrBufferFull:
		return errGone
	}
	return &protocolError{string(line)}
}

// ready tells the predecessor that it may stop accepting, and waits until it does. A
// predecessor that has died does not serve either.
func (p *predecessor) ready(ctx context.Context) error {
	defer p.close()
	// Unlike a deadline, this does not lose an answer that is there already; after it
	// the predecessor cannot give one any more, and serves on.
	defer context.AfterFunc(ctx, func() { p.conn.CloseRead() })()
	// All of the output so far is in the pipes, which the predecessor reads to their
	// end before it answers.
	p.stdio.restore()
	// An error means that the predecessor has ended, as the answer tells.
	io.WriteString(p.conn, sayReady+"\n")
	err := <-p.answer
	if err == errGone {
		return context.Cause(ctx) // nil if it is not the end of ctx
	}
	return err
}

func (p *predecessor) close() { p.conn.Close() }

// protocolError reports something that no version of this package says.
type protocolError struct{ text string }

func (e *protocolError) Error() string {
	return "sockets: unexpected message of the other process: " + strconv.Quote(e.text)
}

// stdio holds the descriptors that standard output and standard error are to become.
type stdio struct {
	once     sync.Once
	out, err int            // -1 if it stays
	broken   chan os.Signal // never read; see takeStdio
}

// takeStdio reads and removes stdioVar.
func takeStdio() (*stdio, error) {
	s := &stdio{out: -1, err: -1, broken: make(chan os.Signal, 1)}
	v, ok := os.LookupEnv(stdioVar)
	if !ok {
		return s, nil
	}
	os.Unsetenv(stdioVar)
	out, err1 := parseStdio(v, 0)
	errs, err2 := parseStdio(v, 1)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	s.out, s.err = out, errs
	// If the predecessor dies, writing is an error until restore, and not the end of
	// this process.
	signal.Notify(s.broken, syscall.SIGPIPE)
	return s, nil
}

// parseStdio returns the descriptor at index i of v, "3,4", in which a missing one is
// empty.
func parseStdio(v string, i int) (int, error) {
	fields := strings.Split(v, ",")
	if len(fields) != 2 {
		return -1, &net.ParseError{Type: stdioVar, Text: v}
	}
	if fields[i] == "" {
		return -1, nil
	}
	fd, err := strconv.ParseUint(fields[i], 10, 31)
	if err != nil || fd <= 2 {
		return -1, &net.ParseError{Type: stdioVar, Text: v}
	}
	if errno := sys.SetCloseOnExec(int(fd)); errno != 0 {
		return -1, os.NewSyscallError("fcntl", errno)
	}
	return int(fd), nil
}

// brokenTime is how long after restore a write to standard output that has no reader is an
// error, and not the end of the process: far longer than it takes a write to return.
const brokenTime = 10 * time.Second

// restore gives the process its own output, once.
func (s *stdio) restore() {
	s.once.Do(func() {
		for std, fd := range map[int]int{1: s.out, 2: s.err} {
			if fd >= 0 {
				sys.Dup2(fd, std)
				sys.Close(fd)
			}
		}
		// A write that failed before may still be about to find out what that signal does.
		time.AfterFunc(brokenTime, func() { signal.Stop(s.broken) })
	})
}
