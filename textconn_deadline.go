package sockets

import (
	"net"
	"sync"
	"time"
)

// textDeadlines are the deadlines of a TextConn. They are those of the
// connection under it, except while a Read sends what is buffered: then the
// deadline of Read bounds the writing, too.
type textDeadlines struct {
	mu          sync.Mutex
	conn        net.Conn
	read, write time.Time // the user's
	closing     time.Time // Close's limit for writing
	flushing    bool      // on behalf of a Read
}

// set sets the user's deadline of reading, of writing, or of both.
func (d *textDeadlines) set(t time.Time, read, write bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if read {
		d.read = t
	}
	if write {
		d.write = t
	}
	if w := d.ofWriting(); read && write && !w.Equal(t) {
		return joinErrors(d.conn.SetReadDeadline(t), d.conn.SetWriteDeadline(w))
	}
	switch {
	case read && write:
		return d.conn.SetDeadline(t)
	case write:
		return d.conn.SetWriteDeadline(d.ofWriting())
	case d.flushing:
		return joinErrors(d.conn.SetReadDeadline(t), d.conn.SetWriteDeadline(d.ofWriting()))
	}
	return d.conn.SetReadDeadline(t)
}

// limit bounds all writing from now on, whatever the user sets.
func (d *textDeadlines) limit(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.ofWriting()
	d.closing = t
	if t = d.ofWriting(); t.Equal(before) {
		return nil
	}
	return d.conn.SetWriteDeadline(t)
}

// ofWriting returns the deadline that the writing of the connection has.
func (d *textDeadlines) ofWriting() time.Time {
	t := earlier(d.write, d.closing)
	if d.flushing {
		t = earlier(t, d.read)
	}
	return t
}

// earlier returns the earlier of two deadlines, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// flush calls send on behalf of a Read, unless the deadline of that is over.
func (d *textDeadlines) flush(send func() error) error {
	if !d.begin() {
		return nil
	}
	defer d.end()
	return send()
}

// begin reports false if the deadline of Read is over. Even to try would be
// the end of a tls.Conn, which does not survive a write that is cut.
func (d *textDeadlines) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.read.IsZero() && !d.read.After(time.Now()) {
		return false
	}
	before := d.ofWriting()
	d.flushing = true
	if t := d.ofWriting(); !t.Equal(before) {
		d.conn.SetWriteDeadline(t)
	}
	return true
}

func (d *textDeadlines) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	during := d.ofWriting()
	d.flushing = false
	if t := d.ofWriting(); !t.Equal(during) {
		d.conn.SetWriteDeadline(t)
	}
}
