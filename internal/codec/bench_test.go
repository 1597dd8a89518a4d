package codec

import (
	"strings"
	"testing"

	"golang.org/x/text/transform"
)

// The texts of the benchmarks, each repeated up to corpusSize.
var corpora = map[string]string{
	"ascii":    "2024-05-01T10:20:30Z host app[1234]: GET /index.html?q=plain+text 200 5123 \"-\" curl/8.5.0\n",
	"european": "Voilà une phrase française où les accents reviennent déjà souvent; über Größe müßte man nicht streiten.\n",
	"jmixed":   "2024-05-01 10:20:30 注文番号 A-1234 を受け付けました (status=200, 合計 5,123 円) ok\n",
	"jdense":   "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で泣いていた事だけは記憶している。\n",
	"j0212":    "丂丄丅丌丒丟丣两丨丫丮丯丰丵乀乁乄乇乑乚乜乣乨乩乴乵乹乿亍亖亗亝亯亹仃仐仚仛仠仡仢仨仯仱仳仵份仾仿伀伂伃伈伋伌伒伕伖众伙伮伱你伳伵\n",
	"emoji":    "😀😃😄😁😆😅🤣😂🙂🙃🫠😉😊😇🥰😍🤩😘😗😚😙🥲😋😛😜🤪😝🤑🤗🤭🫢🫣🤫🤔🫡🤐🤨😐😑😶\n",
	"cmixed":   "2024-05-01 10:20:30 订单编号 A-1234 已经收到 (status=200, 合计 5,123 元) ok\n",
	"cdense":   "学而时习之不亦说乎有朋自远方来不亦乐乎人不知而不愠不亦君子乎其为人也孝弟而好犯上者鲜矣不好犯上而好作乱者未之有也\n",
	"tmixed":   "2024-05-01 10:20:30 訂單編號 A-1234 已經收到 (status=200, 合計 5,123 元) ok\n",
	"tdense":   "學而時習之不亦說乎有朋自遠方來不亦樂乎人不知而不慍不亦君子乎其為人也孝弟而好犯上者鮮矣不好犯上而好作亂者未之有也\n",
	"kmixed":   "2024-05-01 10:20:30 주문 번호 A-1234 접수 되었습니다 (status=200, 합계 5,123 원) ok\n",
	"kdense":   "나라의 말이 중국과 달라 문자와 서로 통하지 아니하므로 어리석은 백성이 이르고자 하는 바가 있어도 마침내 제 뜻을 능히 펴지 못하는 사람이 많다\n",
}

const corpusSize = 1 << 20

var benchmarks = []struct {
	charset string
	texts   string
}{
	{"iso-8859-1", "ascii european"},
	{"windows-1252", "ascii european"},
	{"cp037", "ascii european"},
	{"utf-8", "ascii european jdense"},
	{"utf-16le", "ascii european jdense"},
	{"utf-16be", "ascii"},
	{"shift_jis", "ascii jmixed jdense"},
	{"euc-jp", "ascii jmixed jdense j0212"},
	{"iso-2022-jp", "ascii jmixed jdense"},
	{"gbk", "ascii cmixed cdense"},
	{"gb18030", "ascii cmixed cdense kdense emoji"},
	{"big5", "ascii tmixed tdense"},
	{"euc-kr", "ascii kmixed kdense"},
}

func eachBenchmark(b *testing.B, do func(b *testing.B, c *Charset, text []byte)) {
	for _, bm := range benchmarks {
		c := Lookup(bm.charset)
		for text := range strings.FieldsSeq(bm.texts) {
			s := corpora[text]
			corpus := []byte(strings.Repeat(s, corpusSize/len(s)))
			b.Run("enc="+c.Name+"/text="+text, func(b *testing.B) { do(b, c, corpus) })
		}
	}
}

const chunk = 64 << 10

func run(b *testing.B, src []byte, step func(src []byte) int) {
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		for rest := src; len(rest) > 0; {
			n := step(rest[:min(len(rest), chunk)])
			if n == 0 {
				break // a cut character at the very end
			}
			rest = rest[n:]
		}
	}
}

func transformer(t transform.Transformer, dst []byte) func([]byte) int {
	return func(src []byte) int {
		_, n, _ := t.Transform(dst, src, false)
		return n
	}
}

func BenchmarkDecode(b *testing.B) {
	dst := make([]byte, 4*chunk)
	eachBenchmark(b, func(b *testing.B, c *Charset, text []byte) {
		wire, err := inXText[c.Name].NewEncoder().Bytes(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("impl=xtext", func(b *testing.B) { run(b, wire, transformer(inXText[c.Name].NewDecoder(), dst)) })
		for name, f := range map[string]Format{"codec": {Charset: c, Strict: true}, "crlf": {Charset: c, Newline: CRLF}} {
			b.Run("impl="+name, func(b *testing.B) {
				d := new(Decoder)
				d.Init(f)
				run(b, wire, func(src []byte) int {
					_, n, _ := d.Decode(dst, src, false)
					return n
				})
			})
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	dst := make([]byte, 4*chunk)
	eachBenchmark(b, func(b *testing.B, c *Charset, text []byte) {
		b.Run("impl=xtext", func(b *testing.B) { run(b, text, transformer(inXText[c.Name].NewEncoder(), dst)) })
		for name, f := range map[string]Format{"codec": {Charset: c, Strict: true}, "crlf": {Charset: c, Newline: CRLF}} {
			b.Run("impl="+name, func(b *testing.B) {
				e := new(Encoder)
				e.Init(f)
				run(b, text, func(src []byte) int {
					_, n, _ := e.Encode(dst, src)
					return n
				})
			})
		}
	})
}
