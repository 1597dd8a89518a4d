package text

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"net/textproto"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

func listenLocal(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	l.(*net.TCPListener).SetDeadline(time.Now().Add(5 * time.Minute)) // the peer may fail to come
	return l
}

func hexOf(s string) string { return hex.EncodeToString([]byte(s)) }

// python starts testdata/peer.py, which connects to l. The result waits for
// its end and returns what it printed, in hexadecimal.
func python(t *testing.T, l net.Listener, mode, codec, newline, text string) (result func() string) {
	t.Helper()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	cmd := exec.Command(socktest.NeedProgram(t, "python3"), "testdata/peer.py", port, mode, codec, hexOf(newline), hexOf(text))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	finished := false
	t.Cleanup(func() {
		if !finished {
			cmd.Process.Kill()
			<-done
		}
	})
	return func() string {
		t.Helper()
		err := <-done
		finished = true
		if err != nil {
			t.Fatalf("peer: %v\n%s", err, &stderr)
		}
		out, err := hex.DecodeString(stdout.String())
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
}

// accept returns the peer's connection in format f.
func accept(t *testing.T, l net.Listener, f string) *sockets.TextConn {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	tc := sockets.NewTextConn(c, conntest.Format(t, f))
	t.Cleanup(func() { tc.Close() })
	tc.SetDeadline(time.Now().Add(5 * time.Minute))
	return tc
}

var newlines = map[string]string{"lf": "\n", "cr": "\r", "crlf": "\r\n", "nel": "\u0085"}

// peerTexts says which encoding of ours is which of Python's and of iconv's,
// and what all of them can write.
var peerTexts = []struct{ format, python, iconv, text string }{
	{"shift_jis,crlf,strict", "cp932", "CP932", "こんにちは、世界 ①ﾊﾝｶｸ\n表示~\n"},
	{"euc-jp,lf,strict", "euc_jp", "EUC-JP", "こんにちは、世界 ﾊﾝｶｸ 丂\nABC\n"},
	{"iso-2022-jp,crlf,strict", "iso2022_jp", "ISO-2022-JP", "日本語 text 混在\n二行目\n"},
	{"gbk,crlf,strict", "gbk", "GBK", "你好，世界\n简体中文\n"},
	{"gb18030,cr,strict", "gb18030", "GB18030", "你好 😀 ㄱ\u0e01\nÄ𠀀\n"},
	{"hz-gb-2312,lf,strict", "hz", "", "中国 ~ text\n你好\n"},
	{"big5,crlf,strict", "big5", "BIG5", "你好，世界\n繁體中文\n"},
	{"euc-kr,lf,strict", "cp949", "UHC", "안녕하세요 세계\n똠방각하\n"},
	{"cp037,nel,strict", "cp037", "IBM037", "Grüße, ça va\nA-Z {}[]\n"},
	{"cp1140,lf,strict", "cp1140", "IBM1140", "5 € für Äpfel\nok\n"},
	{"cp1047,nel,strict", "", "IBM1047", "Grüße [x]\nA-Z\n"},
	{"windows-1252,crlf,strict", "cp1252", "CP1252", "naïve “quotes” €\nok\n"},
	{"iso-8859-15,lf,strict", "iso8859_15", "ISO-8859-15", "cœur €\nok\n"},
	{"koi8-u,crlf,strict", "koi8_u", "KOI8-U", "Привіт, світе\nїґ\n"},
	{"windows-1251,cr,strict", "cp1251", "CP1251", "Привет, мир\nъ\n"},
	{"iso-8859-7,lf,strict", "iso8859_7", "ISO-8859-7", "Γειά σου Κόσμε\n"},
	{"windows-874,lf,strict", "cp874", "CP874", "สวัสดีชาวโลก\n"},
	{"cp437,crlf,strict", "cp437", "IBM437", "┌─┐ Ω≈ç\n"},
	{"macintosh,cr,strict", "mac_roman", "MACINTOSH", "naïve Œuvre\n"},
	{"utf-16,crlf,strict", "utf-16", "UTF-16", "日本語 😀 é\nok\n"},
	{"utf-16le,nel,strict", "utf-16-le", "UTF-16LE", "日本語 😀 é\nok\n"},
	{"utf-16be,lf,strict", "utf-16-be", "UTF-16BE", "日本語 😀 é\nok\n"},
	{"utf-32,crlf,strict", "utf-32", "UTF-32", "日本語 😀 é\nok\n"},
	{"utf-32le,cr,strict", "utf-32-le", "UTF-32LE", "日本語 😀 é\nok\n"},
	{"utf-8-sig,crlf,strict", "utf-8-sig", "", "日本語 😀 é\nok\n"},
	{"utf-8,crlf,strict", "utf-8", "UTF-8", "日本語 😀 é\nok\n"},
	{"us-ascii,crlf,strict", "ascii", "ASCII", "plain\ntext\n"},
}

func newlineOf(f string) string { return newlines[strings.Split(f, ",")[1]] }

func TestPythonReadsAndWritesTheSame(t *testing.T) {
	for _, tt := range peerTexts {
		if tt.python == "" {
			continue
		}
		t.Run(tt.format, func(t *testing.T) {
			t.Parallel()
			l := listenLocal(t)
			result := python(t, l, "echo", tt.python, newlineOf(tt.format), tt.text)
			c := accept(t, l, tt.format)
			conntest.MustWrite(t, c, tt.text)
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(c)
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tt.text+tt.text, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			result()
		})
	}
}

func TestIconvReadsAndWritesTheSame(t *testing.T) {
	iconv := socktest.NeedProgram(t, "iconv")
	for _, tt := range peerTexts {
		if tt.iconv == "" {
			continue
		}
		t.Run(tt.format, func(t *testing.T) {
			t.Parallel()
			wire := strings.ReplaceAll(tt.text, "\n", newlineOf(tt.format))
			l := listenLocal(t)
			dialled, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer dialled.Close()
			c := accept(t, l, tt.format)
			socket, err := dialled.(*net.TCPConn).File()
			if err != nil {
				t.Fatal(err)
			}
			defer socket.Close()

			// iconv's standard output and input are the socket.
			write := exec.Command(iconv, "-f", "UTF-8", "-t", tt.iconv)
			write.Stdin, write.Stdout = strings.NewReader(wire), socket
			if err := write.Run(); err != nil {
				t.Fatal(err)
			}
			if err := dialled.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(c)
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tt.text, string(got)); diff != "" {
				t.Errorf("from iconv (-want +got):\n%s", diff)
			}

			conntest.MustWrite(t, c, tt.text)
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			read := exec.Command(iconv, "-f", tt.iconv, "-t", "UTF-8")
			read.Stdin = socket
			back, err := read.Output()
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(wire, string(back)); diff != "" {
				t.Errorf("to iconv (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBufioScannerOverTextConn(t *testing.T) {
	l := listenLocal(t)
	result := python(t, l, "tell", "cp932", "\r\n", "一行目\n二行目 ABC\n\n四行目\n")
	c := accept(t, l, "shift_jis,crlf,strict")
	var got []string
	for s := bufio.NewScanner(c); s.Scan(); {
		got = append(got, s.Text())
	}
	if diff := cmp.Diff([]string{"一行目", "二行目 ABC", "", "四行目"}, got); diff != "" {
		t.Error(diff)
	}
	fmt.Fprintf(c, "%d行\n", len(got))
	c.CloseWrite()
	if got := result(); got != "4行\n" {
		t.Errorf("the peer got %q", got)
	}
}

func TestTextprotoOverTextConn(t *testing.T) {
	l := listenLocal(t)
	result := python(t, l, "tell", "euc_jp", "\r\n", "220-ようこそ\n220 どうぞ\nSubject: 件名\nX-Name: 名前\n\n..本文\n.\n")
	c := accept(t, l, "euc-jp,crlf,strict")
	tp := textproto.NewConn(c)
	_, message, err := tp.ReadResponse(220)
	if err != nil || message != "ようこそ\nどうぞ" {
		t.Errorf("%q, %v", message, err)
	}
	header, err := tp.ReadMIMEHeader()
	if err != nil || header.Get("subject") != "件名" || header.Get("X-Name") != "名前" {
		t.Errorf("%q, %v", header, err)
	}
	body, err := tp.ReadDotLines()
	if err != nil || len(body) != 1 || body[0] != ".本文" {
		t.Errorf("%q, %v", body, err)
	}
	if err := tp.PrintfLine("250 %s", "了解"); err != nil {
		t.Error(err)
	}
	c.CloseWrite()
	if got := result(); got != "250 了解\n" {
		t.Errorf("the peer got %q", got)
	}
}

func TestSMTPOverTextConn(t *testing.T) {
	for _, tt := range []struct{ format, python string }{
		{"utf-16le,crlf,strict", "utf-16-le"}, {"shift_jis,crlf,strict", "cp932"}, {"iso-2022-jp,crlf,strict", "iso2022_jp"},
	} {
		t.Run(tt.format, func(t *testing.T) {
			message := "Subject: 会議\n\n.本文は\nこれです\n"
			l := listenLocal(t)
			result := python(t, l, "smtp", tt.python, "\r\n", strings.TrimSuffix(message, "\n"))
			client, err := smtp.NewClient(accept(t, l, tt.format), "localhost")
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range []func() error{
				func() error { return client.Hello("client") },
				func() error { return client.Mail("a@example.org") },
				func() error { return client.Rcpt("b@example.org") },
				func() error {
					w, err := client.Data()
					if err != nil {
						return err
					}
					if _, err := io.WriteString(w, message); err != nil {
						return err
					}
					return w.Close()
				},
				client.Quit,
			} {
				if err := step(); err != nil {
					t.Fatal(err)
				}
			}
			result()
		})
	}
}

func TestJSONOverTextConn(t *testing.T) {
	l := listenLocal(t)
	result := python(t, l, "tell", "utf-16", "\n", `{"名": "値😀", "n": [1, 2]}`+"\n"+`{"名": "二つ目"}`+"\n")
	c := accept(t, l, "utf-16,strict")
	dec := json.NewDecoder(c)
	var names []string
	for {
		var v map[string]any
		err := dec.Decode(&v)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, v["名"].(string))
	}
	if diff := cmp.Diff([]string{"値😀", "二つ目"}, names); diff != "" {
		t.Error(diff)
	}
	if err := json.NewEncoder(c).Encode(map[string]string{"答": "é"}); err != nil {
		t.Error(err)
	}
	c.CloseWrite()
	if got := result(); got != "{\"答\":\"é\"}\n" {
		t.Errorf("the peer got %q", got)
	}
}

func TestCSVOverTextConn(t *testing.T) {
	l := listenLocal(t)
	result := python(t, l, "tell", "gb18030", "\r\n", "名称,\"数量,\n单位\"\n苹果,\"3\"\n")
	c := accept(t, l, "gb18030,crlf,strict")
	got, err := csv.NewReader(c).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"名称", "数量,\n单位"}, {"苹果", "3"}}, got); diff != "" {
		t.Error(diff)
	}
	w := csv.NewWriter(c)
	w.UseCRLF = true // the text's own "\r\n" is one line end
	if err := w.WriteAll([][]string{{"合计", "a b", "三,四"}}); err != nil {
		t.Error(err)
	}
	c.CloseWrite()
	if got := result(); got != "合计,a b,\"三,四\"\n" {
		t.Errorf("the peer got %q", got)
	}
}

func TestTemplateOverTextConn(t *testing.T) {
	l := listenLocal(t)
	result := python(t, l, "tell", "cp1140", "\u0085", "Straße\n")
	c := accept(t, l, "cp1140,nel,strict")
	name, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := template.Must(template.New("").Parse("An: {{.}}Preis: 5 €\n")).Execute(c, string(name)); err != nil {
		t.Error(err)
	}
	c.CloseWrite()
	if got := result(); got != "An: Straße\nPreis: 5 €\n" {
		t.Errorf("the peer got %q", got)
	}
}

// textListener puts a format on what it accepts.
type textListener struct {
	net.Listener
	format sockets.ExternalFormat
}

func (l textListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return sockets.WithFormat(c, l.format), nil
}

func TestHTTPOverTextConn(t *testing.T) {
	for _, tt := range []struct{ format, python, newline, name string }{
		{"cp037,nel", "cp037", "\u0085", "Jürgen"},
		{"utf-16,crlf,strict", "utf-16", "\r\n", "世界😀"},
		{"shift_jis,crlf,strict", "cp932", "\r\n", "世界"},
	} {
		t.Run(tt.format, func(t *testing.T) {
			l := listenLocal(t)
			served := make(chan string, 1)
			srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				served <- fmt.Sprintf("%s %s %q %v", r.Method, r.URL, body, err)
				fmt.Fprintf(w, "Hello, %s!\n", body)
			})}
			go srv.Serve(textListener{l, conntest.Format(t, tt.format)})
			defer srv.Close()
			// HTTP counts the bytes of the text, which the peer knows.
			request := fmt.Sprintf("POST /greet HTTP/1.1\nHost: x\nConnection: close\nContent-Length: %d\n\n%s", len(tt.name), tt.name)
			result := python(t, l, "http", tt.python, tt.newline, request)
			response := result()
			if want := fmt.Sprintf("POST /greet %q <nil>", tt.name); <-served != want {
				t.Errorf("want %s", want)
			}
			if !strings.HasPrefix(response, "HTTP/1.1 200 OK\n") || !strings.HasSuffix(response, "\n\nHello, "+tt.name+"!\n") {
				t.Errorf("the peer got %q", response)
			}
		})
	}
}
