package sockets

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/iolib-go/sockets/internal/codec"
)

// textWriter is the writing side of a TextConn. It holds what was encoded and is not
// sent yet: without an output buffer, nothing but the rest of a character that a
// deadline cut.
type textWriter struct {
	mu     sync.Mutex
	conn   io.Writer
	enc    codec.Encoder
	format codec.Format
	broken error // there is no format

	textBuffer
	waiting   atomic.Bool    // a reader waits for the peer, who may wait for us
	err       error          // of sending on behalf of that reader
	deadlines *textDeadlines // nil without a connection, where no reader waits
}

// setFormat makes f the format of the text that follows, or broken the error of writing.
func (w *textWriter) setFormat(f codec.Format, broken error) {
	w.format, w.broken = f, broken
	if broken == nil {
		w.enc.Init(f)
	}
}

// unlock releases w.mu. If a reader began to wait meanwhile, it found the lock
// taken and left its flush to us.
func (w *textWriter) unlock() {
	for {
		w.mu.Unlock()
		if !w.waiting.Load() || w.size.Load() == 0 || !w.mu.TryLock() {
			return
		}
		err := w.err
		if err == nil {
			err = w.send()
			w.keepErr(err)
		}
		if err != nil || len(w.wire) == 0 {
			w.mu.Unlock()
			return
		}
	}
}

// keepErr keeps the error of sending on behalf of a reader for the next
// writer. A deadline is none: what it left is still there.
func (w *textWriter) keepErr(err error) {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		w.err = err
	}
}

// readerWaits sends what is buffered, unless a writer is at work, who does it
// then.
func (w *textWriter) readerWaits() {
	w.waiting.Store(true)
	if w.mu.TryLock() {
		if w.err == nil && len(w.wire) > 0 {
			w.keepErr(w.deadlines.flush(w.send))
		}
		w.mu.Unlock()
	}
}

func (w *textWriter) takeErr() error {
	err := w.err
	w.err = nil
	return err
}

// write implements Write with w.mu held.
func (w *textWriter) write(p []byte) (n int, err error) {
	if w.broken != nil {
		return 0, w.broken
	}
	if err := w.takeErr(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil // not a mark, and not the empty message that ends a unixpacket stream
	}
	if w.size.Load() > 0 {
		return w.writeBuffered(p)
	}
	if err := w.send(); err != nil {
		return 0, err
	}
	if plain, ok := w.enc.Plain(p); ok && plain > 0 {
		n, err = w.writeConn(p[:plain])
		if err != nil {
			if !w.format.Charset.Bytewise() && !w.format.AsIs() {
				n += w.keepRest(p[n:plain])
			}
			return n, err
		}
		_, cut, _ := w.enc.Encode(nil, p[plain:])
		return plain + cut, nil
	}
	for {
		before := w.enc
		room := w.room()
		nDst, nSrc, status := w.enc.Encode(room, p[n:])
		for status == codec.Full && len(p) <= blockSize && w.grow(nDst) {
			room = w.block.mem
			d, s, st := w.enc.Encode(room[nDst:], p[n+nSrc:])
			nDst, nSrc, status = nDst+d, nSrc+s, st
		}
		w.wire = room[:nDst]
		if err := w.send(); err != nil {
			return n + w.rewind(before, room[:nDst], p[n:][:nSrc]), err
		}
		n += nSrc
		switch status {
		case codec.More:
			return n, nil
		case codec.Malformed:
			return n, w.unencodable()
		}
	}
}

// writeString implements WriteString with w.mu held. b is memory for the text.
func (w *textWriter) writeString(b []byte, s string) (n int, err error) {
	for {
		k := copy(b, s[n:])
		if n+k < len(s) {
			k -= cutRune(b[:k]) // a count inside a character would be no index
		}
		m, err := w.write(b[:k])
		n += m
		if err != nil || n == len(s) {
			return n, err
		}
	}
}

// cutRune returns the length of the unfinished character that p ends with.
func cutRune(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if rest := p[len(p)-n:]; utf8.RuneStart(rest[0]) {
			if utf8.FullRune(rest) {
				return 0
			}
			return n
		}
	}
	return 0
}

// writeConn writes p to the connection, and holds it to the contract of
// io.Writer.
func (w *textWriter) writeConn(p []byte) (int, error) {
	n, err := w.conn.Write(p)
	w.off.Add(int64(n))
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}

// grow replaces the block by one of twice the size, unless that is the
// largest, and keeps its first n bytes.
func (w *textWriter) grow(n int) bool {
	size := 2 * (len(w.block.mem) - codec.FinishLen)
	if size > maxBlockSize {
		return false
	}
	b := getBlock(size)
	copy(b.mem, w.block.mem[:n])
	w.freeBlock()
	w.block = b
	return true
}

