package sockets

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/iolib-go/sockets/internal/codec"
	"github.com/iolib-go/sockets/internal/sys"
)

// TextConn is a stream connection with an external format: Read yields UTF-8
// text with "\n" line ends and Write takes it, while the peer sees the format.
// It is a net.Conn over any other one; deadlines, Close, half-close and
// concurrent Read and Write work as they do there.
//
// Only bytes that were not decoded yet are buffered, and no text, so nothing
// is lost when a deadline fires inside a character or when the format is
// switched. Text that can be decoded is returned at once. A bufio.Reader over
// a TextConn does read ahead: switch formats where it is empty.
//
// Multiple goroutines may invoke methods on a TextConn simultaneously.
type TextConn struct {
	conn      net.Conn
	r         textReader
	w         textWriter
	deadlines textDeadlines
	closing   atomic.Bool // Close has been called
	closed    atomic.Bool // and conn is closed
}

var (
	_ net.Conn        = (*TextConn)(nil)
	_ io.ReaderFrom   = (*TextConn)(nil)
	_ io.WriterTo     = (*TextConn)(nil)
	_ io.StringWriter = (*TextConn)(nil)
)

// WithFormat returns a connection over c that has format f in both
// directions. If f converts nothing, that is c itself: the zero format, and
// UTF-8 that is neither strict nor has another line end than "\n". Any other
// f gives a *TextConn, see NewTextConn.
func WithFormat(c net.Conn, f ExternalFormat) net.Conn {
	if g, err := f.codec(); err == nil && g.AsIs() {
		return c
	}
	return NewTextConn(c, f)
}

// NewTextConn returns a TextConn over c with format f in both directions. It takes
// ownership of c: use and close only the TextConn from then on.
//
// If f is invalid, e.g. its newline does not exist in its encoding, every Read and
// Write fails until SetReadFormat or SetWriteFormat sets a valid format.
func NewTextConn(c net.Conn, f ExternalFormat) *TextConn {
	t := &TextConn{conn: c}
	t.r.conn, t.r.other = c, &t.w
	t.w.conn, t.w.deadlines = c, &t.deadlines
	t.deadlines.conn = c
	g, err := f.codec()
	t.r.setFormat(g, err)
	t.w.setFormat(g, err)
	return t
}

// SetBufferSizes sets the sizes of the user-space buffers, in bytes on the
// wire. Each is 0 or at least 64.
//
// With an output buffer, Write returns when its text is in the buffer; what is
// there goes out when the buffer is full, by Flush, Close and CloseWrite, and
// before and while a Read of the same TextConn waits for the peer. The deadline
// of Read ends that sending, too: what is left stays in the buffer, but a
// tls.Conn does not survive it. With 0, the initial value, the text is on the
// wire when Write returns.
//
// With an input buffer, a Read asks the connection for up to input bytes. With
// 0 it asks for as many as it was asked for.
func (c *TextConn) SetBufferSizes(input, output int) error {
	if err := checkBufferSizes(input, output); err != nil {
		return err
	}
	c.r.size.Store(int64(input))
	c.w.mu.Lock()
	defer c.w.unlock()
	c.w.size.Store(int64(output))
	return c.w.send()
}

