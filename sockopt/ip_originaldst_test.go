//go:build linux

package sockopt_test

import (
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/sockopt"
)

// TestOriginalDst connects to a port from which the kernel redirects to another one, and
// asks the accepted connection where it was to go. See iptables-extensions(8), REDIRECT.
func TestOriginalDst(t *testing.T) {
	sockopt.NeedKernelOptions(t)
	tests := []struct {
		network, host, program string
		option                 sockopt.ReadOnlyOption[netip.AddrPort]
	}{
		{"tcp4", "127.0.0.1", "iptables", sockopt.OriginalDst},
		{"tcp6", "::1", "ip6tables", sockopt.OriginalDst6},
	}
	for _, tt := range tests {
		t.Run(tt.network, func(t *testing.T) {
			program := socktest.NeedProgram(t, tt.program)
			netns := socktest.NewNetNS(t)
			lc := sockets.ListenConfig{NetNS: netns}
			l, err := lc.Listen(t.Context(), tt.network, net.JoinHostPort(tt.host, "0"))
			socktest.Check(t, err)
			socktest.CloseLater(t, l)
			to := l.Addr().(*net.TCPAddr).Port
			socktest.InNetNS(t, netns, func() {
				out, err := exec.Command(program, "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "80",
					"-j", "REDIRECT", "--to-ports", strconv.Itoa(to)).CombinedOutput()
				if err != nil {
					t.Skipf("no redirection: %v\n%s", err, out)
				}
			})

			d := sockets.Dialer{NetNS: netns}
			want := netip.AddrPortFrom(netip.MustParseAddr(tt.host), 80)
			c, err := d.DialContext(t.Context(), tt.network, want.String())
			socktest.Check(t, err)
			socktest.CloseLater(t, c)
			s, err := l.Accept()
			socktest.Check(t, err)
			socktest.CloseLater(t, s)
			if got, err := tt.option.Get(s.(syscall.Conn)); got != want || err != nil {
				t.Errorf("%v is %v, %v, want %v", tt.option, got, err, want)
			}
		})
	}
}
