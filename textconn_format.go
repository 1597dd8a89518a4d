package sockets

import (
	"fmt"
	"net"

	"github.com/iolib-go/sockets/internal/codec"
	"github.com/iolib-go/sockets/internal/sys"
)

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
