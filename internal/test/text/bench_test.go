package text

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"golang.org/x/text/transform"
)

// benchTexts are what the benchmarks move, by encoding.
var benchTexts = []struct{ format, name, text string }{
	{"iso-8859-1", "ascii", asciiLine},
	{"iso-8859-1", "european", "Voilà une phrase française où les accents reviennent déjà souvent; über Größe müßte man nicht streiten.\n"},
	{"shift_jis", "ascii", asciiLine},
	{"shift_jis", "mixed", "2024-05-01 10:20:30 注文番号 A-1234 を受け付けました (status=200, 合計 5,123 円) ok\n"},
	{"shift_jis", "dense", "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"},
	{"gb18030", "dense", "学而时习之不亦说乎有朋自远方来不亦乐乎人不知而不愠不亦君子乎\n"},
	{"euc-kr", "dense", "나라의 말이 중국과 달라 문자와 서로 통하지 아니하므로\n"},
	{"iso-2022-jp", "mixed", "2024-05-01 10:20:30 注文番号 A-1234 を受け付けました\n"},
	{"cp037", "ascii", asciiLine},
	{"utf-16le", "ascii", asciiLine},
	{"utf-16le", "dense", "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"},
	{"utf-8,strict", "dense", "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"},
}

const (
	asciiLine = "2024-05-01T10:20:30Z host app[1234]: GET /index.html?q=plain+text 200 5123 \"-\" curl/8.5.0\n"
	benchSize = 64 << 10
)

// BenchmarkTextConnRead reads a stream that does not end; MB/s are of wire bytes.
func BenchmarkTextConnRead(b *testing.B) {
	for _, bt := range benchTexts {
		f := conntest.Format(b, bt.format)
		wire, err := f.Encoding.NewEncoder().Bytes([]byte(strings.Repeat(bt.text, benchSize/len(bt.text))))
		if err != nil {
			b.Fatal(err)
		}
		for _, impl := range []struct {
			name string
			wrap func(c net.Conn) io.Reader
		}{
			{"net", func(c net.Conn) io.Reader { return c }},
			{"transform", func(c net.Conn) io.Reader { return transform.NewReader(c, f.Encoding.NewDecoder()) }},
			{"textconn", func(c net.Conn) io.Reader { return sockets.NewTextConn(c, f) }},
		} {
			b.Run("enc="+bt.format+"/text="+bt.name+"/impl="+impl.name, func(b *testing.B) {
				near, far := conntest.StreamPair(b, "net", "tcp")
				go func() {
					for {
						if _, err := far.Write(wire); err != nil {
							return
						}
					}
				}()
				r := impl.wrap(near)
				p := make([]byte, benchSize)
				want := len(wire) // on the wire, by what one block comes to
				text := len(bt.text) * (benchSize / len(bt.text))
				if impl.name == "net" {
					text = want
				}
				b.SetBytes(int64(want))
				b.ReportAllocs()
				for b.Loop() {
					for n := 0; n < text; {
						k, err := r.Read(p)
						if err != nil {
							b.Fatal(err)
						}
						n += k
					}
				}
			})
		}
	}
}

// BenchmarkTextConnWrite writes blocks of 64 KiB of text; MB/s are of text.
func BenchmarkTextConnWrite(b *testing.B) {
	for _, bt := range benchTexts {
		f := conntest.Format(b, bt.format)
		text := bytes.Repeat([]byte(bt.text), benchSize/len(bt.text))
		for _, impl := range []struct {
			name string
			wrap func(c net.Conn) io.Writer
		}{
			{"net", func(c net.Conn) io.Writer { return c }},
			{"transform", func(c net.Conn) io.Writer { return transform.NewWriter(c, f.Encoding.NewEncoder()) }},
			{"textconn", func(c net.Conn) io.Writer { return sockets.NewTextConn(c, f) }},
		} {
			b.Run("enc="+bt.format+"/text="+bt.name+"/impl="+impl.name, func(b *testing.B) {
				near, far := conntest.StreamPair(b, "net", "tcp")
				go io.Copy(discard{}, far)
				w := impl.wrap(near)
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := w.Write(text); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// discard hides io.Discard's ReadFrom, which would read in 8 KiB pieces.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
