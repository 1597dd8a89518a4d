package parity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets/internal/socktest"
)

// A parityRow does one thing once with package net and once with this package.
// What it saw must be the same, but for port numbers and temporary paths.
type parityRow struct {
	name string
	do   func(e *env)
}

// runParity runs each row with both packages and compares what they saw.
func runParity(t *testing.T, rows []parityRow) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { compareRow(t, row) })
	}
}

// runParityParallel is runParity for rows that mostly wait.
func runParityParallel(t *testing.T, rows []parityRow) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			compareRow(t, row)
		})
	}
}

func compareRow(t *testing.T, row parityRow) {
	want := observe(t, netImpl, row)
	got := observe(t, sockImpl, row)
	if len(want) == 0 && !t.Failed() {
		t.Error("the row saw nothing, so it compares nothing")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("not what package net does (-net +sockets):\n%s", diff)
	}
	if testing.Verbose() {
		for _, s := range want {
			t.Log(s)
		}
	}
}

// rowLimit bounds one row with one package: a call that should have come back
// and did not is reported instead of stopping the whole test run.
const rowLimit = 2 * time.Minute

func observe(t *testing.T, im *impl, row parityRow) []sight {
	t.Helper()
	e := &env{TB: t, impl: im}
	defer e.cleanup()
	done := make(chan string, 1) // a panic of the row, which would end the whole test run
	go func() {
		defer func() {
			var panicked string
			if v := recover(); v != nil {
				panicked = fmt.Sprintf("%v\n%s", v, debug.Stack())
			}
			done <- panicked
		}()
		row.do(e)
	}()
	limit := time.NewTimer(rowLimit)
	defer limit.Stop()
	select {
	case panicked := <-done:
		if panicked != "" {
			t.Fatalf("%s: panics: %s", im.name, panicked)
		}
	case <-limit.C:
		stacks := make([]byte, 1<<20)
		t.Fatalf("%s: hangs\n%s", im.name, stacks[:runtime.Stack(stacks, true)])
	}
	if t.Skipped() {
		t.SkipNow() // the row's goroutine has ended
	}
	if t.Failed() {
		t.Logf("while running with package %s", im.name)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sights
}

// A sight is one thing that a row saw.
type sight struct {
	What string
	Saw  []any
}

func (s sight) String() string {
	var b strings.Builder
	b.WriteString(s.What + ":")
	for _, v := range s.Saw {
		fmt.Fprintf(&b, " %v", v)
	}
	return b.String()
}

// An env is what a row works with: one implementation, and a notebook.
type env struct {
	testing.TB
	*impl

	mu     sync.Mutex
	sights []sight
	ports  map[string]string
	tmp    string
	undo   []func()
}

// onExit has f run when the row is over, last one first.
func (e *env) onExit(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.undo = append(e.undo, f)
}

func (e *env) cleanup() {
	for {
		e.mu.Lock()
		if len(e.undo) == 0 {
			e.mu.Unlock()
			return
		}
		f := e.undo[len(e.undo)-1]
		e.undo = e.undo[:len(e.undo)-1]
		e.mu.Unlock()
		f()
	}
}

// dir returns a directory of the row's own, short enough for sockaddr_un.
func (e *env) dir() string {
	e.Helper()
	if e.tmp == "" {
		e.tmp = socktest.ShortDir(e)
	}
	return e.tmp
}

// path returns a name in dir.
func (e *env) path(name string) string { return filepath.Join(e.dir(), name) }

// ok stops the row if a step of its preparation failed, and skips it if package net
// could not prepare it either because the user or the system lacks what it is about.
func (e *env) ok(err error) {
	e.Helper()
	lacks := errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EADDRNOTAVAIL) ||
		errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EPROTONOSUPPORT)
	if e.impl == netImpl && lacks {
		e.Skipf("%s: %v", e.name, err)
	}
	if err != nil {
		e.Fatalf("%s: %v", e.name, err)
	}
}

