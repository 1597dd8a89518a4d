package sockets

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"

	"github.com/iolib-go/sockets/internal/codec"
)

// textReader is the reading side of a TextConn. It holds bytes received that have not
// been decoded; decoded text goes into the caller's memory and nowhere else, but for
// a character that is longer than that.
type textReader struct {
	mu     sync.Mutex
	conn   io.Reader
	other  *textWriter // of the same connection, if it is one
	dec    codec.Decoder
	format codec.Format
	broken error // there is no format

	textBuffer
	text  []byte // of a character that p had no room for, usually in carry
	carry [8]byte
	eof   bool
	err   error // of a read that had data as well
	empty int   // reads without data or error in a row
}

const (
	// A Read into less than scratchSize bytes asks for smallWire bytes at a time.
	scratchSize = 512

	maxEmptyReads = 100
)

// setFormat makes f the format of what was not read yet, or broken the error of reading.
func (r *textReader) setFormat(f codec.Format, broken error) {
	if n := r.dec.Held(); n > 0 {
		text := append(bytes.Clone(r.text), make([]byte, n)...)
		r.dec.TakeHeld(text[len(r.text):])
		r.text = text
	}
	r.format, r.broken = f, broken
	if broken == nil {
		r.dec.Init(f)
	}
}

// read implements Read with r.mu held.
func (r *textReader) read(p []byte) (int, error) {
	for {
		if len(r.text) > 0 {
			n := copy(p, r.text)
			r.text = r.text[n:]
			return n, nil
		}
		if r.broken != nil {
			return 0, r.broken
		}
		if r.decodable() {
			if n, err := r.decode(p); n > 0 || err != nil {
				return n, err
			}
		}
		if err := r.takeErr(); err != nil {
			return 0, err
		}
		if n, err := r.fill(p); n > 0 || err != nil {
			return n, err
		}
	}
}

// decodable reports whether there may be text without another read: even of no bytes,
// if the decoder holds some or does not know the end.
func (r *textReader) decodable() bool { return len(r.wire) > 0 || r.eof || r.dec.Held() > 0 }

// takeErr returns the error that is due when everything before it is read.
func (r *textReader) takeErr() error {
	if r.eof {
		return io.EOF
	}
	err := r.err
	r.err = nil
	return err
}

// decode moves text from wire to p.
func (r *textReader) decode(p []byte) (int, error) {
	for {
		n, used, status := r.dec.Decode(p, r.wire, r.eof)
		r.consume(used)
		switch {
		case n > 0 || status == codec.More:
			return n, nil
		case status != codec.Full:
			return 0, r.malformed(status)
		}
		if n, ok := r.decodeCarried(p); ok {
			return n, nil
		}
	}
}

// decodeCarried is decode for a character that has no room in p: what is left of it is
// the text of the next read. It is not ok if it cannot be decoded.
func (r *textReader) decodeCarried(p []byte) (k int, ok bool) {
	n, used, status := 0, 0, codec.Full
	// The least room that the character fits into takes that one and no other.
	for room := len(p) + 1; room <= len(r.carry) && n == 0; room++ {
		n, used, status = r.dec.Decode(r.carry[:room], r.wire, r.eof)
		r.consume(used)
	}
	if n == 0 {
		return 0, status == codec.More
	}
	k = copy(p, r.carry[:n])
	r.text = r.carry[k:n]
	return k, true
}

func (r *textReader) malformed(status codec.Status) error {
	return malformedError(r.format, status, r.off.Load(), r.wire[:r.dec.Bad()])
}

// malformedError is the error of decoding that a status of package codec means.
func malformedError(f codec.Format, status codec.Status, offset int64, bad []byte) error {
	e := &FormatError{
		Op:       "read",
		Encoding: f.Charset.Name,
		Offset:   offset,
		Bytes:    bytes.Clone(bad),
		Err:      ErrMalformed,
	}
	switch status {
	case codec.Truncated:
		e.Err = io.ErrUnexpectedEOF
	case codec.NoMark:
		e.Err = unicode.ErrMissingBOM
	}
	return e
}

// consume drops the first n bytes of wire. What little is left moves out of
// the block, so that a connection that waits holds none.
func (r *textReader) consume(n int) {
	r.wire = r.wire[n:]
	r.off.Add(int64(n))
	if r.block != nil && len(r.wire) <= smallWire {
		r.keepSmall(r.wire)
	}
}

// fill asks the connection for bytes once. It may decode them into p; if not,
// it adds them to wire. An error that comes with bytes is kept for later.
func (r *textReader) fill(p []byte) (int, error) {
	if r.size.Load() > 0 || len(p) < scratchSize {
		n, err := r.receive(r.room())
		r.wire = r.wire[:len(r.wire)+n]
		return 0, r.note(n, err)
	}
	// p is as good as any other memory for receiving, and a reader that
	// waits needs no memory of ours then.
	p = p[:min(len(p), blockSize)]
	n, err := r.receive(p)
	if err := r.note(n, err); n == 0 {
		return 0, err
	}
	return r.decodeReceived(p, n), nil
}

// decodeReceived decodes the n bytes of p, which were just received, into p. It is
// apart from fill so that a reader that waits there has as little on its stack as can
// be.
func (r *textReader) decodeReceived(p []byte, n int) int {
	text, used := 0, 0
	if len(r.wire) == 0 {
		text, used = r.dec.InPlace(p[:n])
		r.off.Add(int64(used))
	}
	if used < n {
		b := getBlock(blockSize)
		k := copy(b.mem, r.wire)
		k += copy(b.mem[k:], p[used:n])
		r.block, r.wire = b, b.mem[:k]
		more, k, _ := r.dec.Decode(p[text:], r.wire, r.eof)
		r.consume(k)
		text += more
	}
	return text
}

