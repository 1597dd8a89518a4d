//go:build linux

package activation_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/internal/socktest"
)

func init() { socktest.Children["by name"] = printByName }

// printByName prints what this process inherits, by kind and name, and what is left.
func printByName() error {
	ds, err := activation.Inherited()
	if err != nil {
		return err
	}
	listeners, err := ds.Listeners()
	if err != nil {
		return err
	}
	packets, err := ds.PacketConns()
	if err != nil {
		return err
	}
	var lines []string
	for name, ls := range listeners {
		for _, l := range ls {
			lines = append(lines, fmt.Sprintf("%s: %T", name, l))
			l.Close()
		}
	}
	for name, cs := range packets {
		for _, c := range cs {
			lines = append(lines, fmt.Sprintf("%s: %T", name, c))
			c.Close()
		}
	}
	for name, fs := range ds.Files() {
		for _, f := range fs {
			lines = append(lines, fmt.Sprintf("%s: %T", name, f))
			f.Close()
		}
	}
	for _, d := range ds {
		if d.Socket != nil || d.File != nil {
			lines = append(lines, d.Name+": left")
		}
	}
	slices.Sort(lines)
	fmt.Println(strings.Join(lines, "\n"))
	return ds.Close()
}

func TestDescriptorsByName(t *testing.T) {
	path := filepath.Join(socktest.ShortDir(t), "unix")
	web1, err1 := sockets.Listen("tcp", "127.0.0.1:0")
	web2, err2 := sockets.Listen("unix", path)
	udp, err3 := sockets.ListenPacket("udp", "127.0.0.1:0")
	a, b, err4 := sockets.Pair("unix")
	r, w, err5 := os.Pipe()
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []interface{ Close() error }{web1, web2, udp, a, b, r, w} {
		defer c.Close()
	}
	cmd := socktest.ChildCommand(t, "by name")
	cmd.Stderr = os.Stderr
	err := activation.PassTo(cmd,
		activation.Named{Name: "web", Conn: web1.(syscall.Conn)},
		activation.Named{Name: "udp", Conn: udp.(syscall.Conn)},
		activation.Named{Name: "web", Conn: web2.(syscall.Conn)},
		activation.Named{Name: "peer", Conn: a},
		activation.Named{Name: "state", Conn: r},
	)
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.Output()
	activation.ClosePassed(cmd)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"peer: left",
		"state: *os.File",
		"udp: *sockets.UDPConn",
		"web: *sockets.TCPListener",
		"web: *sockets.UnixListener",
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(string(out)), "\n")); diff != "" {
		t.Errorf("descriptors mismatch (-want +got):\n%s", diff)
	}
}

func TestDescriptorsOfNothing(t *testing.T) {
	var ds activation.Descriptors
	ls, err := ds.Listeners()
	cs, err2 := ds.PacketConns()
	if len(ls)+len(cs)+len(ds.Files()) != 0 || err != nil || err2 != nil || ds.Close() != nil {
		t.Errorf("got %v, %v, %v, %v of no descriptors", ls, cs, err, err2)
	}
	if err := (activation.Descriptor{}).Close(); err != nil {
		t.Errorf("Close of the zero Descriptor: %v", err)
	}
	var _ map[string][]net.Listener = ls
}

// TestActivationLinksNoHTTP keeps the package small for services that speak something
// else.
func TestActivationLinksNoHTTP(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "github.com/iolib-go/sockets/activation").Output()
	if err != nil {
		t.Skipf("go list: %v", err)
	}
	if slices.Contains(strings.Fields(string(out)), "net/http") {
		t.Error("activation imports net/http")
	}
}
