package sockets_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

func TestRegisterEncodingRefusesNamesThatDoNotParse(t *testing.T) {
	for _, name := range []string{"", "a b", "a,b", "a\rb", "\u00a0x", "x\u3000", "-", "a\tb", "x\u2028"} {
		if err := sockets.RegisterEncoding(name, encoding.Nop); err == nil {
			t.Errorf("%q is registered", name)
		}
	}
}

func TestParseFormat(t *testing.T) {
	utf16 := unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	tests := []struct {
		text string
		want sockets.ExternalFormat
		back string
	}{
		{"shift_jis,crlf", sockets.ExternalFormat{Encoding: japanese.ShiftJIS, Newline: sockets.NewlineCRLF}, "shift_jis,crlf"},
		{"cp037,nel,strict", sockets.ExternalFormat{Encoding: charmap.CodePage037, Newline: sockets.NewlineNEL, Strict: true}, "cp037,nel,strict"},
		{"utf-8", sockets.ExternalFormat{Encoding: unicode.UTF8}, "utf-8"},
		{"bytes", sockets.ExternalFormat{}, "bytes"},
		{" IBM-037 , STRICT , NEL ", sockets.ExternalFormat{Encoding: charmap.CodePage037, Newline: sockets.NewlineNEL, Strict: true}, "cp037,nel,strict"},
		{"UTF16,replace,any", sockets.ExternalFormat{Encoding: utf16, Newline: sockets.NewlineAny}, "utf-16,any"},
		{"iso-8859-1", sockets.ExternalFormat{Encoding: charmap.ISO8859_1}, "iso-8859-1"},
		{"latin-9,cr", sockets.ExternalFormat{Encoding: charmap.ISO8859_15, Newline: sockets.NewlineCR}, "iso-8859-15,cr"},
		{"ascii,nvt", sockets.ExternalFormat{Encoding: conntest.MustEncoding("us-ascii"), Newline: sockets.NewlineNVT}, "us-ascii,nvt"},
	}
	for _, tt := range tests {
		for _, f := range []sockets.ExternalFormat{conntest.Format(t, tt.text), tt.want} {
			if diff := cmp.Diff(tt.back, f.String()); diff != "" {
				t.Errorf("%q (-want +got):\n%s", tt.text, diff)
			}
		}
		// Now that x/text's value is in use, its name is the one of that value.
		for _, text := range []string{tt.text, tt.back} {
			if got, err := sockets.ParseFormat(text); err != nil || got != tt.want {
				t.Errorf("%q: %v, %v", text, got, err)
			}
		}
	}
}

func TestParseFormatErrors(t *testing.T) {
	tests := []struct {
		text   string
		reason error
		offset int64
		bytes  string
		says   string
	}{
		{"utf-9", sockets.ErrUnknownEncoding, 0, "utf-9", "nearest: utf-8"},
		{"shiftjs,crlf", sockets.ErrUnknownEncoding, 0, "shiftjs", "nearest: shift_jis"},
		{"", sockets.ErrUnknownEncoding, 0, "", "unknown encoding"},
		{"crlf", sockets.ErrUnknownEncoding, 0, "crlf", "unknown encoding"},
		{"utf-8,", sockets.ErrFormatOption, 6, "", "want one of"},
		{"utf-8,dos", sockets.ErrFormatOption, 6, "dos", "want one of"},
		{"utf-8,crlf,lf", sockets.ErrFormatOption, 11, "lf", "crlf was given before"},
		{"utf-8,strict,crlf,replace", sockets.ErrFormatOption, 18, "replace", "strict was given before"},
		{"shift_jis,nel", sockets.ErrFormatOption, 10, "nel", "no U+0085"},
		{"bytes,nel", sockets.ErrFormatOption, 6, "nel", "no U+0085"},
	}
	for _, tt := range tests {
		f, err := sockets.ParseFormat(tt.text)
		if f != (sockets.ExternalFormat{}) {
			t.Errorf("%q: %v", tt.text, f)
		}
		conntest.WantFormatError(t, err, "parse", tt.offset, tt.bytes, tt.reason)
		if !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: %q does not say %q", tt.text, err, tt.says)
		}
	}
}

func TestEncodingNamesParse(t *testing.T) {
	names := sockets.EncodingNames()
	if len(names) < 60 || !slices.IsSorted(names) {
		t.Errorf("%d names: %q", len(names), names)
	}
	for _, name := range names {
		for _, option := range []string{"", ",crlf", ",any,strict", ",strict"} {
			f, err := sockets.ParseFormat(name + option)
			if err != nil {
				t.Error(err)
			} else if f.String() != name+option {
				t.Errorf("%s%s prints as %s", name, option, f)
			}
			if f.Encoding == nil && name != "bytes" {
				t.Errorf("%s has no encoding", name)
			}
		}
	}
}

func TestFormatErrorIsANetError(t *testing.T) {
	var err error = &sockets.FormatError{Op: "read", Err: sockets.ErrMalformed}
	var ne interface {
		error
		Timeout() bool
		Temporary() bool
	}
	if !errors.As(err, &ne) || ne.Timeout() || ne.Temporary() {
		t.Error("it must be a net.Error that is not a timeout")
	}
}

func FuzzParseFormat(f *testing.F) {
	for _, s := range []string{"shift_jis,crlf", "cp037,nel,strict", "utf-16le", "utf-9", ",", "bytes,replace,any"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := sockets.ParseFormat(s)
		if err != nil {
			var fe *sockets.FormatError
			if !errors.As(err, &fe) || fe.Op != "parse" || fe.Error() == "" {
				t.Fatalf("%q: %v", s, err)
			}
			if at := int(fe.Offset); at > len(s) || !strings.HasPrefix(s[at:], string(fe.Bytes)) {
				t.Fatalf("%q: %q is not at %d", s, fe.Bytes, at)
			}
			return
		}
		back, err := sockets.ParseFormat(got.String())
		if err != nil || back != got {
			t.Fatalf("%q is %v and back %v, %v", s, got, back, err)
		}
	})
}
