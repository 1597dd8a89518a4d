package main

import (
	"bufio"
	"bytes"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/iolib-go/sockets"
)

// texts are what goes through a connection in an external format, and back: a line, or a
// file of real prose in the directory textsEnv that bench/texts.sh has filled.
var texts = []struct{ format, name, line, file string }{
	{"iso-8859-1", "log", "2024-05-01T10:20:30Z host app[1234]: GET /index.html?q=plain+text 200 5123 \"-\" curl/8.5.0\n", ""},
	{"iso-8859-1", "French", "", "fr.txt"},
	{"shift_jis", "log", "2024-05-01 10:20:30 注文番号 A-1234 を受け付けました (status=200, 合計 5,123 円) ok\n", ""},
	{"shift_jis", "Japanese", "", "ja.txt"},
	{"gb18030", "Chinese", "", "zh_CN.txt"},
	{"utf-16le", "line", "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n", ""},
	{"utf-16le", "Japanese", "", "ja.txt"},
}

const textsEnv = "SOCKETS_TEXTS"

// xtext are the encodings of the formats as package golang.org/x/text has them: those of
// an ExternalFormat are of this package.
var xtext = map[string]encoding.Encoding{
	"iso-8859-1": charmap.ISO8859_1,
	"shift_jis":  japanese.ShiftJIS,
	"gb18030":    simplifiedchinese.GB18030,
	"utf-16le":   unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
}

// A textWay wraps a connection for a format, in both directions.
type textWay struct {
	name  string
	read  func(net.Conn, sockets.ExternalFormat) (io.Reader, error)
	write func(net.Conn, sockets.ExternalFormat) (io.Writer, error)
}

// The first has its own buffers of 4 KiB; the second has larger ones below them.
var textWays = slices.Concat([]textWay{
	{"x/text", func(c net.Conn, f sockets.ExternalFormat) (io.Reader, error) {
		return transform.NewReader(c, xtext[f.String()].NewDecoder()), nil
	}, func(c net.Conn, f sockets.ExternalFormat) (io.Writer, error) {
		return transform.NewWriter(c, xtext[f.String()].NewEncoder()), nil
	}},
	{"x/text over bufio", func(c net.Conn, f sockets.ExternalFormat) (io.Reader, error) {
		return transform.NewReader(bufio.NewReaderSize(c, 64<<10), xtext[f.String()].NewDecoder()), nil
	}, func(c net.Conn, f sockets.ExternalFormat) (io.Writer, error) {
		buf := bufio.NewWriterSize(c, 64<<10)
		return flushingWriter{transform.NewWriter(buf, xtext[f.String()].NewEncoder()), buf}, nil
	}},
}, iconvWays, icuWays, []textWay{
	{"sockets", func(c net.Conn, f sockets.ExternalFormat) (io.Reader, error) {
		return sockets.WithFormat(c, f), nil
	}, func(c net.Conn, f sockets.ExternalFormat) (io.Writer, error) {
		return sockets.WithFormat(c, f), nil
	}},
})

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
		lines := []byte(strings.Repeat(text.line, textSize/max(len(text.line), 1)))
		if text.file != "" {
			dir := os.Getenv(textsEnv)
			if dir == "" {
				continue
			}
			prose, err := os.ReadFile(filepath.Join(dir, text.file))
			if err != nil {
				log.Fatal(err)
			}
			lines = encodable(prose, xtext[text.format])
		}
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

// textSize is about how long a text is.
const textSize = 64 << 10

// encodable returns as many lines of prose as make up textSize that e has all characters
// of.
func encodable(prose []byte, e encoding.Encoding) (lines []byte) {
	for line := range bytes.Lines(prose) {
		if _, err := e.NewEncoder().Bytes(line); err == nil && len(lines)+len(line) <= textSize {
			lines = append(lines, line...)
		}
	}
	return lines
}

// textRead reads encoded lines; an operation is lines once.
func textRead(format string, lines []byte, way textWay) (func(int) (int, error), func(), error) {
	return textThrough(format, lines, func(c, s net.Conn, f sockets.ExternalFormat, wire []byte) (io.Writer, []byte, io.Reader, int, error) {
		r, err := way.read(s, f)
		return c, wire, r, len(lines), err
	})
}

// textWrite is textRead in the other direction.
func textWrite(format string, lines []byte, way textWay) (func(int) (int, error), func(), error) {
	return textThrough(format, lines, func(c, s net.Conn, f sockets.ExternalFormat, wire []byte) (io.Writer, []byte, io.Reader, int, error) {
		w, err := way.write(c, f)
		return w, lines, s, len(wire), err
	})
}

// textThrough writes to one end of a connection and reads from the other. ends
// tells what is written to what, and how much of that comes out where.
func textThrough(format string, lines []byte, ends func(c, s net.Conn, f sockets.ExternalFormat, wire []byte) (w io.Writer, in []byte, r io.Reader, out int, err error)) (func(int) (int, error), func(), error) {
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
	w, in, r, out, err := ends(c, s, f, wire)
	if err != nil {
		c.Close()
		s.Close()
		return nil, nil, err
	}
	d := drain(r, 64<<10)
	return draining(d, out, func() error {
		_, err := w.Write(in)
		return err
	}), func() { close(d.want); c.Close(); s.Close() }, nil
}
