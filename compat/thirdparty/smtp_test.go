package thirdparty_test

import (
	"crypto/tls"
	"io"
	"net/smtp"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	net "github.com/iolib-go/sockets/compat"
)

// TestSMTP sends a mail after switching to TLS, with net/smtp on one side and
// net/textproto on the other.
func TestSMTP(t *testing.T) {
	serverConfig, clientConfig := tlsConfigs(t)
	l := listen(t, "tcp")
	mail := make(chan []string, 1)
	inBackground(t, func() error {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		defer c.Close()
		lines, err := receiveMail(c, serverConfig)
		if err != nil {
			t.Error(err)
		}
		mail <- lines
		return err
	})

	client, err := smtp.NewClient(dial(t, l.Addr()), "server.test")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.StartTLS(clientConfig); err != nil {
		t.Fatal(err)
	}
	if err := client.Mail("a@client.test"); err != nil {
		t.Fatal(err)
	}
	if err := client.Rcpt("b@server.test"); err != nil {
		t.Fatal(err)
	}
	body, err := client.Data()
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 70)
	if _, err := io.WriteString(body, strings.Repeat(line+"\n", 1000)+".\n"); err != nil {
		t.Fatal(err)
	}
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.Quit(); err != nil {
		t.Fatal(err)
	}
	want := append(slices.Repeat([]string{line}, 1000), ".")
	if diff := cmp.Diff(want, <-mail); diff != "" {
		t.Errorf("mail mismatch (-want +got):\n%s", diff)
	}
}

// receiveMail plays the server and returns the lines of one mail.
func receiveMail(c net.Conn, config *tls.Config) (mail []string, err error) {
	text := textproto.NewConn(c)
	if err := text.PrintfLine("220 server.test"); err != nil {
		return nil, err
	}
	for {
		line, err := text.ReadLine()
		if err != nil {
			return nil, err
		}
		reply := "250 ok"
		command, _, _ := strings.Cut(line, " ")
		switch command {
		case "EHLO":
			reply = "250-server.test\r\n250 STARTTLS"
		case "STARTTLS":
			reply = "220 go ahead"
		case "DATA":
			reply = "354 go ahead"
		case "QUIT":
			reply = "221 bye"
		}
		if err := text.PrintfLine("%s", reply); err != nil {
			return nil, err
		}
		switch command {
		case "STARTTLS":
			text = textproto.NewConn(tls.Server(c, config))
		case "DATA":
			if mail, err = text.ReadDotLines(); err != nil {
				return nil, err
			}
			if err := text.PrintfLine("250 ok"); err != nil {
				return nil, err
			}
		case "QUIT":
			return mail, nil
		}
	}
}
