package sockets_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/nettest"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// The types of this package stand in for net's: each has all methods of its
// namesake with the same signatures, and beyond these only the ones named here.
// Libraries find out what a connection can do by asking for methods, so that a
// method too many is as wrong as one too few.
func TestMethodSets(t *testing.T) {
	messages := []string{"ReceiveFrom", "SendTo"}
	segments := []string{"ReadMsgSegments", "ReadSegments", "WriteMsgSegments", "WriteSegments"}
	batches := []string{"ReadBatch", "WriteBatch"}
	buffers := []string{"ReadBuffers", "WriteBuffers"}
	descriptors := []string{"ReceiveCred", "ReceiveFD", "ReceiveFDs", "ReceiveRawFDs", "ReceiveSocket", "SendCred", "SendFD", "SendFDs", "SendRawFDs"}
	peer := []string{"Connect", "Disconnect"}
	tests := []struct {
		ours, nets any
		extra      []string
	}{
		{new(sockets.TCPConn), new(net.TCPConn), slices.Concat(messages, buffers)},
		{new(sockets.UDPConn), new(net.UDPConn), slices.Concat(messages, batches, segments, peer, []string{"ReadErrorQueue", "SetOffload", "JoinGroup", "LeaveGroup", "JoinSourceSpecificGroup", "LeaveSourceSpecificGroup", "ExcludeSourceSpecificGroup", "IncludeSourceSpecificGroup", "ReceiveFromAddrPort", "SendToAddrPort"})},
		{new(sockets.IPConn), new(net.IPConn), slices.Concat(messages, batches, peer)},
		{new(sockets.UnixConn), new(net.UnixConn), slices.Concat(messages, batches, buffers, descriptors, peer)},
		{new(sockets.TCPListener), new(net.TCPListener), []string{"AcceptWith"}},
		{new(sockets.UnixListener), new(net.UnixListener), []string{"AcceptWith", "LeavePath"}},
		{new(sockets.Dialer), new(net.Dialer), []string{"DialAddrs"}},
		{new(sockets.ListenConfig), new(net.ListenConfig), []string{"Adopt", "ListenGroup", "ListenPacketGroup"}},
	}
	for _, tt := range tests {
		ours, nets := reflect.TypeOf(tt.ours), reflect.TypeOf(tt.nets)
		t.Run(ours.Elem().Name(), func(t *testing.T) {
			for m := range nets.Methods() {
				own, ok := ours.MethodByName(m.Name)
				if !ok {
					t.Errorf("no method %s", m.Name)
					continue
				}
				if diff := cmp.Diff(signature(m.Type), signature(own.Type)); diff != "" {
					t.Errorf("%s (-net +sockets):\n%s", m.Name, diff)
				}
			}
			for m := range ours.Methods() {
				if _, ok := nets.MethodByName(m.Name); !ok && !slices.Contains(tt.extra, m.Name) {
					t.Errorf("method %s is neither net's nor promised", m.Name)
				}
			}
		})
	}
}

// signature is a method's type without the receiver, with this package's types
// under net's names.
func signature(m reflect.Type) (sig struct{ In, Out []string }) {
	for i := 1; i < m.NumIn(); i++ {
		sig.In = append(sig.In, netName(m.In(i)))
	}
	for i := range m.NumOut() {
		sig.Out = append(sig.Out, netName(m.Out(i)))
	}
	return sig
}

func netName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		return "*" + netName(t.Elem())
	}
	if t.PkgPath() == reflect.TypeFor[sockets.TCPConn]().PkgPath() {
		return "net." + t.Name()
	}
	return t.String()
}

// The options structs have net's fields, and those promised beyond them.
func TestFields(t *testing.T) {
	tests := []struct {
		ours, nets any
		extra      []string
	}{
		{sockets.Dialer{}, net.Dialer{}, []string{"Options", "Format", "InputBufferSize", "OutputBufferSize", "Offload", "NetNS"}},
		{sockets.ListenConfig{}, net.ListenConfig{}, []string{"Backlog", "GroupOnly", "NetNS", "Options", "PacketInfo", "ReplaceStale", "UnixMode", "UnixOwner", "Format", "InputBufferSize", "OutputBufferSize", "Offload"}},
	}
	for _, tt := range tests {
		ours, nets := reflect.TypeOf(tt.ours), reflect.TypeOf(tt.nets)
		t.Run(ours.Name(), func(t *testing.T) {
			for f := range nets.Fields() {
				own, ok := ours.FieldByName(f.Name)
				if f.IsExported() && (!ok || own.Type != f.Type) {
					t.Errorf("field %s: %v, want %v", f.Name, own.Type, f.Type)
				}
			}
			for f := range ours.Fields() {
				if _, ok := nets.FieldByName(f.Name); f.IsExported() && !ok && !slices.Contains(tt.extra, f.Name) {
					t.Errorf("field %s is neither net's nor promised", f.Name)
				}
			}
		})
	}
}

