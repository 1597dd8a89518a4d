package thirdparty_test

import (
	"bufio"
	"log/syslog"
	"strings"
	"testing"
)

// TestSyslog receives what log/syslog sends. Its sending side is net's own, as
// the package dials by itself.
func TestSyslog(t *testing.T) {
	check := func(t *testing.T, line string) {
		t.Helper()
		if !strings.HasPrefix(line, "<14>") || !strings.HasSuffix(line, " hello\n") {
			t.Errorf("received %q", line)
		}
	}
	send := func(t *testing.T, network, address string) {
		t.Helper()
		w, err := syslog.Dial(network, address, syslog.LOG_USER|syslog.LOG_INFO, "test")
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if err := w.Info("hello"); err != nil {
			t.Fatal(err)
		}
	}
	for _, network := range []string{"udp", "unixgram"} {
		t.Run(network, func(t *testing.T) {
			c := listenPacket(t, network)
			send(t, network, c.LocalAddr().String())
			b := make([]byte, 1024)
			n, _, err := c.ReadFrom(b)
			if err != nil {
				t.Fatal(err)
			}
			check(t, string(b[:n]))
		})
	}
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			l := listen(t, network)
			send(t, network, l.Addr().String())
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			line, err := bufio.NewReader(c).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			check(t, line)
		})
	}
}
