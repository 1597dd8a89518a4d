//go:build linux

package sandbox

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/iolib-go/sockets/internal/socktest"
)

func init() {
	socktest.Children["let through"] = func() error {
		// What comes of it does not matter: some only work where a call is refused.
		if err := refusedOps[os.Args[2]](); err != nil {
			fmt.Println(err)
		}
		return nil
	}
}

// is reports whether a system call is the one that r refuses.
func (r refusal) is(info socktest.SyscallInfo) bool {
	if info.Op != socktest.SyscallEntry || info.NR != uint64(r.call) {
		return false
	}
	for i, v := range r.args {
		if uint32(info.Args[i]) != v {
			return false
		}
	}
	return true
}

// TestRefusedIsMade has each operation make the calls that TestRefused has refused: a
// refusal of what nothing asks for shows nothing.
func TestRefusedIsMade(t *testing.T) {
	if runtime.GOARCH == "386" {
		t.Skip("what has to do with sockets goes through socketcall(2)")
	}
	made := make(map[string]map[string]bool) // names of refusals, by operation
	for op := range refusedOps {
		made[op] = make(map[string]bool)
		socktest.TraceChild(t, func(_ int, info socktest.SyscallInfo) {
			for _, r := range refusals {
				if r.op == op && r.is(info) {
					made[op][r.name] = true
				}
			}
		}, "let through", op)
	}
	for _, r := range refusals {
		t.Run(strings.ReplaceAll(r.op+"/"+r.name, " ", "_"), func(t *testing.T) {
			switch r.name {
			case "MPTCP_INFO":
				if err := socktest.MPTCPInfo(); err != nil {
					t.Skip("no MPTCP_INFO: ", err)
				}
			case "IPV6_V6ONLY":
				socktest.NeedIPv6(t)
			}
			if !made[r.op][r.name] {
				t.Errorf("%s does not call it", r.op)
			}
		})
	}
}