// What other packages take for granted when a type answers to an interface.
func TestAbsentMethods(t *testing.T) {
	type (
		lingerer    interface{ SetLinger(sec int) error }
		closeWriter interface{ CloseWrite() error }
		netConner   interface{ NetConn() net.Conn }
	)
	tests := []struct {
		name string
		has  bool
		want bool
	}{
		// x/net takes any conn with SetLinger for TCP and then drops addresses.
		{"UDPConn SetLinger", is[lingerer](new(sockets.UDPConn)), false},
		{"IPConn SetLinger", is[lingerer](new(sockets.IPConn)), false},
		{"UnixConn SetLinger", is[lingerer](new(sockets.UnixConn)), false},
		{"TCPConn SetLinger", is[lingerer](new(sockets.TCPConn)), true},
		// httputil.ReverseProxy ends the writing side of what can.
		{"UDPConn CloseWrite", is[closeWriter](new(sockets.UDPConn)), false},
		{"IPConn CloseWrite", is[closeWriter](new(sockets.IPConn)), false},
		{"UnixConn CloseWrite", is[closeWriter](new(sockets.UnixConn)), true},
		{"TCPConn CloseWrite", is[closeWriter](new(sockets.TCPConn)), true},
		// io.Copy: the ReadFrom and WriteTo of packets are other methods.
		{"TCPConn io.ReaderFrom", is[io.ReaderFrom](new(sockets.TCPConn)), true},
		{"TCPConn io.WriterTo", is[io.WriterTo](new(sockets.TCPConn)), true},
		{"UDPConn io.ReaderFrom", is[io.ReaderFrom](new(sockets.UDPConn)), false},
		{"UDPConn io.WriterTo", is[io.WriterTo](new(sockets.UDPConn)), false},
		{"UnixConn io.ReaderFrom", is[io.ReaderFrom](new(sockets.UnixConn)), false},
		{"UnixConn io.WriterTo", is[io.WriterTo](new(sockets.UnixConn)), false},
		{"IPConn io.ReaderFrom", is[io.ReaderFrom](new(sockets.IPConn)), false},
		{"TCPConn net.PacketConn", is[net.PacketConn](new(sockets.TCPConn)), false},
		{"UDPConn net.PacketConn", is[net.PacketConn](new(sockets.UDPConn)), true},
		// Code that unwraps connections would never end.
		{"TCPConn NetConn", is[netConner](new(sockets.TCPConn)), false},
		{"UnixConn NetConn", is[netConner](new(sockets.UnixConn)), false},
	}
	for _, tt := range tests {
		if tt.has != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, tt.has, tt.want)
		}
	}
}

func is[I any](v any) bool {
	_, ok := v.(I)
	return ok
}

// The suite of package x/net/nettest, with either end as the one under test.
func TestConn(t *testing.T) {
	for _, network := range []string{"tcp", "tcp4", "tcp6", "unix", "unixpacket"} {
		if network == "unixpacket" && runtime.GOOS != "linux" {
			continue // other systems have no such sockets, or no records
		}
		for _, end := range []string{"dialed", "accepted"} {
			t.Run(fmt.Sprintf("%s/%s", network, end), func(t *testing.T) {
				socktest.NeedNetwork(t, network)
				nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
					dialed, accepted := conntest.Dialed(t, network)
					stop = func() {
						dialed.Close()
						accepted.Close()
					}
					if end == "accepted" {
						return accepted, dialed, stop, nil
					}
					return dialed, accepted, stop, nil
				})
			})
		}
	}
}

func TestMain(m *testing.M) { os.Exit(socktest.Run(m)) }
