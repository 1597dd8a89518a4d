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

// TextConn is a stream connection with an external format. Read returns UTF-8 text with
// "\n" as newline, and Write takes such text; on the wire it is in the format. A
// TextConn wraps any other [net.Conn]; deadlines, Close, half-close and concurrent Read
// and Write work as they do there.
//
// A TextConn buffers only bytes that have not been decoded, never text. So nothing is
// lost when a deadline expires in the middle of a character or when the format changes.
// Text that can be decoded is returned at once. A [bufio.Reader] over a TextConn does
// read ahead: change the format only when its buffer is empty.
//
// Methods of a TextConn may be called concurrently.
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

// WithFormat returns a connection over c that has format f in both directions. If f
// converts nothing, WithFormat returns c itself: that is the zero format, and UTF-8
// that is not strict and has "\n" as its newline. Otherwise the result is a [*TextConn];
// see [NewTextConn].
func WithFormat(c net.Conn, f ExternalFormat) net.Conn {
	if g, err := f.codec(); err == nil && g.AsIs() {
		return c
	}
	return NewTextConn(c, f)
}

// NewTextConn returns a TextConn over c with format f in both directions. It takes
// ownership of c: from then on, use and close only the TextConn.
//
// If f is invalid, e.g. its newline does not exist in its encoding, every Read and
// Write fails until a valid format is set by SetReadFormat or SetWriteFormat.
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

// SetBufferSizes sets the sizes of the user-space buffers, in bytes on the wire. Each
// must be 0, which is the initial value and means no buffer, or at least 64.
//
// Without an output buffer, text is on the wire when Write returns. With one, Write
// returns once its text is in the buffer. The buffer is sent when it is full, by Flush,
// Close and CloseWrite, and before and while a Read of the same TextConn waits for the
// peer. The deadline of that Read also ends the sending; what is left stays in the
// buffer, but if the underlying connection is a tls.Conn it cannot be used any more.
//
// With an input buffer, a Read asks the connection for up to input bytes. Without one,
// it asks for as many bytes as its caller does.
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

// SetReadFormat sets the format of all bytes that no Read has consumed yet. It waits
// for a Read that is in progress. Offsets continue to count, and a byte order mark may
// follow.
//
// If the last byte read was a CR in the style [NewlineAny], a "\n" that follows belongs
// to the same newline, unless the new format has another style.
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

// SetWriteFormat sets the format of all text that follows, which begins with a byte
// order mark if the format has one. Before that, it sends what the previous format
// requires at the end, such as an escape sequence back to ASCII or the replacement of
// an incomplete character.
//
// If sending fails, the format is set nevertheless, and the next Write sends the unsent
// bytes first.
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

// WriteFormat returns the format to which Write encodes.
func (c *TextConn) WriteFormat() ExternalFormat {
	c.w.mu.Lock()
	defer c.w.unlock()
	return externalFormat(c.w.format)
}

// Read reads text into p. p may be of any size: the bytes of a character are consumed
// together with its text.
//
// In a strict format, malformed bytes are a [*FormatError], returned once all text
// before them has been read, and by every further Read until Skip, SetReadFormat or Raw
// gets past them.
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

// Write writes the text p. The count is of bytes of p, even if there are more or fewer
// bytes on the wire.
//
// If Write fails, because of a deadline for example, the count tells how much has been
// sent. To continue without loss, write the rest of p. If a character was sent in part,
// the next Write, Flush, CloseWrite or Close sends the rest of its bytes first. If p
// ends in the middle of a character, its beginning is kept for the next Write; so is a
// CR in the style [NewlineNEL].
//
// In a strict format, a character that the encoding lacks and malformed UTF-8 are a
// [*FormatError], returned once all text before them has been sent. The count is the
// index of the character in p, or 0 if it began in an earlier Write, in which case that
// beginning is dropped. The connection remains usable: continue after the character.
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

// WriteString is like [TextConn.Write], but takes a string.
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

// ReadFrom reads text from r until it ends and writes it to the connection. It returns
// how many bytes of text were accepted.
func (c *TextConn) ReadFrom(r io.Reader) (n int64, err error) { return copyText(c, r) }

// WriteTo reads text until the end of the stream and writes it to w.
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

// Flush sends the contents of the output buffer, and what a deadline left unsent.
func (c *TextConn) Flush() error {
	c.w.mu.Lock()
	defer c.w.unlock()
	if err := c.w.takeErr(); err != nil {
		return err
	}
	return c.w.send()
}

// Skip discards n bytes on the wire without decoding them, for example those of a
// [*FormatError]. It waits for them if necessary. It returns how many bytes it skipped,
// which is n unless there is an error.
func (c *TextConn) Skip(n int) (int, error) {
	if n < 0 {
		return 0, &ArgumentError{Arg: "number of bytes", Value: n, Why: "must not be negative"}
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return c.r.skip(n)
}

// Raw returns access to the connection without the format. Its Read returns the bytes
// that no Read of c has consumed; its Write sends bytes unchanged, after all text that
// c has accepted. Text and bytes may alternate.
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

// Offsets returns how many bytes on the wire have been consumed by Read and sent by
// Write, including those of Raw.
func (c *TextConn) Offsets() (read, written int64) {
	return c.r.off.Load(), c.w.off.Load()
}

// NetConn returns the underlying connection. Reads from it do not see what c has
// buffered.
func (c *TextConn) NetConn() net.Conn { return c.conn }

// LocalAddr returns the local address.
func (c *TextConn) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr returns the address of the peer.
func (c *TextConn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// SetDeadline sets the read and the write deadline. See [net.Conn].
func (c *TextConn) SetDeadline(t time.Time) error { return c.deadlines.set(t, true, true) }

// SetReadDeadline sets the deadline of Read. Text that has already arrived can be read
// even after it.
func (c *TextConn) SetReadDeadline(t time.Time) error { return c.deadlines.set(t, true, false) }

// SetWriteDeadline sets the deadline of Write. See [net.Conn].
func (c *TextConn) SetWriteDeadline(t time.Time) error { return c.deadlines.set(t, false, true) }

// CloseRead shuts down the reading side of the connection. Text that has arrived can
// still be read. It returns [errors.ErrUnsupported] in a [*net.OpError] if the
// underlying connection has no CloseRead method.
func (c *TextConn) CloseRead() error {
	if cr, ok := c.conn.(interface{ CloseRead() error }); ok {
		return cr.CloseRead()
	}
	return c.unsupported()
}

// CloseWrite sends buffered text and what the format requires at the end, and shuts
// down the writing side of the connection, even if sending fails. In a strict format,
// an incomplete character is a [*FormatError] that wraps [io.ErrUnexpectedEOF].
//
// If the underlying connection has no CloseWrite method, it returns
// [errors.ErrUnsupported] in a [*net.OpError] and sends nothing.
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

// Close sends buffered text and what the format requires at the end, as
// [TextConn.CloseWrite] does, and closes the connection. Sending ends at the write
// deadline, or after 5 seconds at the latest. The connection is closed even if sending
// fails.
//
// Pending calls return errors. Close does not wait for the text that a blocked Write
// has already accepted.
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
		return &ArgumentError{Arg: "format", Value: w.format, Why: "only streams can have one, not " + typeName(typ) + " sockets"}
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
