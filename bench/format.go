package main

import (
	"bufio"
	"io"
	"net"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/iolib-go/sockets"
)

// texts are what goes through a connection in an external format, and back.
var texts = []struct{ format, name, line string }{
	{"iso-8859-1", "ascii", "2024-05-01T10:20:30Z host app[1234]: GET /index.html?q=plain+text 200 5123 \"-\" curl/8.5.0\n"},
	{"shift_jis", "mixed", "2024-05-01 10:20:30 注文番号 A-1234 を受け付けました (status=200, 合計 5,123 円) ok\n"},
	{"utf-16le", "dense", "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"},
}

// xtext are the encodings of the formats as package golang.org/x/text has them: those of
// an ExternalFormat are of this package.
var xtext = map[string]encoding.Encoding{
	"iso-8859-1": charmap.ISO8859_1,
	"shift_jis":  japanese.ShiftJIS,
	"utf-16le":   unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
}

// A textWay wraps a connection for a format, in both directions.
type textWay struct {
	name  string
	read  func(net.Conn, sockets.ExternalFormat) io.Reader
	write func(net.Conn, sockets.ExternalFormat) io.Writer
}

// The first has its own buffers of 4 KiB; the second has larger ones below them.
var textWays = []textWay{
	{"x/text", func(c net.Conn, f sockets.ExternalFormat) io.Reader {
		return transform.NewReader(c, xtext[f.String()].NewDecoder())
	}, func(c net.Conn, f sockets.ExternalFormat) io.Writer {
		return transform.NewWriter(c, xtext[f.String()].NewEncoder())
	}},
	{"x/text over bufio", func(c net.Conn, f sockets.ExternalFormat) io.Reader {
		return transform.NewReader(bufio.NewReaderSize(c, 64<<10), xtext[f.String()].NewDecoder())
	}, func(c net.Conn, f sockets.ExternalFormat) io.Writer {
		buf := bufio.NewWriterSize(c, 64<<10)
		return flushingWriter{transform.NewWriter(buf, xtext[f.String()].NewEncoder()), buf}
	}},
	{"sockets", func(c net.Conn, f sockets.ExternalFormat) io.Reader {
		return sockets.WithFormat(c, f)
	}, func(c net.Conn, f sockets.ExternalFormat) io.Writer {
		return sockets.WithFormat(c, f)
	}},
}

// flushingWriter leaves nothing in the buffer, like the others.
type flushingWriter struct {
	io.Writer
	buf *bufio.Writer
}

func (w flushingWriter) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	if err != nil {
		return n, err
	}
	return n, w.buf.Flush()
}

func init() {
	for _, text := range texts {
		lines := []byte(strings.Repeat(text.line, 64<<10/len(text.line)))
		read := workload{name: "text/read/" + text.format + "/" + text.name, bytes: len(lines)}
		write := workload{name: "text/write/" + text.format + "/" + text.name, bytes: len(lines)}
		for _, way := range textWays {
			read.impls = append(read.impls, impl{way.name, func() (func(int) (int, error), func(), error) {
				return textRead(text.format, lines, way)
			}})
			write.impls = append(write.impls, impl{way.name, func() (func(int) (int, error), func(), error) {
				return textWrite(text.format, lines, way)
			}})
		}
		workloads = append(workloads, read, write)
	}
}

// textRead reads encoded lines; an operation is lines once.
func textRead(format string, lines []byte, way textWay) (func(int) (int, error), func(), error) {
	return textThrough(format, lines, func(c, s net.Conn, f sockets.ExternalFormat, wire []byte) (io.Writer, []byte, io.Reader, int) {
		return c, wire, way.read(s, f), len(lines)
	})
}

// textWrite is textRead in the other direction.
func textWrite(format string, lines []byte, way textWay) (func(int) (int, error), func(), error) {
	return textThrough(format, lines, func(c, s net.Conn, f sockets.ExternalFormat, wire []byte) (io.Writer, []byte, io.Reader, int) {
		return way.write(c, f), lines, s, len(wire)
	})
}

// textThrough writes to one end of a connection and reads from the other. ends
// tells what is written to what, and how much of that comes out where.
func textThrough(format string, lines []byte, ends func(c, s net.Conn, f sockets.ExternalFormat, wire []byte) (w io.Writer, in []byte, r io.Reader, out int)) (func(int) (int, error), func(), error) {
	f, err := sockets.ParseFormat(format)
	if err != nil {
		return nil, nil, err
	}
	wire, err := f.Encoding.NewEncoder().Bytes(lines)
	if err != nil {
		return nil, nil, err
	}
	c, s, err := networks[0].connected("tcp")
	if err != nil {
		return nil, nil, err
	}
	w, in, r, out := ends(c, s, f, wire)
	d := drain(r, 64<<10)
	return draining(d, out, func() error {
		_, err := w.Write(in)
		return err
	}), func() { close(d.want); c.Close(); s.Close() }, nil
}
