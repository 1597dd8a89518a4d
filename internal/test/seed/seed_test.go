//go:build linux

package seed

import (
	"testing"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// A seedRow is a keyword of an operator of IOLib, the library this one comes from.
type seedRow struct {
	operator, keyword string // the keyword is empty for the operator as such
	do                func(t *testing.T)
}

// TestSeed does once what each operator and keyword of IOLib is for. docs/iolib.md has
// the same table.
func TestSeed(t *testing.T) {
	for _, row := range seedRows {
		name := row.operator
		if row.keyword != "" {
			name += "/" + row.keyword
		}
		t.Run(name, row.do)
	}
}

var seedRows = []seedRow{
	{"make-socket", ":address-family", seedAddressFamily},
	{"make-socket", ":type", seedType},
	{"make-socket", ":protocol", seedProtocol},
	{"make-socket", ":connect", seedActivePassive},
	{"make-socket", ":ipv6", seedIPv6},
	{"make-socket", ":local-host", seedLocalHostPort},
	{"make-socket", ":local-port", seedLocalHostPort},
	{"make-socket", ":remote-host", seedRemoteHostPort},
	{"make-socket", ":remote-port", seedRemoteHostPort},
	{"make-socket", ":local-filename", seedFilenames},
	{"make-socket", ":remote-filename", seedFilenames},
	{"make-socket", ":backlog", seedBacklog},
	{"make-socket", ":reuse-address", func(t *testing.T) { seedOption(t, sockopt.ReuseAddr, true) }},
	{"make-socket", ":keepalive", func(t *testing.T) { seedOption(t, sockopt.KeepAlive, false) }},
	{"make-socket", ":nodelay", func(t *testing.T) { seedOption(t, sockopt.NoDelay, false) }},
	{"make-socket", ":interface", func(t *testing.T) {
		socktest.NeedOption(t, "SO_BINDTODEVICE")
		seedOption(t, sockopt.BindToDevice, "lo")
	}},
	{"make-socket", ":broadcast", func(t *testing.T) { seedOption(t, sockopt.Broadcast, true) }},
	{"make-socket", ":external-format", seedSocketFormat},
	{"make-socket", ":input-buffer-size", seedInputBuffer["make-socket"]},
	{"make-socket", ":output-buffer-size", seedOutputBuffer["make-socket"]},
	{"with-open-socket", "", seedWithOpenSocket},
	{"with-accept-connection", "", seedWithAcceptConnection},
	{"make-socket-from-fd", ":dup", seedFDDup},
	{"make-socket-from-fd", ":connect", seedFDConnect},
	{"make-socket-from-fd", ":external-format", seedFDFormat},
	{"make-socket-from-fd", ":input-buffer-size", seedInputBuffer["make-socket-from-fd"]},
	{"make-socket-from-fd", ":output-buffer-size", seedOutputBuffer["make-socket-from-fd"]},
	{"make-socket-pair", ":type", seedPairType},
	{"make-socket-pair", ":protocol", seedPairProtocol},
	{"make-socket-pair", ":external-format", seedPairFormat},
	{"make-socket-pair", ":input-buffer-size", seedInputBuffer["make-socket-pair"]},
	{"make-socket-pair", ":output-buffer-size", seedOutputBuffer["make-socket-pair"]},
	{"send-to", ":start", seedSendToPart},
	{"send-to", ":end", seedSendToPart},
	{"send-to", ":remote-host", seedSendToHostPort},
	{"send-to", ":remote-port", seedSendToHostPort},
	{"send-to", ":remote-filename", seedSendToFilename},
	{"send-to", ":ipv6", seedSendToIPv6},
	{"send-to", ":flags", seedSendToFlags},
	{"send-to", ":dont-route", func(t *testing.T) { seedSendFlag(t, sockets.MsgDontRoute) }},
	{"send-to", ":dont-wait", seedSendDontWait},
	{"send-to", ":out-of-band", seedOutOfBand},
	{"send-to", ":more", seedMore},
	{"send-to", ":confirm", func(t *testing.T) { seedSendFlag(t, sockets.MsgConfirm) }},
	{"receive-from", ":buffer", seedReceiveBuffer},
	{"receive-from", ":size", seedReceiveBuffer},
	{"receive-from", ":start", seedReceivePart},
	{"receive-from", ":end", seedReceivePart},
	{"receive-from", ":flags", seedReceiveFlags},
	{"receive-from", ":out-of-band", seedOutOfBand},
	{"receive-from", ":peek", seedPeek},
	{"receive-from", ":wait-all", seedWaitAll},
	{"receive-from", ":dont-wait", seedReceiveDontWait},
	{"bind-address", ":port", seedBindPort},
	{"bind-address", ":reuse-address", seedBindReuseAddress},
	{"listen-on", ":backlog", seedListenBacklog},
	{"accept-connection", ":wait", seedAcceptWait},
	{"accept-connection", ":timeout", seedAcceptTimeout},
	{"accept-connection", ":external-format", seedAcceptFormat},
	{"accept-connection", ":input-buffer-size", seedInputBuffer["accept-connection"]},
	{"accept-connection", ":output-buffer-size", seedOutputBuffer["accept-connection"]},
	{"connect", ":port", seedConnectPort},
	{"connect", ":wait", seedConnectWait},
	{"connect", ":timeout", seedConnectTimeout},
	{"disconnect", "", seedDisconnect},
	{"shutdown", ":read", seedShutdownRead},
	{"shutdown", ":write", seedShutdownWrite},
	{"send-file-descriptor", "", seedDescriptor},
	{"receive-file-descriptor", "", seedDescriptor},
}

var (
	_ conntest.Messenger = (*sockets.TCPConn)(nil)
	_ conntest.Messenger = (*sockets.UDPConn)(nil)
	_ conntest.Messenger = (*sockets.IPConn)(nil)
	_ conntest.Messenger = (*sockets.UnixConn)(nil)
	_ conntest.Messenger = (*sockets.StreamConn)(nil)
	_ conntest.Messenger = (*sockets.PacketConn)(nil)
)
