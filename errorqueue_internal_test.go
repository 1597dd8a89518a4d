package sockets

import (
	"encoding/binary"
	"testing"

	"github.com/iolib-go/sockets/internal/sys"
)

// Only what has the right level, type and length is a report.
func TestParseQueuedError(t *testing.T) {
	if sys.IP_RECVERR < 0 {
		t.Skip("no error queue here")
	}
	// What the kernel tells of a port where nobody listens, with the reporter.
	const refused = 111
	full := make([]byte, 32)
	binary.NativeEndian.PutUint32(full, refused)
	full[4], full[5], full[6] = byte(QueuedICMP), 3, 3
	tests := []struct {
		name       string
		level, typ int
		data       []byte
		want       bool
	}{
		{"IPv4", sys.IPPROTO_IP, sys.IP_RECVERR, full, true},
		{"IPv6", sys.IPPROTO_IPV6, sys.IPV6_RECVERR, full, true},
		{"without the reporter", sys.IPPROTO_IP, sys.IP_RECVERR, full[:16], true},
		{"too short", sys.IPPROTO_IP, sys.IP_RECVERR, full[:15], false},
		{"empty", sys.IPPROTO_IP, sys.IP_RECVERR, nil, false},
		{"another level with the type of IPv4", sys.SOL_SOCKET, sys.IP_RECVERR, full, false},
		{"another level with the type of IPv6", sys.IPPROTO_IP, sys.IPV6_RECVERR, full, false},
		{"another type of IPv4", sys.IPPROTO_IP, sys.IP_TOS, full, false},
		{"another type of IPv6", sys.IPPROTO_IPV6, sys.IPV6_TCLASS, full, false},
	}
	for _, tt := range tests {
		oob, data := sys.AppendCmsg(nil, tt.level, tt.typ, len(tt.data))
		copy(data, tt.data)
		e, ok := parseQueuedError(oob)
		if ok != tt.want || ok && (e.Err != refused || e.Type != 3 || e.Code != 3 || e.Reporter.IsValid() || e.MTU != 0) {
			t.Errorf("%s: %+v, %v, want %v", tt.name, e, ok, tt.want)
		}
	}
}

func FuzzParseQueuedError(f *testing.F) {
	f.Add([]byte{})
	if sys.IP_RECVERR >= 0 {
		oob, data := sys.AppendCmsg(nil, sys.IPPROTO_IP, sys.IP_RECVERR, 32)
		copy(data, []byte{111, 0, 0, 0, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 127, 0, 0, 1})
		f.Add(oob)
	}
	f.Fuzz(func(t *testing.T, oob []byte) {
		if e, ok := parseQueuedError(oob); ok && e.Error() == "" {
			t.Error("no text")
		}
	})
}
