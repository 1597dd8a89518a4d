//go:build linux

package sandbox

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets/internal/socktest"
)

// alone are the system calls and options that nothing else does the work of, and why
// that is right.
var alone = map[string]string{}

func init() {
	for why, names := range map[string]string{
		"package net does it in the same way": `SYS_BIND SYS_CONNECT SYS_RECVMSG SYS_SENDMSG SYS_SOCKET
			Listen Shutdown Close SetNonblock Read Write Lstat Unlink
			F_GETFL SO_BROADCAST SO_ERROR SO_REUSEADDR SO_TYPE SetsockoptIPMreqn SetsockoptIPv6Mreq
			SetsockoptByte SetsockoptLinger SetsockoptInt GetsockoptInt SO_RCVBUF SO_SNDBUF
			SO_LINGER IPV6_JOIN_GROUP IPV6_MULTICAST_IF IPV6_MULTICAST_LOOP`,
		"package net has nothing like it, and the caller asked for it": `Socketpair Setns Open Fstat Fchmod
			Fchownat Flock Dup3 SO_REUSEPORT SO_RXQ_OVFL F_GETFD F_SETFD NS_GET_NSTYPE`,
		"the caller waits for a child process in another way, too":                       `Waitid Wait4`,
		"it only tells what the matter is":                                               `EpollCreate1 EpollCtl`,
		"it is not refused, it does no system call, or the runtime cannot do without it": `ClockGettime Gettid`,
		"without it the other way is tried again and again":                              `Poll`,
		"the second way of what is in the table":                                         `F_DUPFD SYS_READV SYS_WRITEV Chmod Fstatfs`,
		"what has TCP_KEEPIDLE refused goes on without the others as well":               `TCP_KEEPINTVL TCP_KEEPCNT`,
		"it comes with a message, which TestSegmentsRefused has refused":                 `UDP_SEGMENT`,
		"control messages": `IPV6_HOPLIMIT IPV6_ORIGDSTADDR IPV6_PKTINFO IPV6_TCLASS`,
	} {
		for _, name := range strings.Fields(names) {
			alone[name] = why
		}
	}
}

// TestEveryCall has each system call and each option that the sources name either in the
// table of what is refused, or here with a reason: a fast path cannot be forgotten.
func TestEveryCall(t *testing.T) {
	known := make(map[string]bool)
	for name := range alone {
		known[name] = true
	}
	for _, r := range refusals {
		if r.of != "" {
			if alone[r.of] != "" {
				t.Errorf("%s is refused, and has a reason not to be", r.of)
			}
			known[r.of] = true
		}
	}
	root := filepath.Join("..", "..", "..")
	found := make(map[string]bool)
	for _, dir := range []string{"internal/sys", "internal/netfd", "."} {
		p, err := build.ImportDir(filepath.Join(root, dir), 0)
		if os.IsNotExist(err) {
			t.Skip("no sources: ", err)
		}
		socktest.Check(t, err)
		for _, name := range p.GoFiles {
			if strings.HasPrefix(name, "opt") || strings.HasPrefix(name, "cmsg") {
				continue // tables of names
			}
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
			socktest.Check(t, err)
			ast.Inspect(f, func(n ast.Node) bool {
				for _, name := range callsOf(n) {
					found[name] = true
				}
				return true
			})
		}
	}
	if diff := cmp.Diff(keys(known), keys(found)); diff != "" {
		t.Errorf("what the tests know of and what the sources have (-tests +sources):\n%s", diff)
	}
}

var (
	callNames   = regexp.MustCompile(`^SYS_`)
	optionNames = regexp.MustCompile(`^(SO|UDP|TCP|IPV6)_`)
	notOptions  = regexp.MustCompile(`^(SO_EE_|UDP_PORT)`)
	manyInOne   = regexp.MustCompile(`^(FcntlInt|Ioctl)`) // their second argument tells
	noCalls     = regexp.MustCompile(`^(Cmsg|NsecTo|Ioctl$|CloseOnExec)`)
)

// callsOf returns the system calls and options that a node names.
func callsOf(n ast.Node) (names []string) {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		name := n.Sel.Name
		if p, ok := n.X.(*ast.Ident); ok && (p.Name == "unix" || p.Name == "sys") {
			if p.Name == "unix" && callNames.MatchString(name) || optionNames.MatchString(name) && !notOptions.MatchString(name) {
				names = append(names, name)
			}
		}
	case *ast.CallExpr:
		f, ok := n.Fun.(*ast.SelectorExpr)
		if !ok {
			break
		}
		p, ok := f.X.(*ast.Ident)
		if !ok || p.Name != "unix" && f.Sel.Name != "Wait4" || noCalls.MatchString(f.Sel.Name) {
			break
		}
		name := f.Sel.Name
		if manyInOne.MatchString(name) {
			if arg, ok := n.Args[1].(*ast.SelectorExpr); ok {
				name = arg.Sel.Name
			}
		}
		names = append(names, name)
	}
	return names
}

func keys(m map[string]bool) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
