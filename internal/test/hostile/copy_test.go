//go:build linux

package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// plain are data in which each byte is less than urgent.
var plain = func() []byte {
	r := rand.New(rand.NewPCG(3, 4))
	b := make([]byte, 4<<20)
	for i := range b {
		b[i] = byte(r.Uint32()) % urgent
	}
	return b
}()

// urgent is the value of bytes that are sent out of band, which the stream has or has
// not: a second one makes plain data of the first.
const urgent = 0x80

// withoutUrgent returns the plain bytes of b.
func withoutUrgent(b []byte) []byte {
	return bytes.ReplaceAll(b, []byte{urgent}, nil)
}

// A source is the far end of what is copied from. It writes plain data, and does what
// else its acts say, whose last ends the stream.
type source struct {
	w       io.WriteCloser
	acts    []act
	sent    int // plain bytes
	urgents int // others, at most
	reset   bool
}

type act struct {
	name string
	n    int
}

// newSource returns a connection of which pick chooses the kind, and its far end.
func newSource(s *script) (src io.Reader, far *source, err error) {
	far = new(source)
	kind := of(s, "sockets tcp", "sockets unix", "net tcp", "net unix", "pipe")
	s.note("from %s", kind)
	stream := true
	names := []string{"write", "write", "write", "stall"}
	switch kind {
	case "pipe":
		r, w, err := os.Pipe()
		if err != nil {
			return nil, nil, err
		}
		s.later(func() { r.Close(); w.Close() })
		src, far.w, stream = r, w, false
	default:
		impl, network, _ := strings.Cut(kind, " ")
		own, nets, err := s.pair(network)
		if err != nil {
			return nil, nil, err
		}
		src, far.w = own, nets
		if impl == "net" {
			src, far.w = nets, own
		}
		if socktest.HasUrgent(network) {
			names = append(names, "urgent", "urgent at the end")
		}
		names = append(names, "descriptor")
	}
	for range s.pick(12) {
		a := act{of(s, names...), of(s, 1, 2, 100, 4095, 4096, 4097, 9000, 70_000, 300_000)}
		far.acts = append(far.acts, a)
		s.note("source: %s %d", a.name, a.n)
	}
	end := "close"
	if stream {
		end = of(s, "close", "half close", "close with data")
	}
	if strings.HasSuffix(kind, "tcp") && s.pick(3) == 2 {
		end = "reset"
	}
	if end == "close with data" {
		// Which its kernel tells the other side by a reset.
		src.(net.Conn).Write([]byte("never read"))
	}
	s.note("source: %s", end)
	far.acts = append(far.acts, act{name: end})
	far.reset = end == "reset" || end == "close with data"
	return src, far, nil
}

// run does all acts. That one fails tells nothing: the other side may be gone.
func (f *source) run() {
	for _, a := range f.acts {
		b := plain[f.sent:][:a.n]
		switch a.name {
		case "write":
			n, err := f.w.Write(b)
			f.sent += n
			if err != nil {
				return
			}
		case "stall":
			time.Sleep(time.Duration(a.n%4) * 500 * time.Microsecond)
		case "urgent":
			f.urgents++
			f.send([]byte{urgent}, nil, unix.MSG_OOB)
		case "urgent at the end":
			f.urgents++
			b = b[:min(len(b), 100)]
			if f.send(append(bytes.Clone(b), urgent), nil, unix.MSG_OOB) {
				f.sent += len(b)
			}
		case "descriptor":
			b = b[:1]
			if f.send(b, unix.UnixRights(2), 0) {
				f.sent++
			}
		case "half close":
			f.w.(interface{ CloseWrite() error }).CloseWrite()
		case "reset":
			abort(f.w.(net.Conn))
		default:
			f.w.Close()
		}
	}
}

