package sockets

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/iolib-go/sockets/internal/codec"
)

// ReadString reads text up to and including delim. What follows delim stays undecoded:
// SetReadFormat, Raw and Skip apply from the next byte on. If an error such as a
// deadline or io.EOF comes first, it returns the text before it together with the
// error. delim is an ASCII character, or any byte if the format is bytes as they are.
//
// It reads without limit. If the peer is not trusted, set a deadline, or use a
// bufio.Reader.
func (c *TextConn) ReadString(delim byte) (string, error) {
	if c.closed.Load() {
		return "", c.closedRead()
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return c.r.readString(delim)
}

// ReadLine is ReadString('\n') without the "\n". A last line without "\n"
// is returned together with io.EOF.
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
		} else if err == nil && (len(r.wire) > 0 || r.eof) {
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
	switch {
	case r.size.Load() > 0:
		return r.fillOwn()
	case !many:
		return r.fillSmall()
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
