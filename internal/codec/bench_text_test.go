//go:build unix

package codec

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// textBenchmarks are encodings with the texts that bench/texts.sh installs. A
// name with "+crlf" has lines that end so.
var textBenchmarks = []struct{ charset, texts string }{
	{"utf-8", "en de fr ru el he ar th ja ko zh_CN en+crlf lines+crlf"},
	{"utf-16le", "en fr ru el he ja ko zh_CN lines+crlf"},
	{"utf-16be", "ru he"},
	{"utf-32le", "en ru ja"},
	{"windows-1251", "ru"},
	{"windows-1252", "en fr lines+crlf"},
	{"windows-1253", "el"},
	{"windows-1255", "he"},
	{"windows-1256", "ar"},
	{"cp037", "en fr"},
	{"shift_jis", "ja lines+crlf"},
	{"euc-jp", "ja"},
	{"iso-2022-jp", "ja"},
	{"gbk", "zh_CN"},
	{"gb18030", "zh_CN ko"},
	{"big5", "zh_TW"},
	{"euc-kr", "ko"},
}

// cpuTime is the processor time of the process.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// readText returns text that the charset has, or skips the benchmark.
func readText(b *testing.B, c *Charset, name string) []byte {
	dir := os.Getenv("SOCKETS_TEXTS")
	if dir == "" {
		b.Skip("SOCKETS_TEXTS is not set; bench/texts.sh fills a directory")
	}
	name, _, _ = strings.Cut(name, "+")
	var text []byte
	if name == "lines" {
		text = []byte(strings.Repeat(strings.Repeat("0123456789", 5)+"\n", 5000))
	} else {
		var err error
		if text, err = os.ReadFile(filepath.Join(dir, name+".txt")); err != nil {
			b.Fatal(err)
		}
	}
	var e Encoder
	e.Init(Format{Charset: c, Strict: true})
	kept := text[:0]
	for len(text) > 0 {
		dst := make([]byte, 4*len(text)+maxRune)
		_, n, status := e.Encode(dst, text)
		kept = append(kept, text[:n]...)
		text = text[n:]
		if status == Malformed {
			text = text[len(e.Bad()):]
		}
	}
	return kept
}

// BenchmarkText reports GB/s of UTF-8 text by processor time, which other
// processes disturb less.
func BenchmarkText(b *testing.B) {
	for _, bm := range textBenchmarks {
		c := Lookup(bm.charset)
		for name := range strings.FieldsSeq(bm.texts) {
			f := Format{Charset: c, Strict: true}
			if strings.HasSuffix(name, "+crlf") {
				f.Newline = CRLF
			}
			for _, op := range []string{"decode", "encode"} {
				for _, impl := range []string{"codec", "xtext"} {
					if impl == "xtext" && f.Newline != LF {
						continue
					}
					b.Run("enc="+c.Name+"/text="+name+"/op="+op+"/impl="+impl, func(b *testing.B) {
						text := readText(b, c, name)
						src, step := textStep(b, f, text, op, impl)
						before := cpuTime()
						n := 0
						for b.Loop() {
							n++
							for rest := src; len(rest) > 0; {
								k := step(rest[:min(len(rest), chunk)])
								if k == 0 {
									break
								}
								rest = rest[k:]
							}
						}
						b.ReportMetric(float64(n)*float64(len(text))/float64(cpuTime()-before), "GB/cpu-s")
					})
				}
			}
		}
	}
}

func textStep(b *testing.B, f Format, text []byte, op, impl string) (src []byte, step func([]byte) int) {
	wire := []byte(write(f, [][]byte{text}, 1<<20).Text)
	dst := make([]byte, 6*chunk)
	switch {
	case op == "decode" && impl == "codec":
		d := new(Decoder)
		d.Init(f)
		return wire, func(src []byte) int {
			_, n, _ := d.Decode(dst, src, false)
			return n
		}
	case op == "encode" && impl == "codec":
		e := new(Encoder)
		e.Init(f)
		return text, func(src []byte) int {
			_, n, _ := e.Encode(dst, src)
			return n
		}
	case op == "decode":
		return wire, transformer(inXText[f.Charset.Name].NewDecoder(), dst)
	}
	return text, transformer(inXText[f.Charset.Name].NewEncoder(), dst)
}
