package sockets_test

import (
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"golang.org/x/text/encoding/charmap"
)

// TestTelnet has a server answer an option and both sides exchange text with
// the byte FF (rule 39).
func TestTelnet(t *testing.T) {
	client, server, err := sockets.Pair("unix")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c := sockets.NewTextConn(server, sockets.ExternalFormat{Encoding: charmap.ISO8859_1, Newline: sockets.NewlineNVT, Strict: true})
	defer c.Close()
	var got []sockets.TelnetCommand
	c.SetCommandFunc(func(cmd sockets.TelnetCommand) {
		cmd.Data = append([]byte(nil), cmd.Data...)
		got = append(got, cmd)
		if cmd.Code == sockets.TelnetDO {
			if err := c.SendCommand(sockets.TelnetCommand{Code: sockets.TelnetWONT, Option: cmd.Option}); err != nil {
				t.Error(err)
			}
		}
	})
	if _, err := client.Write([]byte("\xff\xfd\x01lo\xff\xffgin\r\xff\xf1\n\xff\xfa\x18\x00vt\xff\xff\xff\xf0")); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(c)
	if diff := cmp.Diff("loÿgin\n", string(text)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	want := []sockets.TelnetCommand{{Code: sockets.TelnetDO, Option: 1}, {Code: 241}, {Code: sockets.TelnetSB, Option: 24, Data: []byte("\x00vt\xff")}}
	if diff := cmp.Diff(want, got, cmp.Transformer("nil", func(b []byte) string { return string(b) })); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	if _, err := io.WriteString(c, "ÿ\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	wire, err := io.ReadAll(client)
	if diff := cmp.Diff("\xff\xfc\x01\xff\xff\r\n", string(wire)); diff != "" || err != nil {
		t.Errorf("%v: the client received (-want +got):\n%s", err, diff)
	}
	for _, bad := range []sockets.TelnetCommand{{}, {Code: 240}, {Code: 255}, {Code: 241, Option: 1}, {Code: sockets.TelnetDO, Data: []byte{1}}} {
		var arg *sockets.ArgumentError
		if err := c.SendCommand(bad); !errors.As(err, &arg) || arg.Arg != "cmd" {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
