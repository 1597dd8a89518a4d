package main

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
)

// All ways convert to the same, also where what is read ends within a character.
func TestTextWays(t *testing.T) {
	some := map[string]string{
		"cp037": "plain text in a row, ", "euc-kr": "plain, 나라의 말이 중국과 달라 문자와\n", "gb18030": "plain, 学而时习之不亦说乎 𠀀\n",
		"iso-8859-1": "voilà une phrase\n", "shift_jis": "plain, 注文番号 A-1234\n吾輩は猫である。\n", "utf-16le": "plain, voilà 吾輩は猫である。 𠀀\n",
		"utf-8,strict": "plain, voilà 吾輩は猫である。 𠀀\n", "windows-1251": "plain, русский текст\n",
	}
	for format, encoding := range xtext {
		text := []byte(strings.Repeat(some[format], 256<<10/len(some[format]))) // more than fits in a buffer
		wire, err := encoding.NewEncoder().Bytes(text)
		if err != nil {
			t.Fatal(err)
		}
		f, err := sockets.ParseFormat(format)
		if err != nil {
			t.Fatal(err)
		}
		for _, way := range textWays {
			t.Run(way.name+" "+format, func(t *testing.T) {
				near, far := ends(t)
				w, err := way.write(near, f)
				if err != nil {
					t.Fatal(err)
				}
				done := make(chan error, 1)
				go func() {
					_, err := w.Write(text)
					near.Close()
					done <- err
				}()
				got, err := io.ReadAll(far)
				if err != nil || !bytes.Equal(got, wire) {
					t.Errorf("wrote %d bytes of %d, other ones perhaps: %v", len(got), len(wire), err)
				}
				if err := <-done; err != nil {
					t.Error(err)
				}

				near, far = ends(t)
				r, err := way.read(far, f)
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					for odd := wire; len(odd) > 0; {
						n, err := near.Write(odd[:min(4097, len(odd))])
						if err != nil {
							break
						}
						odd = odd[n:]
					}
					near.Close()
				}()
				if got, err = io.ReadAll(r); err != nil || !bytes.Equal(got, text) {
					t.Errorf("read %d bytes of %d, other ones perhaps: %v", len(got), len(text), err)
				}
			})
		}
	}
}

func ends(t *testing.T) (near, far net.Conn) {
	t.Helper()
	near, far, err := networks[0].connected("tcp")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{near, far} {
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(time.Minute))
	}
	return near, far
}
