package socktest

import (
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// WhileBlocked calls op in a goroutine, calls then once op waits in the
// poller, and returns when op has returned.
func WhileBlocked(tb testing.TB, op, then func()) {
	tb.Helper()
	// Or it waits for the call before it to be through with the descriptor, or for a
	// queue that the poller knows nothing of.
	while(tb, []string{"[IO wait", "[semacquire", "[sleep"}, op, then)
}

// WhileSelecting is WhileBlocked for an op that does not wait in the poller, but for a
// timer or a context.
func WhileSelecting(tb testing.TB, op, then func()) {
	tb.Helper()
	while(tb, []string{"[select"}, op, then)
}

func while(tb testing.TB, states []string, op, then func()) {
	tb.Helper()
	blockedOps.Lock()
	defer blockedOps.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		blockedOp(op)
	}()
	// Once does not tell: the runtime has a goroutine wait for a moment, too.
	const often = 3
	waits := 0
	WaitUntil(func() bool {
		if inState(states, blockedOpName) {
			waits++
		} else {
			waits = 0
		}
		select {
		case <-done:
			return true
		default:
			return waits >= often
		}
	})
	if waits < often {
		tb.Errorf("the call does not wait:\n%s", stackOf(blockedOpName))
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

// inState reports whether a goroutine with the function on its stack is in one of the
// states that stack traces begin with.
func inState(states []string, function string) bool {
	head, _, _ := strings.Cut(stackOf(function), "\n")
	return slices.ContainsFunc(states, func(s string) bool { return strings.Contains(head, s) })
}

// stackOf returns the stack trace of the goroutine with the function on its stack, "" if
// there is none.
func stackOf(function string) string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for g := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.Contains(g, function) {
			return g
		}
	}
	return ""
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
