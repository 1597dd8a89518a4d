package thirdparty_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	net "github.com/iolib-go/sockets/compat"
)

func TestDNS(t *testing.T) {
	for _, network := range []string{"udp", "tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			server := &dns.Server{Handler: dns.HandlerFunc(answer), UDPSize: dns.DefaultMsgSize}
			var addr net.Addr
			if network == "udp" {
				server.PacketConn = listenPacket(t, network)
				addr = server.PacketConn.LocalAddr()
			} else {
				server.Listener = listen(t, network)
				addr = server.Listener.Addr()
			}
			started := make(chan struct{})
			server.NotifyStartedFunc = func() { close(started) }
			inBackground(t, server.ActivateAndServe)
			<-started
			t.Cleanup(func() {
				if err := server.Shutdown(); err != nil {
					t.Error(err)
				}
			})

			client := &dns.Client{UDPSize: dns.DefaultMsgSize}
			conn := &dns.Conn{Conn: dial(t, addr), UDPSize: client.UDPSize}
			for i := range 20 {
				// Up to 1.5 KB, which is more than DNS sends over UDP by default.
				want := strings.Split(strings.Repeat(fmt.Sprintf("word%d.", i), 10*i+1)+"end", ".")
				req := new(dns.Msg).SetQuestion("text.test.", dns.TypeTXT)
				req.Extra = append(req.Extra, &dns.TXT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeTXT}, Txt: want})
				resp, _, err := client.ExchangeWithConnContext(within(t), req, conn)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, resp.Answer[0].(*dns.TXT).Txt); diff != "" {
					t.Errorf("text mismatch (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// answer gives back the text that came along with the question.
func answer(w dns.ResponseWriter, req *dns.Msg) {
	resp := new(dns.Msg).SetReply(req)
	resp.Answer = append(resp.Answer, req.Extra[0])
	w.WriteMsg(resp)
}
