package sockets_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
const rowLimit = 30 * time.Second

func observe(t *testing.T, im *impl, row parityRow) []sight {
	t.Helper()
	e := &env{TB: t, impl: im}
	defer e.cleanup()
	done := make(chan struct{})
	go func() {
		defer close(done)
		row.do(e)
	}()
	limit := time.NewTimer(rowLimit)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		stacks := make([]byte, 1<<20)
		t.Fatalf("%s: hangs\n%s", im.name, stacks[:runtime.Stack(stacks, true)])
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
		e.tmp = shortDir(e)
	}
	return e.tmp
}

// path returns a name in dir.
func (e *env) path(name string) string { return filepath.Join(e.dir(), name) }

func shortDir(tb testing.TB) string {
	tb.Helper()
	// Unlike os.MkdirTemp's, the name always has the same length.
	d := filepath.Join(os.TempDir(), fmt.Sprintf("s%08x", rand.Uint32()))
	if err := os.Mkdir(d, 0o700); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(d) })
	return d
}

// ok stops the row if a step of its preparation failed.
func (e *env) ok(err error) {
	e.Helper()
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
			if c, ok := v.(io.Closer); ok && !isNil(v) {
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

// alongside runs f in a goroutine. What f sees is noted when join has waited
// for it, so that the notes have an order.
func (e *env) alongside(f func(see seeFunc)) (join func()) {
	type raw struct {
		what string
		vals []any
	}
	var notes []raw
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(func(what string) func(vals ...any) {
			return func(vals ...any) { notes = append(notes, raw{what, vals}) }
		})
	}()
	return func() {
		<-done
		for _, n := range notes {
			e.see(n.what)(n.vals...)
		}
	}
}

// whileBlocked calls op in a goroutine, calls then once op waits in the
// poller, and returns when op has returned.
func (e *env) whileBlocked(op func(see seeFunc), then func()) {
	e.Helper()
	blockedOps.Lock()
	defer blockedOps.Unlock()
	var returned atomic.Bool
	join := e.alongside(func(see seeFunc) {
		defer returned.Store(true)
		blockedOp(func() { op(see) })
	})
	waiting := false
	waitUntil(func() bool {
		waiting = inPoller("sockets_test.blockedOp(")
		return waiting || returned.Load()
	})
	if !waiting {
		e.Errorf("%s: the call does not wait (returned: %v)", e.name, returned.Load())
	}
	then()
	join()
}

// blockedOps makes the one goroutine inside blockedOp the one meant.
var blockedOps sync.Mutex

//go:noinline
func blockedOp(op func()) { op() }

// inPoller reports whether a goroutine with the function on its stack waits
// for a descriptor, or for the call before it to be through with one.
func inPoller(function string) bool {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for g := range bytes.SplitSeq(buf, []byte("\n\n")) {
		head, _, _ := bytes.Cut(g, []byte("\n"))
		waits := bytes.Contains(head, []byte("[IO wait")) || bytes.Contains(head, []byte("[semacquire"))
		if waits && bytes.Contains(g, []byte(function)) {
			return true
		}
	}
	return false
}

// waitUntil polls cond for as long as a busy machine may need.
func waitUntil(cond func() bool) bool {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if cond() {
			return true
		}
	}
	return cond()
}

func isNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Slice, reflect.Map, reflect.Interface:
		return r.IsNil()
	}
	return false
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
	{"missing address", errMissingAddress},
	{"a row's own error", errOwn},
}

// errOwn is what rows return from callbacks.
var errOwn = errors.New("the row's own error")

// errMissingAddress is net's private error for an empty address.
var errMissingAddress = func() error {
	_, err := net.Dial("tcp", "")
	return err.(*net.OpError).Err
}()

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
		if isNil(v) {
			return typeName(v) + "(nil)"
		}
		return []any{typeName(v), e.describe(v.LocalAddr()), e.describe(v.RemoteAddr())}
	case net.Listener:
		if isNil(v) {
			return typeName(v) + "(nil)"
		}
		return []any{typeName(v), e.describe(v.Addr())}
	case *os.File:
		if v == nil {
			return "*os.File(nil)"
		}
		return "*os.File " + e.text(v.Name())
	case int:
		return max(v, 0) // net counts -1 octets when recvmsg fails, we 0
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
	s := &errSight{Type: typeName(err), Text: e.text(err.Error()), Timeout: "-", Temporary: "-"}
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
	if isNil(a) {
		return &addrSight{Type: typeName(a) + "(nil)"}
	}
	s := &addrSight{Type: typeName(a), Network: a.Network(), String_: e.text(a.String())}
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

// typeName is the name of v's type with this package's types under net's
// name. How the two call their private types is their own business.
func typeName(v any) string {
	t := reflect.TypeOf(v)
	name := strings.Replace(t.String(), "sockets.", "net.", 1)
	_, base, _ := strings.Cut(name, ".")
	if base != "" && base[0] >= 'a' && base[0] <= 'z' {
		return "(private)"
	}
	return name
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
