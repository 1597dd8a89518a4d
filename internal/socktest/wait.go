package socktest

import (
	"bytes"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"
)

// WhileBlocked calls op in a goroutine, calls then once op waits in the
// poller, and returns when op has returned.
func WhileBlocked(tb testing.TB, op, then func()) {
	tb.Helper()
	blockedOps.Lock()
	defer blockedOps.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		blockedOp(op)
	}()
	waits := false
	WaitUntil(func() bool {
		waits = inPoller(blockedOpName)
		select {
		case <-done:
			return true
		default:
			return waits
		}
	})
	if !waits {
		tb.Error("the call does not wait")
	}
	then()
	<-done
}

// blockedOpName is what stack traces call blockedOp.
var blockedOpName = runtime.FuncForPC(reflect.ValueOf(blockedOp).Pointer()).Name() + "("

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

// WaitUntil polls cond for as long as a busy machine may need, and reports whether it
// became true.
func WaitUntil(cond func() bool) bool {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if cond() {
			return true
		}
	}
	return cond()
}
