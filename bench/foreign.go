package main

import (
	"io"
	"net"

	"github.com/iolib-go/sockets"
)

// A converter puts into dst what src is in another encoding, as much as it can. It says
// how much of both it used, and whether dst is full and there may be more.
type converter func(dst, src []byte) (nDst, nSrc int, full bool, err error)

// foreignWay wraps a connection for converters of a library that is not written in Go,
// with as much memory as goes through at once. open returns a converter between
// encodings by what the library calls them.
func foreignWay(name string, names map[string]string, open func(to, from string) (converter, error)) textWay {
	const utf8 = "UTF-8"
	return textWay{name, func(c net.Conn, f sockets.ExternalFormat) (io.Reader, error) {
		convert, err := open(utf8, names[f.String()])
		return &convertingReader{r: c, convert: convert, in: make([]byte, 64<<10)}, err
	}, func(c net.Conn, f sockets.ExternalFormat) (io.Writer, error) {
		convert, err := open(names[f.String()], utf8)
		return &convertingWriter{w: c, convert: convert, out: make([]byte, 64<<10)}, err
	}}
}

type convertingReader struct {
	r       io.Reader
	convert converter
	in      []byte
	at, end int // of in, what is not converted
	full    bool
}

func (r *convertingReader) Read(p []byte) (int, error) {
	for {
		if r.full || r.at < r.end {
			nDst, nSrc, full, err := r.convert(p, r.in[r.at:r.end])
			if r.at, r.full = r.at+nSrc, full; nDst > 0 || err != nil {
				return nDst, err
			}
		}
		r.end = copy(r.in, r.in[r.at:r.end]) // the beginning of a character, perhaps
		r.at = 0
		n, err := r.r.Read(r.in[r.end:])
		if r.end += n; n == 0 && err != nil {
			return 0, err
		}
	}
}

type convertingWriter struct {
	w       io.Writer
	convert converter
	out     []byte
	in      []byte // what was written and is not converted: the beginning of a character
}

func (w *convertingWriter) Write(p []byte) (int, error) {
	text := p
	if len(w.in) > 0 {
		text = append(w.in, p...)
	}
	for full := false; full || len(text) > 0; {
		var nDst, nSrc int
		var err error
		if nDst, nSrc, full, err = w.convert(w.out, text); err != nil {
			return 0, err
		}
		if text = text[nSrc:]; nDst == 0 && nSrc == 0 {
			break
		}
		if _, err := w.w.Write(w.out[:nDst]); err != nil {
			return 0, err
		}
	}
	w.in = append(w.in[:0], text...)
	return len(p), nil
}
