package sockets_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// A file in an external format.
func ExampleExternalFormat_NewReader() {
	format, err := sockets.ParseFormat("iso-8859-1,crlf")
	if err != nil {
		log.Fatal(err)
	}
	r := format.NewReader(strings.NewReader("Gr\xfc\xdfe\r\naus K\xf6ln\r\n"))
	if _, err := io.Copy(os.Stdout, r); err != nil {
		log.Fatal(err)
	}
	// Output:
	// Grüße
	// aus Köln
}

func ExampleExternalFormat_NewWriter() {
	format, err := sockets.ParseFormat("cp037,nel")
	if err != nil {
		log.Fatal(err)
	}
	var wire strings.Builder
	w := format.NewWriter(&wire)
	fmt.Fprintln(w, "HELLO")
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("% x\n", wire.String())
	// Output: c8 c5 d3 d3 d6 15
}

// A datagram or a field of a message is available as a whole.
func ExampleExternalFormat_AppendDecode() {
	format, err := sockets.ParseFormat("shift_jis,strict")
	if err != nil {
		log.Fatal(err)
	}
	text, err := format.AppendDecode(nil, []byte("\x93\xfa\x96\x7b"))
	fmt.Printf("%s %v\n", text, err)
	text, err = format.AppendDecode(text[:0], []byte("ok\x93"))
	fmt.Printf("%s %v\n", text, err)
	// Output:
	// 日本 <nil>
	// ok sockets: read shift_jis: unexpected EOF: 93 at offset 2
}

func ExampleExternalFormat_AppendEncode() {
	format, err := sockets.ParseFormat("iso-2022-jp")
	if err != nil {
		log.Fatal(err)
	}
	wire, err := format.AppendEncode(nil, []byte("日本"))
	fmt.Printf("%q %v\n", wire, err)
	// Output: "\x1b$BF|K\\\x1b(B" <nil>
}

// A message names its own encoding in its first segment, as in HL7.
func ExampleTextConn_ReadString() {
	client, server := net.Pipe()
	go func() {
		fmt.Fprint(client, "\x0bMSH|8859/1\rPID|M\xfcller\r\x1c\r")
		client.Close()
	}()

	ascii, err := sockets.ParseFormat("us-ascii")
	if err != nil {
		log.Fatal(err)
	}
	latin, err := sockets.ParseFormat("iso-8859-1")
	if err != nil {
		log.Fatal(err)
	}
	c := sockets.NewTextConn(server, ascii)
	defer c.Close()
	if _, err := c.Skip(1); err != nil { // the start of the block
		log.Fatal(err)
	}
	header, err := c.ReadString('\r')
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", header)
	if strings.Contains(header, "8859/1") {
		err = c.SetReadFormat(latin) // from the very next byte on
	}
	if err != nil {
		log.Fatal(err)
	}
	rest, err := c.ReadString('\x1c')
	fmt.Printf("%q %v %v\n", rest, err, c.ReadFormat())
	// Output:
	// "MSH|8859/1\r"
	// "PID|Müller\r\x1c" <nil> iso-8859-1
}

// A peer sends Shift_JIS with one damaged byte.
func ExampleTextConn_Skip() {
	client, server := net.Pipe()
	go func() {
		fmt.Fprint(client, "abc\x83\nfine")
		client.Close()
	}()

	format, err := sockets.ParseFormat("shift_jis,strict")
	if err != nil {
		log.Fatal(err)
	}
	c := sockets.NewTextConn(server, format)
	defer c.Close()
	for {
		text, err := io.ReadAll(c)
		fmt.Printf("%q %v\n", text, err)
		var bad *sockets.FormatError
		if !errors.As(err, &bad) {
			break
		}
		if _, err := c.Skip(len(bad.Bytes)); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// "abc" sockets: read shift_jis: malformed input: 83 at offset 3
	// "\nfine" <nil>
}

func ExampleWithFormat() {
	here, there := net.Pipe()
	f, err := sockets.ParseFormat("cp1047,nel") // EBCDIC, as z/OS ends lines
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		c := sockets.WithFormat(here, f)
		fmt.Fprintf(c, "HELLO\n")
		c.Close()
	}()
	wire, err := io.ReadAll(there)
	fmt.Printf("% X %v\n", wire, err)
	// Output: C8 C5 D3 D3 D6 15 <nil>
}

func ExampleParseFormat() {
	f, err := sockets.ParseFormat("MS932, CRLF")
	fmt.Println(f, err)
	_, err = sockets.ParseFormat("shift_jsi")
	fmt.Println(err)
	// Output:
	// shift_jis,crlf <nil>
	// sockets: parse: unknown encoding (nearest: shift_jis): "shift_jsi" at offset 0
}

func ExampleTextConn_Raw() {
	here, there := net.Pipe()
	go func() {
		there.Write([]byte("length: 3\r\n\x00\xff\x01done\r\n"))
		there.Close()
	}()
	c := sockets.NewTextConn(here, sockets.ExternalFormat{Encoding: conntest.MustEncoding("us-ascii"), Newline: sockets.NewlineCRLF})
	var n int
	if _, err := fmt.Fscanf(c, "length: %d\n", &n); err != nil {
		log.Fatal(err)
	}
	bytes := make([]byte, n)
	if _, err := io.ReadFull(c.Raw(), bytes); err != nil {
		log.Fatal(err)
	}
	rest, err := io.ReadAll(c)
	fmt.Printf("%d % x %q %v\n", n, bytes, rest, err)
	// Output: 3 00 ff 01 "done\n" <nil>
}