// room moves what is left of wire to the beginning of memory that has room for more, of
// the size that the user chose or small, and returns that room. What is left is the
// beginning of a character or of a line end, and so has room in small: see maxShifts and
// foreignChar in package codec for the longest.
//
//go:noinline // a reader that waits in fill has as little on its stack as can be
func (r *textReader) room() []byte {
	room := r.small[:]
	if size := int(r.size.Load()); size > 0 {
		size = max(size, len(r.wire)+minBufferSize)
		if len(r.own) < size {
			r.own = make([]byte, size)
		}
		room = r.own[:size]
	}
	k := copy(room, r.wire)
	r.wire = room[:k]
	return room[k:]
}

// receive reads once from the connection. What the other side has buffered
// goes out first: the peer may be waiting for it.
func (r *textReader) receive(p []byte) (int, error) {
	flush := r.other != nil && r.other.size.Load() > 0
	if flush {
		r.other.readerWaits()
	}
	n, err := r.conn.Read(p)
	if flush {
		r.other.waiting.Store(false)
	}
	if n > 0 || err != nil {
		r.empty = 0
	} else if r.empty++; r.empty == maxEmptyReads {
		r.empty = 0
		return 0, io.ErrNoProgress
	}
	return n, err
}

// note takes down the error of a read of n bytes, and returns it if there are
// none to go before it.
func (r *textReader) note(n int, err error) error {
	switch {
	case err == nil:
	case err == io.EOF:
		r.eof = true
	case n == 0:
		return err
	default:
		r.err = err
	}
	return nil
}

// skip implements Skip with r.mu held.
func (r *textReader) skip(n int) (int, error) {
	done := 0
	for {
		if k := min(n-done, len(r.wire)); k > 0 {
			r.consume(k)
			r.dec.Skipped()
			done += k
		}
		if done == n {
			return n, nil
		}
		if err := r.takeErr(); err != nil {
			return done, err
		}
		if _, err := r.fill(nil); err != nil {
			return done, err
		}
	}
}

// readRaw implements the Read of Raw with r.mu held.
func (r *textReader) readRaw(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.wire) > 0 {
		n := copy(p, r.wire)
		r.consume(n)
		r.dec.Skipped()
		return n, nil
	}
	if err := r.takeErr(); err != nil {
		return 0, err
	}
	n, err := r.receive(p)
	r.off.Add(int64(n))
	if n > 0 {
		r.dec.Skipped()
	}
	if err == io.EOF {
		r.eof = true
	}
	return n, err
}

// ReadString reads text up to and including delim. What follows delim is not decoded:
// SetReadFormat, Raw and Skip apply from the next byte on. If an error such as a
// deadline or [io.EOF] comes first, ReadString returns the text before it together with
// the error. delim must be an ASCII character, or may be any byte if the format's
// Encoding is nil.
//
// The length is not limited. If the peer is not trusted, set a deadline or use a
// [bufio.Reader].
func (c *TextConn) ReadString(delim byte) (string, error) {
	if c.closed.Load() {
		return "", c.closedRead()
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return c.r.readString(delim)
}

// ReadLine is like [TextConn.ReadString] with '\n', but returns the line without the
// "\n". If the last line has no "\n", it is returned together with [io.EOF].
func (c *TextConn) ReadLine() (string, error) {
	s, err := c.ReadString('\n')
	return strings.TrimSuffix(s, "\n"), err
}

// readString implements ReadString with r.mu held.
func (r *textReader) readString(delim byte) (string, error) {
	if delim >= utf8.RuneSelf && !r.format.Charset.Bytewise() {
		return "", &ArgumentError{Arg: "delimiter", Value: delim, Why: "must be ASCII"}
	}
	var text []byte
	many := false
	for {
		text = slices.Grow(text, smallWire) // the text of any character
		p := text[len(text):cap(text)]
		n, err := 0, r.broken
		if k := min(len(p), len(r.text)); k > 0 {
			n = copy(p, r.text[:untilDelim(r.text[:k], delim)])
			r.text = r.text[n:]
		} else if err == nil && r.decodable() {
			n, err = r.decodeUntil(p, delim)
		}
		text = text[:len(text)+n]
		if n > 0 && p[n-1] == delim {
			return string(text), nil
		}
		if n > 0 {
			continue
		}
		if err == nil {
			err = r.takeErr()
		}
		if err == nil {
			err = r.fillWire(many)
		}
		if err != nil {
			return string(text), err
		}
		many = len(r.wire) >= smallWire // there is more where that came from
	}
}

// fillWire adds to wire and decodes nothing: a piece of what may be many, or as little
// as needs no block, which a reader that waits for the beginning of a line does not
// hold.
func (r *textReader) fillWire(many bool) error {
	if !many || r.size.Load() > 0 {
		_, err := r.fill(nil)
		return err
	}
	b := getBlock(blockSize)
	k := copy(b.mem, r.wire)
	r.freeBlock()
	n, err := r.receive(b.mem[k:blockSize])
	r.block, r.wire = b, b.mem[:k+n]
	r.consume(0)
	return r.note(n, err)
}

// untilDelim returns the length of text up to delim, which belongs to it.
func untilDelim(text []byte, delim byte) int {
	if i := bytes.IndexByte(text, delim); i >= 0 {
		return i + 1
	}
	return len(text)
}

// decodeUntil moves text up to delim from wire to p, which has room for the text of
// any character.
func (r *textReader) decodeUntil(p []byte, delim byte) (int, error) {
	n, used, status := r.dec.DecodeUntil(p, r.wire, delim, r.eof)
	r.consume(used)
	if n > 0 || status == codec.More {
		return n, nil
	}
	return 0, r.malformed(status)
}
