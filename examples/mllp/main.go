// Mllp receives HL7 version 2 messages over MLLP, as hospitals exchange them. Each message
// names its character set in MSH-18, so it is known only once the first segment has been
// read.
//
//	mllp -listen 127.0.0.1:2575
//
// It prints the segments as UTF-8 and acknowledges each message in its own character set.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/examples/internal/cli"
)

// A message is between these, and its segments end in CR.
const (
	startBlock = "\x0b"
	endBlock   = "\x1c\r"
)

// charsets are names of HL7 table 0211 and what they are called here.
var charsets = map[string]string{
	"": "us-ascii", "ASCII": "us-ascii", "UNICODE UTF-8": "utf-8", "ISO IR87": "iso-2022-jp", "GB 18030-2000": "gb18030",
	"KS X 1001": "euc-kr", "CNS 11643-1992": "big5", "8859/1": "iso-8859-1", "8859/2": "iso-8859-2", "8859/5": "iso-8859-5",
	"8859/6": "iso-8859-6", "8859/7": "iso-8859-7", "8859/8": "iso-8859-8", "8859/9": "iso-8859-9", "8859/15": "iso-8859-15",
}

func main() {
	address := flag.String("listen", "127.0.0.1:2575", "`address` to listen on")
	cli.Parse("[flags]\n\nReceives HL7 messages, each in its own character set, and prints them as UTF-8.")
	l, err := sockets.Listen("tcp", *address)
	cli.Check(err)
	fmt.Println("listening on", l.Addr())
	for {
		c, err := l.Accept()
		cli.Check(err)
		go func() {
			defer c.Close()
			if err := serve(c, os.Stdout); err != nil {
				fmt.Fprintln(os.Stderr, c.RemoteAddr(), err)
			}
		}()
	}
}

// serve receives messages until the peer ends the connection between two of them.
func serve(c net.Conn, out io.Writer) error {
	ascii, err := sockets.ParseFormat("us-ascii")
	if err != nil {
		return err
	}
	text := sockets.NewTextConn(c, ascii)
	for {
		text.SetReadDeadline(time.Now().Add(time.Minute)) // limits how much a peer can make us keep
		if err := text.SetReadFormat(ascii); err != nil {
			return err
		}
		switch start, err := text.ReadString(startBlock[0]); {
		case err == io.EOF && start == "":
			return nil
		case err != nil:
			return err
		case start != startBlock:
			return fmt.Errorf("unexpected %q before a message", start)
		}
		// Nothing after this segment has been decoded yet.
		header, err := text.ReadString('\r')
		if err != nil {
			return err
		}
		format, err := formatOf(header)
		if err != nil {
			return err
		}
		if err := errors.Join(text.SetReadFormat(format), text.SetWriteFormat(format)); err != nil {
			return err
		}
		rest, err := text.ReadString(endBlock[0])
		if err != nil {
			return err
		}
		if _, err := text.Skip(len(endBlock) - 1); err != nil {
			return err
		}
		message := header + strings.TrimSuffix(rest, endBlock[:1])
		fmt.Fprint(out, strings.ReplaceAll(message, "\r", "\n"))
		if _, err := io.WriteString(text, acknowledge(header)); err != nil {
			return err
		}
	}
}

// fields returns those of the first segment: MSH-n is fields[n-1], as the separator is MSH-1.
func fields(header string) []string {
	if len(header) < 4 || !strings.HasPrefix(header, "MSH") {
		return nil
	}
	f := strings.Split(strings.TrimSuffix(header, "\r"), header[3:4])
	return append(f, make([]string, max(0, 18-len(f)))...)
}

func formatOf(header string) (sockets.ExternalFormat, error) {
	f := fields(header)
	if f == nil {
		return sockets.ExternalFormat{}, fmt.Errorf("not an HL7 message: %q", header)
	}
	name, ok := charsets[f[17]]
	if !ok {
		return sockets.ExternalFormat{}, fmt.Errorf("unknown character set %q", f[17])
	}
	return sockets.ParseFormat(name)
}

// acknowledge returns the answer to the message with this header.
func acknowledge(header string) string {
	f := fields(header)
	id, charset := f[9], f[17]
	return fmt.Sprintf("%sMSH|^~\\&|%s|%s|%s|%s|||ACK|%s|P|2.5||||||%s\rMSA|AA|%s\r%s",
		startBlock, f[4], f[5], f[2], f[3], id, charset, id, endBlock)
}
