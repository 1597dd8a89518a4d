package main

import (
	"bufio"
	"io"
	"net"
	"strings"

	"golang.org/x/text/transform"

	"github.com/iolib-go/sockets"
)

// texts are what goes through a connection in an external format, and back.
var texts = []struct{ format, name, line string }{
	{"iso-8859-1", "ascii", "2024-05-01T10:20:30Z host app[1234]: GET /index.html?q=plain+text 200 5123 \"-\" curl/8.5.0\n"},
	{"shift_jis", "mixed", "2024-05-01 10:20:30 注文番号 A-1234 を受け付けました (status=200, 合計 5,123 円) ok\n"},
	{"utf-16le", "dense", "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"},
}

// A textWay wraps a connection for a format, in both directions.
type textWay struct {
	name  string
	read  func(net.Conn, sockets.ExternalFormat) io.Reader
	write func(net.Conn, sockets.ExternalFormat) io.Writer
}

// The first has its own buffers of 4 KiB; the second has those of TextConn's
// length below them. The last one converts nothing.
var textWays = []textWay{
	{"x/text", func(c net.Conn, f sockets.ExternalFormat) io.Reader {
		return transform.NewReader(c, f.Encoding.NewDecoder())
	}, func(c net.Conn, f sockets.ExternalFormat) io.Writer {
		return transform.NewWriter(c, f.Encoding.NewEncoder())
	}},
	{"x/text over bufio", func(c net.Conn, f sockets.ExternalFormat) io.Reader {
		return transform.NewReader(bufio.NewReaderSize(c, 64<<10), f.Encoding.NewDecoder())
	}, func(c net.Conn, f sockets.ExternalFormat) io.Writer {
		buf := bufio.NewWriterSize(c, 64<<10)
		return flushingWriter{transform.NewWriter(buf, f.Encoding.NewEncoder()), buf}
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

// encodeLines returns the format and lines in it.
func encodeLines(format string, lines []byte) (sockets.ExternalFormat, []byte, error) {
	f, err := sockets.ParseFormat(format)
	if err != nil {
		return f, nil, err
	}
	wire, err := f.Encoding.NewEncoder().Bytes(lines)
	return f, wire, err
}

// textRead reads encoded lines; an operation is lines once.
func textRead(format string, lines []byte, way textWay) (func(int) (int, error), func(), error) {
	f, wire, err := encodeLines(format, lines)
	if err != nil {
		return nil, nil, err
	}
	c, s, err := networks[0].connected("tcp")
	if err != nil {
		return nil, nil, err
	}
	d := drain(way.read(s, f), 64<<10)
	return func(n int) (int, error) {
		return n, d.during(int64(n)*int64(len(lines)), func() error {
			for range n {
				if _, err := c.Write(wire); err != nil {
					return err
				}
			}
			return nil
		})
	}, func() { close(d.want); c.Close(); s.Close() }, nil
}

// textWrite is textRead in the other direction.
func textWrite(format string, lines []byte, way textWay) (func(int) (int, error), func(), error) {
	f, wire, err := encodeLines(format, lines)
	if err != nil {
		return nil, nil, err
	}
	c, s, err := networks[0].connected("tcp")
	if err != nil {
		return nil, nil, err
	}
	w, d := way.write(c, f), drain(s, 64<<10)
	return func(n int) (int, error) {
		return n, d.during(int64(n)*int64(len(wire)), func() error {
			for range n {
				if _, err := w.Write(lines); err != nil {
					return err
				}
			}
			return nil
		})
	}, func() { close(d.want); c.Close(); s.Close() }, nil
}