// send sends b in one call, or not.
func (f *source) send(b, oob []byte, flags int) (ok bool) {
	c := f.w.(syscall.Conn)
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	raw.Write(func(fd uintptr) bool {
		err = unix.Sendmsg(int(fd), b, oob, nil, flags|unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		return err != unix.EAGAIN
	})
	return err == nil
}

// A sink is the far end of what is copied to.
type sink struct {
	r       io.ReadCloser // nil if there is none that reads
	got     bytes.Buffer
	all     func() []byte // what came, when nothing more comes
	hostile bool          // it goes away
	stop    int           // after so many bytes
	how     string
	slow    bool
}

// newSink returns what is copied to, of which pick chooses the kind, and its far end.
func newSink(s *script) (dst io.Writer, far *sink, err error) {
	far = new(sink)
	kind := of(s, "sockets tcp", "sockets unix", "net tcp", "net unix", "pipe", "file", "file to append to", "writer")
	s.note("to %s", kind)
	switch kind {
	case "writer":
		dst, far.all = struct{ io.Writer }{&far.got}, far.got.Bytes
		return dst, far, nil
	case "file", "file to append to":
		f, err := s.file()
		if err != nil {
			return nil, nil, err
		}
		if kind == "file to append to" {
			tmp, err := os.CreateTemp("", "hostile")
			if err != nil {
				return nil, nil, err
			}
			s.later(func() { tmp.Close(); os.Remove(tmp.Name()) })
			if f, err = os.OpenFile(tmp.Name(), os.O_RDWR|os.O_APPEND, 0); err != nil {
				return nil, nil, err
			}
			s.later(func() { f.Close() })
		}
		far.all = func() []byte {
			b, err := io.ReadAll(io.NewSectionReader(f, 0, math.MaxInt64))
			if err != nil {
				panic(err)
			}
			return b
		}
		return f, far, nil
	case "pipe":
		r, w, err := os.Pipe()
		if err != nil {
			return nil, nil, err
		}
		s.later(func() { r.Close(); w.Close() })
		dst, far.r = w, r
	default:
		impl, network, _ := strings.Cut(kind, " ")
		own, nets, err := s.pair(network)
		if err != nil {
			return nil, nil, err
		}
		dst, far.r = own, nets
		if impl == "net" {
			dst, far.r = nets, own
		}
		dst.(interface{ SetWriteBuffer(int) error }).SetWriteBuffer(of(s, 1<<20, 10_000, 50_000))
	}
	far.slow = s.pick(3) == 2
	if far.hostile = s.pick(3) == 2; far.hostile {
		far.stop, far.how = of(s, 0, 1, 100, 4096, 30_000, 200_000), of(s, "close", "reset")
		s.note("sink: %s after %d", far.how, far.stop)
	}
	return dst, far, nil
}

// run reads until there is nothing more, or until it goes away.
func (f *sink) run() {
	b := make([]byte, 64<<10)
	if f.slow {
		b = b[:2000]
	}
	for !f.hostile || f.got.Len() < f.stop {
		n, err := f.r.Read(b)
		f.got.Write(b[:n])
		if err != nil {
			return
		}
		if f.slow && f.got.Len()%7 == 0 {
			time.Sleep(200 * time.Microsecond)
		}
	}
	if c, ok := f.r.(net.Conn); ok && f.how == "reset" {
		abort(c)
	}
	f.r.Close()
}

// A copying is what goes on between the two.
type copying struct {
	src  io.Reader
	dst  io.Writer
	took []byte // out of src, and lost on its way to dst, by Read and Write
	n    int64  // what dst is said to have taken
}

// step copies once, as s says. end reports that src is said to be at its end.
func (c *copying) step(s *script) (end bool, err error) {
	how := of(s, "copy", "copy of less", "until a read deadline", "until a write deadline", "read and write", "io.Copy", "ReadFrom", "WriteTo")
	// Package net takes urgent data for the end, and package os loses what it does not.
	copyBy := sockets.Copy
	from, reads := c.src.(*sockets.TCPConn)
	to, writes := c.dst.(*sockets.TCPConn)
	switch {
	case how == "io.Copy" && (reads || writes):
		copyBy = io.Copy
	case how == "ReadFrom" && writes:
		copyBy = func(_ io.Writer, src io.Reader) (int64, error) { return to.ReadFrom(src) }
	case how == "WriteTo" && reads:
		copyBy = func(dst io.Writer, _ io.Reader) (int64, error) { return from.WriteTo(dst) }
	}
	var n int64
	limit := int64(-1)
	switch how {
	case "copy of less":
		limit = of[int64](s, 1, 100, 4096, 5000, 100_000, 0)
		lr := &io.LimitedReader{R: c.src, N: limit}
		n, err = sockets.Copy(c.dst, lr)
		if lr.N != limit-n {
			return false, fmt.Errorf("%s of %d: N is %d after %d", how, limit, lr.N, n)
		}
	case "until a read deadline":
		d := c.src.(interface{ SetReadDeadline(time.Time) error })
		d.SetReadDeadline(soon(s))
		n, err = sockets.Copy(c.dst, c.src)
		d.SetReadDeadline(time.Time{})
	case "until a write deadline":
		// What a connection of package net has given and dst does not take is lost.
		if d, ok := c.dst.(interface{ SetWriteDeadline(time.Time) error }); ok && isOurs(c.src) {
			d.SetWriteDeadline(soon(s))
			defer d.SetWriteDeadline(time.Time{})
		}
		n, err = sockets.Copy(c.dst, c.src)
	case "read and write":
		b := make([]byte, of(s, 1, 10, 4096, 40_000))
		var k int
		if k, err = c.src.Read(b); k > 0 {
			m, werr := c.dst.Write(b[:k])
			n, c.took = int64(m), b[m:k]
			if werr != nil {
				err = werr
			}
		}
		if limit = n + 1; err == io.EOF {
			limit, err = -1, nil
		}
	default:
		n, err = copyBy(c.dst, c.src)
	}
	c.n += n
	s.note("%s: %d %v", how, n, err)
	if limit >= 0 && n > limit {
		return false, fmt.Errorf("%s of %d took %d", how, limit, n)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false, nil
	}
	return err == nil && (limit < 0 || n < limit && how == "copy of less"), err
}

// soon returns a deadline, which is past perhaps.
func soon(s *script) time.Time {
	return time.Now().Add(of(s, 0, time.Millisecond, -1, 2*time.Millisecond))
}

// playCopy copies from a source that does as it likes to a sink that does. What came
// and what is left in the source is what was sent; only what has ended has an end; the
// errors are those that the two have provoked.
func playCopy(s *script) error {
	src, from, err := newSource(s)
	if err != nil {
		return err
	}
	dst, to, err := newSink(s)
	if err != nil {
		return err
	}
	var ends sync.WaitGroup
	closeAll := func() {
		for _, x := range []any{src, dst, from.w, to.r} {
			if c, ok := x.(io.Closer); ok && c != nil {
				c.Close()
			}
		}
	}
	hung := s.limit(closeAll)
	s.later(func() { closeAll(); ends.Wait() })
	fed := make(chan struct{})
	ends.Go(func() { from.run(); close(fed) })
	drained := make(chan struct{})
	if to.r == nil {
		close(drained)
	} else {
		ends.Go(func() { to.run(); close(drained) })
	}

	c := &copying{src: src, dst: dst}
	end := false
	for !end && err == nil {
		end, err = c.step(s)
	}
	dstFailed := to.hostile && (errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET))
	srcFailed := from.reset && errors.Is(err, syscall.ECONNRESET)
	switch {
	case hung():
		return errors.New("it hangs")
	case end && from.reset:
		return errors.New("a stream that was reset is said to have ended")
	case !end && !srcFailed && !dstFailed:
		return err
	}

	// What dst has not taken is still in a connection of ours.
	rest := bytes.Clone(c.took)
	if dstFailed {
		more, err := io.ReadAll(src)
		if err != nil && !(from.reset && errors.Is(err, syscall.ECONNRESET)) {
			return fmt.Errorf("reading the rest: %w", err)
		}
		rest = append(rest, more...)
	}
	<-fed
	if w, ok := dst.(io.Closer); ok && to.r != nil {
		w.Close()
	}
	<-drained
	if hung() {
		return errors.New("it hangs at the end")
	}
	got := to.got.Bytes()
	if to.all != nil {
		got = to.all()
	}
	if n := int64(len(got)); n > c.n || n < c.n && !to.hostile {
		return fmt.Errorf("%d bytes came, %d are said to have gone", n, c.n)
	}
	sent := plain[:from.sent]
	if got = withoutUrgent(got); !bytes.HasPrefix(sent, got) {
		return fmt.Errorf("%d bytes came, which are not those that were sent", len(got))
	}
	if from.reset {
		return nil // what was on its way is lost
	}
	if end && !to.hostile && len(got) != len(sent) {
		return fmt.Errorf("%d of %d bytes came", len(got), len(sent))
	}
	if dstFailed && isOurs(src) {
		rest = withoutUrgent(rest)
		if all := int(c.n) + len(rest); !bytes.HasSuffix(sent, rest) || all < len(sent) || all-from.urgents > len(sent) {
			return fmt.Errorf("of %d bytes %d went, and %d are left", len(sent), c.n, len(rest))
		}
	}
	return nil
}

// isOurs reports whether a connection is of package sockets.
func isOurs(c any) bool {
	switch c.(type) {
	case *sockets.TCPConn, *sockets.UnixConn:
		return true
	}
	return false
}

func TestCopy(t *testing.T) { play(playCopy).random(t) }

func FuzzCopy(f *testing.F) { play(playCopy).fuzz(f) }
