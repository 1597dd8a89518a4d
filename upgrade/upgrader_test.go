//go:build linux

package upgrade_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/sockopt"
	"github.com/iolib-go/sockets/upgrade"
	"golang.org/x/text/encoding/charmap"
)

// askVar makes the test binary a program that prints what an Upgrader answers: lines of
// a method, a name, a network and an address.
const askVar = "UPGRADE_TEST_ASK"

// ask prints what is returned for each line of askVar.
func ask() {
	up, err := upgrade.New(upgrade.Config{})
	if err != nil {
		fmt.Println("New:", err)
		return
	}
	ctx := context.Background()
	for line := range strings.Lines(os.Getenv(askVar)) {
		f := strings.Fields(line)
		var got any
		var err error
		switch f[0] {
		case "listen":
			got, err = up.Listen(ctx, nil, f[1], f[2], f[3])
		case "group":
			got, err = up.Listen(ctx, &sockets.ListenConfig{Options: []sockopt.Setting{sockopt.ReusePort.With(true)}}, f[1], f[2], f[3])
		case "text":
			got, err = acceptText(up, f[1], f[2], f[3])
		case "packet":
			got, err = up.ListenPacket(ctx, nil, f[1], f[2], f[3])
		case "conn":
			got, err = up.Conn(f[1], func() (net.Conn, error) { return nil, errors.New("made anew") })
		case "file":
			got, err = up.File(f[1], func() (*os.File, error) { return nil, errors.New("made anew") })
		}
		var name *upgrade.NameError
		switch {
		case errors.As(err, &name):
			fmt.Println(name.Name, name.Why)
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Printf("%s %T\n", f[1], got)
		}
	}
	unused, err := up.Ready(ctx)
	fmt.Println(unused, err)
}

// acceptText accepts a connection of a listener whose streams have an external format.
func acceptText(up *upgrade.Upgrader, name, network, address string) (net.Conn, error) {
	l, err := up.Listen(context.Background(), &sockets.ListenConfig{Format: sockets.ExternalFormat{Encoding: charmap.ISO8859_1}}, name, network, address)
	if err != nil {
		return nil, err
	}
	go sockets.Dial(network, l.Addr().String())
	return l.Accept()
}

func TestInherited(t *testing.T) {
	tcp, err1 := sockets.Listen("tcp", "127.0.0.1:0")
	udp, err2 := sockets.ListenPacket("udp", "127.0.0.1:0")
	a, b, err3 := sockets.Pair("unix")
	r, w, err4 := os.Pipe()
	group, err5 := new(sockets.ListenConfig).ListenGroup(context.Background(), "tcp", "127.0.0.1:0", 2)
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []interface{ Close() error }{tcp, udp, a, b, r, w, group[0], group[1]} {
		defer c.Close()
	}
	named := func(name string, c any) activation.Named {
		return activation.Named{Name: name, Conn: c.(syscall.Conn)}
	}
	all := []activation.Named{named("tcp", tcp), named("udp", udp), named("peer", a), named("file", r)}
	unix := filepath.Join(t.TempDir(), "s")
	for _, tt := range []struct {
		name string
		give []activation.Named
		ask  []string
		want []string
	}{
		{"everything", all,
			[]string{"listen tcp tcp :1", "packet udp udp :1", "conn peer", "file file"},
			[]string{"tcp *sockets.TCPListener", "udp *sockets.UDPConn", "peer *sockets.UnixConn", "file *os.File", "[] <nil>"}},
		{"nothing", nil,
			[]string{"listen new tcp 127.0.0.1:0", "packet newer udp 127.0.0.1:0", "listen unix unix " + unix, "conn peer", "file file"},
			[]string{"new *sockets.TCPListener", "newer *sockets.UDPConn", "unix *sockets.UnixListener", "made anew", "made anew", "[] <nil>"}},
		{"formats", all, []string{"text tcp tcp :1", "text new tcp 127.0.0.1:0"},
			[]string{"tcp *sockets.TextConn", "new *sockets.TextConn", "[file peer udp] <nil>"}},
		{"group", []activation.Named{named("0", group[0]), named("1", group[1])},
			[]string{"group 0 tcp :1", "group 1 tcp :1", "group 2 tcp " + group[0].Addr().String()},
			[]string{"0 *sockets.TCPListener", "1 *sockets.TCPListener", "2 *sockets.TCPListener", "[] <nil>"}},
		{"unused", all, nil, []string{"[file peer tcp udp] <nil>"}},
		{"twice inherited", []activation.Named{named("tcp", tcp), named("tcp", tcp)}, nil, []string{`New: sockets: "tcp" was inherited twice`}},
		{"twice asked", nil,
			[]string{"listen a tcp 127.0.0.1:0", "packet a udp 127.0.0.1:0"},
			[]string{"a *sockets.TCPListener", "a is in use", "[] <nil>"}},
		{"no names", nil,
			[]string{"listen a:b tcp 127.0.0.1:0", "packet \u00e4 udp 127.0.0.1:0", "listen sockets-upgrade tcp 127.0.0.1:0"},
			[]string{"a:b is not a valid name for a socket", "\u00e4 is not a valid name for a socket", "sockets-upgrade is not a valid name for a socket", "[] <nil>"}},
		{"another type", all,
			[]string{"listen udp tcp :0", "packet tcp udp :0", "listen peer unix x", "conn file", "file peer", "listen file tcp :0"},
			[]string{
				"udp is ipv4 datagram socket bound to " + udp.LocalAddr().String() + ", not a socket of network tcp",
				"tcp is ipv4 stream socket listening on " + tcp.Addr().String() + ", not a socket of network udp",
				"peer does not listen",
				"file is not a socket",
				"peer is a socket, not a file",
				"file is a file, not a socket",
				"[file peer tcp udp] <nil>",
			}},
		{"another family", all, []string{"listen tcp tcp6 [::1]:0"},
			[]string{"tcp is ipv4 stream socket listening on " + tcp.Addr().String() + ", not a socket of network tcp6", "[file peer tcp udp] <nil>"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(socktest.Executable(t))
			cmd.Env = append(os.Environ(), askVar+"="+strings.Join(tt.ask, "\n"))
			cmd.Stderr = os.Stderr
			if err := activation.PassTo(cmd, tt.give...); err != nil {
				t.Fatal(err)
			}
			out, err := cmd.Output()
			activation.ClosePassed(cmd)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, strings.Split(strings.TrimSpace(string(out)), "\n")); diff != "" {
				t.Errorf("answers mismatch (-want +got):\n%s", diff)
			}
		})
	}
}