// see notes what a call returned: e.see("Read")(c.Read(b)).
// Whatever can be closed is closed when the row is over.
func (e *env) see(what string) func(vals ...any) {
	return func(vals ...any) {
		saw := make([]any, len(vals))
		for i, v := range vals {
			saw[i] = e.describe(v)
			if c, ok := v.(io.Closer); ok && !socktest.IsNil(v) {
				e.onExit(func() { c.Close() })
			}
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.sights = append(e.sights, sight{What: what, Saw: saw})
	}
}

// seeCause notes the outermost and the innermost error only: which system calls
// a copy is made of, and so what stands between, is each package's own business.
func (e *env) seeCause(what string) func(n int64, err error) {
	return func(n int64, err error) {
		outer, _ := err.(*net.OpError)
		cause := err
		for next := cause; next != nil; next = errors.Unwrap(next) {
			cause = next
		}
		if outer == nil {
			e.see(what)(n, err)
			return
		}
		e.see(what)(n, outer.Op, outer.Net, outer.Source, outer.Addr, outer.Timeout(), outer.Temporary(), cause)
	}
}

// try runs f and notes with what it panicked, if it did.
func (e *env) try(what string, f func()) {
	defer func() {
		if v := recover(); v != nil {
			e.see(what + " panics")(fmt.Sprintf("%T: %v", v, v))
		}
	}()
	f()
}

// A seeFunc is env.see, or one that notes things for later.
type seeFunc func(what string) func(vals ...any)

// A notebook has what was seen in another goroutine, for later.
type notebook []note

type note struct {
	what string
	vals []any
}

func (n *notebook) see(what string) func(vals ...any) {
	return func(vals ...any) { *n = append(*n, note{what, vals}) }
}

// copy has e see what n has.
func (e *env) copy(n notebook) {
	for _, n := range n {
		e.see(n.what)(n.vals...)
	}
}

// alongside runs f in a goroutine. What f sees is noted when join has waited
// for it, so that the notes have an order.
func (e *env) alongside(f func(see seeFunc)) (join func()) {
	var notes notebook
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(notes.see)
	}()
	return func() {
		<-done
		e.copy(notes)
	}
}

// whileBlocked calls then once op waits in the poller.
func (e *env) whileBlocked(op func(see seeFunc), then func()) {
	e.Helper()
	var notes notebook
	socktest.WhileBlocked(e, func() { op(notes.see) }, then)
	e.copy(notes)
}

// An errSight is an error as a caller can see it: a link of the Unwrap chain.
type errSight struct {
	Type, Text         string
	Timeout, Temporary string // "-" without such a method
	Same               string // the sentinel that it is
	Is                 []string
	Op, Net            string
	Source, Addr       *addrSight
	Fields             string
	Wraps              *errSight
}

func (s *errSight) String() string {
	if s == nil {
		return ""
	}
	t := fmt.Sprintf("%s %q", s.Type, s.Text)
	if s.Op != "" {
		t = fmt.Sprintf("%s op=%s net=%s source=%v addr=%v", t, s.Op, s.Net, s.Source, s.Addr)
	}
	if s.Fields != "" {
		t += " " + s.Fields
	}
	t += fmt.Sprintf(" %s/%s", s.Timeout, s.Temporary)
	if s.Same != "" {
		t += " =" + s.Same
	}
	if len(s.Is) > 0 {
		t += fmt.Sprint(" is ", s.Is)
	}
	if s.Wraps != nil {
		t += " > " + s.Wraps.String()
	}
	return t
}

// An addrSight is a net.Addr as a caller can see it.
type addrSight struct {
	Type, Network, String_ string
	Fields                 string
}

func (s *addrSight) String() string {
	if s == nil {
		return "-"
	}
	return strings.TrimSpace(fmt.Sprintf("%s(%s %q) %s", s.Type, s.Network, s.String_, s.Fields))
}

// sentinels are the error values that callers compare with.
var sentinels = []struct {
	name string
	err  error
}{
	{"io.EOF", io.EOF},
	{"io.ErrUnexpectedEOF", io.ErrUnexpectedEOF},
	{"os.ErrDeadlineExceeded", os.ErrDeadlineExceeded},
	{"net.ErrClosed", net.ErrClosed},
	{"net.ErrWriteToConnected", net.ErrWriteToConnected},
	{"os.ErrClosed", os.ErrClosed},
	{"os.ErrNoDeadline", os.ErrNoDeadline},
	{"fs.ErrNotExist", fs.ErrNotExist},
	{"fs.ErrExist", fs.ErrExist},
	{"fs.ErrPermission", fs.ErrPermission},
	{"fs.ErrInvalid", fs.ErrInvalid},
	{"context.Canceled", context.Canceled},
	{"context.DeadlineExceeded", context.DeadlineExceeded},
	{"errors.ErrUnsupported", errors.ErrUnsupported},
	{"missing address", socktest.ErrMissingAddress},
	{"a row's own error", errOwn},
}

// errOwn is what rows return from callbacks.
var errOwn = errors.New("the row's own error")

