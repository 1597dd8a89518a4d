//go:build linux

package sockets_test

import (
	"errors"
	"io"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/sockopt"
)

func passCred(tb testing.TB, c *sockets.UnixConn) {
	tb.Helper()
	if err := sockopt.PassCred.Set(c, true); err != nil {
		tb.Fatal(err)
	}
}

func passPIDFD(tb testing.TB, c *sockets.UnixConn) {
	tb.Helper()
	if err := sockopt.PassPIDFD.Set(c, true); errors.Is(err, errors.ErrUnsupported) && os.Getenv("CI") != "true" {
		tb.Skip("the kernel has no SO_PASSPIDFD")
	} else if err != nil {
		tb.Fatal(err)
	}
}

func passBoth(tb testing.TB, c *sockets.UnixConn) {
	passCred(tb, c)
	passPIDFD(tb, c)
}

func TestCredentials(t *testing.T) {
	own := sockopt.Ucred{PID: os.Getpid(), UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	for _, network := range unixNetworks {
		t.Run(network, func(t *testing.T) {
			checkNoLeak(t)
			a, b := pair(t, network)
			buf := make([]byte, 10)
			check := func(data string, want sockopt.Ucred, wantErr error) {
				t.Helper()
				n, got, err := b.ReceiveCred(buf)
				if string(buf[:n]) != data || !errors.Is(err, wantErr) {
					t.Errorf("ReceiveCred: %q, %v, want %q, %v", buf[:n], err, data, wantErr)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("credentials mismatch (-want +got):\n%s", diff)
				}
			}
			sendRaw(t, a, []byte("none"))
			check("none", sockopt.Ucred{}, sockets.ErrNoCredentials)
			passBoth(t, b)
			sendRaw(t, a, []byte("kernel's"))
			check("kernel's", own, nil)
			if n, err := a.SendCred([]byte("own"), sockopt.Ucred{}); n != 3 || err != nil {
				t.Errorf("SendCred: %d, %v", n, err)
			}
			check("own", own, nil)
			sendRaw(t, a, []byte("fd"), pipes(t, 1)...)
			check("fd", sockopt.Ucred{}, sockets.ErrTooManyDescriptors)
			if os.Geteuid() == 0 {
				other := sockopt.Ucred{PID: 1, UID: 65534, GID: 65533}
				if n, err := a.SendCred([]byte("other"), other); n != 5 || err != nil {
					t.Errorf("SendCred of others: %d, %v", n, err)
				}
				check("other", other, nil)
			}
			if _, err := a.SendCred([]byte("x"), sockopt.Ucred{PID: 1 << 30}); err == nil {
				t.Error("SendCred of a process that does not exist succeeded")
			}
			a.Close()
			if network != "unixgram" {
				check("", sockopt.Ucred{}, io.EOF)
			}
		})
	}
}
