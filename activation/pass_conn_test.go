package activation_test

import (
	"crypto/tls"
	"errors"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/internal/socktest"
)

// Sockets are passed by the interfaces that servers have them in, and what has no
// descriptor is named.
func TestPassInterfaces(t *testing.T) {
	l, err := sockets.Listen("tcp4", "127.0.0.1:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	nl, err := net.Listen("tcp4", "127.0.0.1:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, nl)
	p, err := sockets.ListenPacket("udp4", "127.0.0.1:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, p)
	var c net.Conn
	c, err = sockets.Dial("tcp4", l.Addr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	cmd := exec.Command("true")
	socktest.Check(t, activation.PassTo(cmd, activation.Named{Name: "l", Conn: l}, activation.Named{Name: "nl", Conn: nl},
		activation.Named{Name: "p", Conn: p}, activation.Named{Name: "c", Conn: c}))
	if len(cmd.ExtraFiles) != 4 {
		t.Errorf("%d files, want 4", len(cmd.ExtraFiles))
	}
	activation.ClosePassed(cmd)

	for name, bad := range map[string]any{
		"<nil>":         nil,
		"*tls.Conn":     tls.Client(c, &tls.Config{}),
		"*tls.listener": tls.NewListener(l, &tls.Config{}),
		"int":           3,
	} {
		err := activation.PassTo(exec.Command("true"), activation.Named{Name: "ok", Conn: l}, activation.Named{Name: "bad", Conn: bad})
		var which *sockets.DescriptorError
		if !errors.As(err, &which) || which.Index != 1 || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: %v, want a *DescriptorError with index 1", name, err)
		} else if !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error does not name the type: %v", name, err)
		}
	}
}
