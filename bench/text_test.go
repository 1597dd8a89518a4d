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
	const lines = "plain, 注文番号 A-1234\n吾輩は猫である。\nvoilà\n"
	for format, encoding := range xtext {
		text := []byte(strings.Repeat(lines, 3000)) // more than fits in a buffer
		switch format {
		case "iso-8859-1":
			text = bytes.Repeat([]byte("voilà une phrase\n"), 9000)
		case "shift_jis":
			text = bytes.ReplaceAll(text, []byte("à"), []byte("a"))
		}
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
