package sockets

import (
	"io"
)

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