func (e *env) describe(v any) any {
	switch v := v.(type) {
	case nil:
		return "nil"
	case error:
		return e.describeError(v, true)
	case netip.AddrPort:
		return e.text(fmt.Sprintf("%v 4in6=%v", v, v.Addr().Is4In6()))
	case net.Addr:
		return e.describeAddr(v)
	case anyConn:
		if socktest.IsNil(v) {
			return socktest.TypeName(v) + "(nil)"
		}
		return []any{socktest.TypeName(v), e.describe(v.LocalAddr()), e.describe(v.RemoteAddr())}
	case net.Listener:
		if socktest.IsNil(v) {
			return socktest.TypeName(v) + "(nil)"
		}
		return []any{socktest.TypeName(v), e.describe(v.Addr())}
	case *os.File:
		if v == nil {
			return "*os.File(nil)"
		}
		return "*os.File " + e.text(v.Name())
	case int:
		return max(v, 0) // net counts -1 bytes when recvmsg fails, we 0
	case syscall.RawConn:
		return "syscall.RawConn"
	case []byte:
		return fmt.Sprintf("%q", v)
	case string:
		return e.text(v)
	case []string:
		all := make([]string, len(v))
		for i, s := range v {
			all[i] = e.text(s)
		}
		return all
	case fmt.Stringer:
		return e.text(v.String())
	default:
		return v
	}
}

func (e *env) describeError(err error, top bool) *errSight {
	if err == nil {
		return nil
	}
	s := &errSight{Type: socktest.TypeName(err), Text: e.text(err.Error()), Timeout: "-", Temporary: "-"}
	if t, ok := err.(interface{ Timeout() bool }); ok {
		s.Timeout = strconv.FormatBool(t.Timeout())
	}
	if t, ok := err.(interface{ Temporary() bool }); ok {
		s.Temporary = strconv.FormatBool(t.Temporary())
	}
	for _, x := range sentinels {
		if reflect.TypeOf(err).Comparable() && err == x.err {
			s.Same = x.name
		}
		if top && errors.Is(err, x.err) {
			s.Is = append(s.Is, x.name)
		}
	}
	switch err := err.(type) {
	case *net.OpError:
		s.Op, s.Net = err.Op, err.Net
		s.Source, s.Addr = e.describeAddr(err.Source), e.describeAddr(err.Addr)
	case *net.AddrError:
		s.Fields = e.text(fmt.Sprintf("%q", err.Addr))
	case *net.DNSError:
		s.Fields = e.text(fmt.Sprintf("err=%q name=%q server=%q timeout=%v temporary=%v notfound=%v",
			err.Err, err.Name, err.Server, err.IsTimeout, err.IsTemporary, err.IsNotFound))
	case *os.SyscallError:
		s.Fields = err.Syscall
	case syscall.Errno:
		s.Fields = strconv.Itoa(int(err))
	}
	s.Wraps = e.describeError(errors.Unwrap(err), false)
	return s
}

func (e *env) describeAddr(a net.Addr) *addrSight {
	if a == nil {
		return nil
	}
	if socktest.IsNil(a) {
		return &addrSight{Type: socktest.TypeName(a) + "(nil)"}
	}
	s := &addrSight{Type: socktest.TypeName(a), Network: a.Network(), String_: e.text(a.String())}
	switch a := a.(type) {
	case *net.TCPAddr:
		s.Fields = fmt.Sprintf("iplen=%d zone=%q", len(a.IP), a.Zone)
	case *net.UDPAddr:
		s.Fields = fmt.Sprintf("iplen=%d zone=%q", len(a.IP), a.Zone)
	case *net.IPAddr:
		s.Fields = fmt.Sprintf("iplen=%d zone=%q", len(a.IP), a.Zone)
	case *net.UnixAddr:
		s.Fields = fmt.Sprintf("namelen=%d", len(e.text(a.Name)))
	}
	return s
}

var (
	ephemeral = regexp.MustCompile(`:(\d{4,5})($|: |[^0-9A-Za-z:%\]])`)
	autobound = regexp.MustCompile(`@[0-9a-f]{5}\b`)
)

// text replaces what differs from run to run: directories, autobound names,
// and ports, by the order in which the row met them.
func (e *env) text(s string) string {
	if e.tmp != "" {
		s = strings.ReplaceAll(s, e.tmp, "$TMP")
	}
	s = autobound.ReplaceAllString(s, "@auto")
	e.mu.Lock()
	defer e.mu.Unlock()
	return ephemeral.ReplaceAllStringFunc(s, func(m string) string {
		sub := ephemeral.FindStringSubmatch(m)
		if n, err := strconv.Atoi(sub[1]); err != nil || n < 1024 || n > 65535 {
			return m
		}
		if e.ports == nil {
			e.ports = make(map[string]string)
		}
		if e.ports[sub[1]] == "" {
			e.ports[sub[1]] = fmt.Sprintf("P%d", len(e.ports)+1)
		}
		return ":" + e.ports[sub[1]] + sub[2]
	})
}

func compareLines(t *testing.T, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("not what package net does (-net +sockets):\n%s", diff)
	}
	if testing.Verbose() {
		t.Log(strings.Join(want, "\n"))
	}
}
