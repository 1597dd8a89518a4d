package sockets

import (
	"testing"

	"github.com/iolib-go/sockets/internal/sys"
)

func FuzzParseSendError(f *testing.F) {
	f.Add([]byte{})
	if sys.IP_RECVERR >= 0 {
		oob, data := sys.AppendCmsg(nil, sys.IPPROTO_IP, sys.IP_RECVERR, 32)
		copy(data, []byte{111, 0, 0, 0, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 127, 0, 0, 1})
		f.Add(oob)
	}
	f.Fuzz(func(t *testing.T, oob []byte) {
		if e, ok := parseSendError(oob); ok && e.Error() == "" {
			t.Error("no text")
		}
	})
}
