package main

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/iolib-go/sockets"
)

// texts are what goes through a connection in an external format, and back: prose in a
// language, as texts.sh has it. Where a format is slow, or was, its row is here.
var texts = []struct{ format, lang string }{
	{"cp037", "en"},
	{"euc-kr", "ko"},
	{"gb18030", "zh_CN"},
	{"iso-8859-1", "en"},
	{"iso-8859-1", "fr"},
	{"shift_jis", "ja"},
	{"utf-16le", "ja"},
	{"utf-16le", "ru"},
	{"utf-8,strict", "fr"},
	{"utf-8,strict", "ja"},
	{"utf-8,strict", "ru"},
	{"windows-1251", "ru"},
}

// xtext are the encodings of the formats as package golang.org/x/text has them: those of
// an ExternalFormat are of this package.
var xtext = map[string]encoding.Encoding{
	"cp037":        charmap.CodePage037,
	"euc-kr":       korean.EUCKR,
	"gb18030":      simplifiedchinese.GB18030,
	"iso-8859-1":   charmap.ISO8859_1,
	"shift_jis":    japanese.ShiftJIS,
	"utf-16le":     unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
	"utf-8,strict": strictUTF8{},
	"windows-1251": charmap.Windows1251,
}

// strictUTF8 is UTF-8 that refuses what is malformed: that of x/text replaces it.
type strictUTF8 struct{}

func (strictUTF8) NewDecoder() *encoding.Decoder {
	return &encoding.Decoder{Transformer: encoding.UTF8Validator}
}

func (strictUTF8) NewEncoder() *encoding.Encoder {
	return &encoding.Encoder{Transformer: encoding.UTF8Validator}
}

// textSize is how much of a text an operation takes, and textBlock how much of that a
// Write: a text that is short comes again and again, and processors learn it.
const (
	textSize  = 256 << 10
	textBlock = 64 << 10
)

// readText returns the middle of a text in dir, without the characters that enc lacks.
func readText(dir, lang string, enc encoding.Encoding) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dir, lang+".txt"))
	if err != nil {
		return nil, err
	}
	has := make(map[rune]bool)
	kept := strings.Map(func(r rune) rune {
		ok, known := has[r]
		if !known {
			_, err := enc.NewEncoder().String(string(r))
			ok = err == nil
			has[r] = ok
		}
		if !ok {
			return -1
		}
		return r
	}, string(b))
	if rest := len(kept) - textSize; rest > 0 {
		kept = kept[rest/2:][:textSize]
	}
	return []byte(strings.ToValidUTF8(kept, "")), nil
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

// textWorkloads are the workloads of text, which is in dir.
func textWorkloads(dir string) ([]workload, error) {
	var all []workload
	for _, text := range texts {
		prose, err := readText(dir, text.lang, xtext[text.format])
		if err != nil {
			return nil, err
		}
		format, _, _ := strings.Cut(text.format, ",")
		read := workload{name: "text/read/" + format + "/" + text.lang, bytes: len(prose)}
		write := workload{name: "text/write/" + format + "/" + text.lang, bytes: len(prose)}
		for _, way := range textWays {
			read.impls = append(read.impls, impl{way.name, func() (func(int) (int, error), func(), error) {
				return textRead(text.format, prose, way)
			}})
			write.impls = append(write.impls, impl{way.name, func() (func(int) (int, error), func(), error) {
				return textWrite(text.format, prose, way)
			}})
		}
		all = append(all, read, write)
	}
	return all, nil
}

// textRead reads an encoded text; an operation is all of it once.
func textRead(format string, text []byte, way textWay) (func(int) (int, error), func(), error) {
	return textThrough(format, text, func(c, s net.Conn, f sockets.ExternalFormat, wire []byte) (io.Writer, []byte, io.Reader, int, error) {
		r, err := way.read(s, f)
		return c, wire, r, len(text), err
	})
}

// textWrite is textRead in the other direction.
func textWrite(format string, text []byte, way textWay) (func(int) (int, error), func(), error) {
	return textThrough(format, text, func(c, s net.Conn, f sockets.ExternalFormat, wire []byte) (io.Writer, []byte, io.Reader, int, error) {
		w, err := way.write(c, f)
		return w, text, s, len(wire), err
	})
}

// textThrough writes to one end of a connection and reads from the other. ends
// tells what is written to what, and how much of that comes out where.
func textThrough(format string, text []byte, ends func(c, s net.Conn, f sockets.ExternalFormat, wire []byte) (w io.Writer, in []byte, r io.Reader, out int, err error)) (func(int) (int, error), func(), error) {
	f, err := sockets.ParseFormat(format)
	if err != nil {
		return nil, nil, err
	}
	wire, err := f.AppendEncode(nil, text)
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
	d := drain(r, textBlock)
	return draining(d, out, func() error {
		for block := range slices.Chunk(in, textBlock) {
			if _, err := w.Write(block); err != nil {
				return err
			}
		}
		return nil
	}), func() { close(d.want); c.Close(); s.Close() }, nil
}
