package thirdparty_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/ipv4"

	net "github.com/iolib-go/sockets/compat"
)

// TestXNetPacketConn shows the limit of x/net that docs/limits.md tells of, and
// that ReadBatch, which it recommends, gives the same and more.
func TestXNetPacketConn(t *testing.T) {
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	ours(t, server)
	conn := ipv4.NewPacketConn(server)
	if err := conn.SetControlMessage(ipv4.FlagDst|ipv4.FlagTTL, true); err != nil {
		t.Fatal(err)
	}
	var op *net.OpError
	if _, _, _, err := conn.ReadFrom(make([]byte, 100)); !errors.As(err, &op) || op.Err.Error() != "invalid conn type" {
		t.Errorf("ReadFrom: %v; docs/limits.md says that it fails", err)
	}

	client := ipv4.NewPacketConn(listenPacket(t, "udp4"))
	var out []ipv4.Message
	var want []string
	for _, text := range []string{"one", "two", "three"} {
		out = append(out, ipv4.Message{Buffers: [][]byte{[]byte(text)}, Addr: server.LocalAddr()})
		want = append(want, text+" to 127.0.0.1")
	}
	if n, err := client.WriteBatch(out, 0); n != len(out) || err != nil {
		t.Fatalf("WriteBatch: %d, %v", n, err)
	}
	var got []string
	for len(got) < len(want) {
		in := make([]ipv4.Message, len(want))
		for i := range in {
			in[i] = ipv4.Message{Buffers: [][]byte{make([]byte, 100)}, OOB: ipv4.NewControlMessage(ipv4.FlagDst | ipv4.FlagTTL)}
		}
		n, err := conn.ReadBatch(in, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range in[:n] {
			var cm ipv4.ControlMessage
			if err := cm.Parse(m.OOB[:m.NN]); err != nil {
				t.Fatal(err)
			}
			got = append(got, string(m.Buffers[0][:m.N])+" to "+cm.Dst.String())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages mismatch (-want +got):\n%s", diff)
	}
}