// keepRest keeps the rest of a character of UTF-8 that p begins inside of, and
// returns its length.
func (w *textWriter) keepRest(p []byte) int {
	n := 0
	for n < len(p) && !utf8.RuneStart(p[n]) {
		n++
	}
	w.keepSmall(p[:n])
	return n
}

// rewind makes the encoder forget the text whose bytes were not sent, all of
// which are in room, and returns how much of p is left as accepted. Of a
// character that was sent in part, the rest stays in wire.
func (w *textWriter) rewind(before codec.Encoder, room, p []byte) int {
	if !before.Rewinds() {
		return len(p)
	}
	sent := len(room) - len(w.wire)
	w.enc = before
	if sent == 0 {
		w.drop()
		return 0
	}
	room = w.block.mem
	nDst, nSrc, _ := w.enc.Encode(room[:sent], p)
	for size := sent + 1; nDst < sent; size++ {
		d, s, _ := w.enc.Encode(room[nDst:size], p[nSrc:])
		nDst += d
		nSrc += s
	}
	w.keepSmall(room[sent:nDst])
	return nSrc
}

// writeBuffered encodes p into the output buffer, which it sends when it is
// full.
func (w *textWriter) writeBuffered(p []byte) (n int, err error) {
	for {
		room := w.room()
		nDst, nSrc, status := w.enc.Encode(room, p[n:])
		w.wire = w.wire[:len(w.wire)+nDst]
		n += nSrc
		switch status {
		case codec.More:
			return n, nil
		case codec.Malformed:
			return n, w.unencodable()
		}
		if err := w.send(); err != nil {
			return n, err
		}
	}
}

func (w *textWriter) unencodable() error {
	return unencodableError(w.format, w.off.Load()+int64(len(w.wire)), w.enc.Bad())
}

// unencodableError is the error of encoding bad.
func unencodableError(f codec.Format, offset int64, bad []byte) *FormatError {
	e := &FormatError{
		Op:       "write",
		Encoding: f.Charset.Name,
		Offset:   offset,
		Bytes:    bytes.Clone(bad),
		Err:      ErrUnencodable,
	}
	if !validRune(bad) {
		e.Err = ErrMalformed
	}
	return e
}

// room returns the free memory behind wire, and moves wire in front of it if
// it is elsewhere.
func (w *textWriter) room() []byte {
	if size := int(w.size.Load()); size > 0 {
		if len(w.own) != size && len(w.wire) <= size || len(w.own) < len(w.wire) {
			w.own = make([]byte, max(size, len(w.wire)))
		}
		if len(w.wire) == 0 || &w.wire[:1][0] != &w.own[0] {
			w.wire = w.own[:copy(w.own, w.wire)]
			w.freeBlock()
		}
		return w.own[len(w.wire):]
	}
	if w.block == nil {
		w.block = getBlock(blockSize * w.format.Charset.Wide())
	}
	w.wire = w.block.mem[:copy(w.block.mem, w.wire)]
	return w.block.mem[len(w.wire):]
}

// send sends wire. If that fails, wire is what remains.
func (w *textWriter) send() error {
	if len(w.wire) > 0 {
		n, err := w.writeConn(w.wire)
		w.wire = w.wire[n:]
		if err != nil {
			return err
		}
	}
	w.drop()
	return nil
}

// drop empties wire.
func (w *textWriter) drop() {
	w.wire = nil
	w.freeBlock()
}

// finish adds to wire what the format owes at its end.
func (w *textWriter) finish() error {
	if w.broken != nil {
		return nil
	}
	var tail [codec.FinishLen]byte
	n, status := w.enc.Finish(tail[:])
	if n > 0 {
		wire := make([]byte, 0, len(w.wire)+n)
		wire = append(wire, w.wire...)
		w.drop()
		w.wire = append(wire, tail[:n]...)
	}
	if status != codec.Truncated {
		return nil
	}
	e := unencodableError(w.format, w.off.Load()+int64(len(w.wire)), w.enc.Bad())
	e.Err = io.ErrUnexpectedEOF
	return e
}

// idle reports whether end would do nothing.
func (w *textWriter) idle() bool {
	return len(w.wire) == 0 && w.err == nil && !w.enc.Owes()
}

// end sends everything: what is buffered, and what the format owes.
func (w *textWriter) end() error {
	err := joinErrors(w.takeErr(), w.finish())
	return joinErrors(err, w.send())
}

// writeRaw implements the Write of Raw with w.mu held.
func (w *textWriter) writeRaw(p []byte) (int, error) {
	if err := w.end(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	return w.writeConn(p)
}

func validRune(b []byte) bool {
	r, size := utf8.DecodeRune(b)
	return size == len(b) && (r != utf8.RuneError || size > 1)
}