// SetReadFormat makes f the format of the bytes that no Read has consumed
// yet. Offsets go on counting; a byte order mark may come again. It waits for
// a Read that is in progress.
//
// After a CR in the style NewlineAny, a "\n" that follows belongs to the line
// end that was read, unless the format is switched to another style.
func (c *TextConn) SetReadFormat(f ExternalFormat) error {
	g, err := f.codec()
	if err != nil {
		return err
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.r.setFormat(g, nil)
	return nil
}

// SetWriteFormat sends what the format before still owes, like an escape
// sequence back to ASCII or the replacement of an unfinished character, and
// makes f the format of all text that follows, with a byte order mark of its
// own if it has one.
//
// If sending fails, f is the format all the same, and the unsent bytes go first
// at the next Write.
func (c *TextConn) SetWriteFormat(f ExternalFormat) error {
	g, err := f.codec()
	if err != nil {
		return err
	}
	c.w.mu.Lock()
	defer c.w.unlock()
	err = c.w.finish()
	c.w.setFormat(g, nil)
	return joinErrors(err, c.w.send())
}

// ReadFormat returns the format that Read decodes.
func (c *TextConn) ReadFormat() ExternalFormat {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return externalFormat(c.r.format)
}

// WriteFormat returns the format that Write encodes to.
func (c *TextConn) WriteFormat() ExternalFormat {
	c.w.mu.Lock()
	defer c.w.unlock()
	return externalFormat(c.w.format)
}

// Read reads text into p. It consumes the bytes of a character with its text,
// so p may be of any size.
//
// In a strict format, malformed bytes are a *FormatError after all text before
// them, again and again: Skip, SetReadFormat or Raw go past them.
func (c *TextConn) Read(p []byte) (int, error) {
	if c.closed.Load() {
		return 0, c.closedRead()
	}
	if len(p) == 0 {
		return 0, nil
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return c.r.read(p)
}

// closedRead has the closed connection say so in its own words.
func (c *TextConn) closedRead() error {
	if _, err := c.conn.Read(nil); err != nil {
		return err
	}
	return net.ErrClosed
}

// Write writes the text p. The count is of bytes of p, also when the wire has
// more or less of them.
//
// If it fails, for instance by a deadline, the count says how much is sent;
// going on with the rest of p continues the text without loss. Bytes of a
// character that was sent in part go first at the next Write, Flush, CloseWrite
// or Close. A character that p ends in the middle of is kept for the next
// Write, and so is a CR in the style NewlineNEL.
//
// In a strict format, a character that the encoding lacks, or malformed UTF-8,
// is a *FormatError after all text before it is sent; the count is its index.
// The connection stays usable: go on behind it. If it began in an earlier
// Write, the count is 0 and the beginning is dropped.
func (c *TextConn) Write(p []byte) (int, error) {
	if c.closed.Load() {
		return 0, c.closedWrite()
	}
	c.w.mu.Lock()
	defer c.w.unlock()
	return c.w.write(p)
}

func (c *TextConn) closedWrite() error {
	if _, err := c.conn.Write(nil); err != nil {
		return err
	}
	return net.ErrClosed
}

// WriteString is Write for a string.
func (c *TextConn) WriteString(s string) (n int, err error) {
	if c.closed.Load() {
		return 0, c.closedWrite()
	}
	b := getBlock(blockSize)
	defer putBlock(b)
	c.w.mu.Lock()
	defer c.w.unlock()
	return c.w.writeString(b.mem[:blockSize], s)
}

// ReadFrom writes the text that r has until it ends. It returns how much of it
// was accepted.
func (c *TextConn) ReadFrom(r io.Reader) (n int64, err error) { return copyText(c, r) }

// WriteTo reads text until the end and writes it to w.
func (c *TextConn) WriteTo(w io.Writer) (n int64, err error) { return copyText(w, c) }

// copyText is io.Copy in pieces of blockSize, by Read and Write.
func copyText(w io.Writer, r io.Reader) (n int64, err error) {
	b := getBlock(blockSize)
	defer putBlock(b)
	for {
		k, err := r.Read(b.mem[:blockSize])
		if k > 0 {
			m, err := w.Write(b.mem[:k])
			n += int64(m)
			if err != nil {
				return n, err
			}
			if m < k {
				return n, io.ErrShortWrite
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// Flush sends what the output buffer has, and what a deadline left unsent.
func (c *TextConn) Flush() error {
	c.w.mu.Lock()
	defer c.w.unlock()
	if err := c.w.takeErr(); err != nil {
		return err
	}
	return c.w.send()
}

// Skip goes past n bytes of the wire without decoding them, waiting for them
// if need be: past those of a FormatError, for example. It returns how many it
// skipped, which is n unless there is an error.
func (c *TextConn) Skip(n int) (int, error) {
	if n < 0 {
		return 0, &ArgumentError{Arg: "number of bytes", Value: n, Why: "must not be negative"}
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return c.r.skip(n)
}

// Raw returns the connection without the format: its Read yields the bytes
// that no Read of c has consumed, and its Write sends bytes as they are, after
// all text that c has accepted. Text and bytes may alternate.
func (c *TextConn) Raw() io.ReadWriter { return rawText{c} }

type rawText struct{ c *TextConn }

func (r rawText) Read(p []byte) (int, error) {
	if r.c.closed.Load() {
		return 0, r.c.closedRead()
	}
	r.c.r.mu.Lock()
	defer r.c.r.mu.Unlock()
	return r.c.r.readRaw(p)
}

func (r rawText) Write(p []byte) (int, error) {
	if r.c.closed.Load() {
		return 0, r.c.closedWrite()
	}
	r.c.w.mu.Lock()
	defer r.c.w.unlock()
	return r.c.w.writeRaw(p)
}

// Offsets returns how many bytes of the wire Read has consumed and how many
// Write has sent, Raw included.
func (c *TextConn) Offsets() (read, written int64) {
	return c.r.off.Load(), c.w.off.Load()
}

// NetConn returns the connection under c. Reading from it misses what c has
// buffered.
func (c *TextConn) NetConn() net.Conn { return c.conn }

// LocalAddr returns the address of this end.
func (c *TextConn) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr returns the address of the peer.
func (c *TextConn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// SetDeadline sets both deadlines, see net.Conn.
func (c *TextConn) SetDeadline(t time.Time) error { return c.deadlines.set(t, true, true) }

// SetReadDeadline sets the deadline of Read. Text that is there already is
// read in spite of it.
func (c *TextConn) SetReadDeadline(t time.Time) error { return c.deadlines.set(t, true, false) }

// SetWriteDeadline sets the deadline of Write, see net.Conn.
func (c *TextConn) SetWriteDeadline(t time.Time) error { return c.deadlines.set(t, false, true) }

// CloseRead shuts the reading side of the connection down. Text that is there
// already can still be read. It returns errors.ErrUnsupported in a
// *net.OpError if the connection under c has no such method.
func (c *TextConn) CloseRead() error {
	if cr, ok := c.conn.(interface{ CloseRead() error }); ok {
		return cr.CloseRead()
	}
	return c.unsupported()
}

// CloseWrite sends what is buffered and what the format owes at the end, and
// shuts the writing side of the connection down, which it does also if sending
// fails. In a strict format, an unfinished character is a *FormatError that
// wraps io.ErrUnexpectedEOF. If the connection under c cannot be closed by
// halves, it returns errors.ErrUnsupported in a *net.OpError and sends nothing.
func (c *TextConn) CloseWrite() error {
	cw, ok := c.conn.(interface{ CloseWrite() error })
	if !ok {
		return c.unsupported()
	}
	if c.closed.Load() {
		return cw.CloseWrite()
	}
	c.w.mu.Lock()
	defer c.w.unlock()
	err := c.w.end()
	return joinErrors(err, cw.CloseWrite())
}

func (c *TextConn) unsupported() error { return foreignError(c.conn, "close", errors.ErrUnsupported) }

// closeLimit is how long Close may take to send what is left.
const closeLimit = 5 * time.Second

// Close sends what is buffered and what the format owes at the end, like
// CloseWrite, and closes the connection. Blocked calls are unblocked and return
// errors; what a blocked Write has accepted is not waited for. Sending takes no
// longer than the write deadline and 5 seconds. The connection is closed
// whatever fails on the way.
func (c *TextConn) Close() error {
	if c.closing.Swap(true) {
		return c.conn.Close()
	}
	err := c.endForClose()
	defer c.closed.Store(true)
	return joinErrors(err, c.conn.Close())
}

func (c *TextConn) endForClose() error {
	if c.w.size.Load() > 0 {
		// The holder of the lock may be sending what must not be lost, and
		// the deadline bounds that.
		defer c.limitWrites()()
		c.w.mu.Lock()
	} else if !c.w.mu.TryLock() {
		return nil
	}
	defer c.w.mu.Unlock()
	if c.w.idle() {
		return nil
	}
	defer c.limitWrites()()
	return c.w.end()
}

// limitWrites ends all writes in closeLimit. A connection that has no
// deadlines is closed then, unless what it returns is called before.
func (c *TextConn) limitWrites() (stop func()) {
	if c.deadlines.limit(time.Now().Add(closeLimit)) == nil {
		return func() {}
	}
	timer := time.AfterFunc(closeLimit, func() { c.conn.Close() })
	return func() { timer.Stop() }
}

// joinErrors is errors.Join that leaves a single error as it is.
func joinErrors(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return errors.Join(a, b)
}

// wireFormat is what Dialer, ListenConfig and AcceptConfig say of their
// connections' format. The zero value is bytes as they are, unbuffered.
type wireFormat struct {
	format        ExternalFormat
	input, output int // sizes of SetBufferSizes
}

// check reports a format that connections of a socket type cannot have. Only
// streams have one: the records of other sockets would run together.
func (w wireFormat) check(typ int) error {
	if w == (wireFormat{}) {
		return nil
	}
	if typ != sys.SOCK_STREAM {
		return &ArgumentError{Arg: "format", Value: w.format, Why: "only streams have one, not " + typeName(typ) + " sockets"}
	}
	if err := w.format.check(); err != nil {
		return err
	}
	return checkBufferSizes(w.input, w.output)
}

// wrap returns c in the format, which check has passed: c itself if that converts
// and buffers nothing.
func (w wireFormat) wrap(c net.Conn) net.Conn {
	switch {
	case w == (wireFormat{}):
		return c
	case w.input == 0 && w.output == 0:
		return WithFormat(c, w.format)
	}
	t := NewTextConn(c, w.format)
	t.r.size.Store(int64(w.input))
	t.w.size.Store(int64(w.output))
	return t
}

// minBufferSize is the least size of a buffer: no character, escape sequence
// and line end together are longer.
const minBufferSize = codec.FinishLen

func checkBufferSizes(in, out int) error {
	for _, b := range []struct {
		name string
		size int
	}{{"input buffer size", in}, {"output buffer size", out}} {
		if b.size != 0 && b.size < minBufferSize {
			return &ArgumentError{Arg: b.name, Value: b.size, Why: fmt.Sprintf("must be 0 or at least %d", minBufferSize)}
		}
	}
	return nil
}

// textBuffer holds the bytes of one direction of a TextConn that were received and not
// decoded yet, or encoded and not sent yet.
type textBuffer struct {
	wire  []byte       // the bytes: in block, in own or in small
	block *block       // from the pool, nil if wire is elsewhere
	own   []byte       // the buffer that the user asked for
	size  atomic.Int64 // and its size, 0 for none
	off   atomic.Int64 // how many bytes of the wire are done with
	small [smallWire]byte
}

// smallWire bounds what an idle connection keeps outside of a block.
const smallWire = codec.FinishLen

// keepSmall makes p, which has no more than smallWire bytes, what the buffer holds, and
// needs no block for it.
func (b *textBuffer) keepSmall(p []byte) {
	b.wire = b.small[:copy(b.small[:], p)]
	b.freeBlock()
}

// freeBlock gives the block back. wire must be elsewhere.
func (b *textBuffer) freeBlock() {
	if b.block != nil {
		putBlock(b.block)
		b.block = nil
	}
}

// A block is memory for the wire. Blocks come from a pool when there is
// something to hold, and go back when it is gone.
type block struct{ mem []byte }

var blocks = [...]struct {
	size int
	pool sync.Pool
}{
	{size: blockSize}, {size: 2 * blockSize}, {size: maxBlockSize},
}

// getBlock returns a block with room for size bytes, one of blockSize times 1,
// 2 or 4, and for one character more.
func getBlock(size int) *block {
	for i := range blocks {
		if c := &blocks[i]; c.size == size {
			if b, ok := c.pool.Get().(*block); ok {
				return b
			}
		}
	}
	return &block{make([]byte, size+codec.FinishLen)}
}

func putBlock(b *block) {
	for i := range blocks {
		if c := &blocks[i]; c.size+codec.FinishLen == len(b.mem) {
			c.pool.Put(b)
		}
	}
}

// blockSize is how many bytes one system call moves, or the text of one: that
// may be longer on the wire.
const (
	blockSize    = 64 << 10
	maxBlockSize = 4 * blockSize
)
