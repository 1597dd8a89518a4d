package netfd

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A turnLock keeps sends that do not wait out of the middle of what another call writes to a
// stream. Writers take turns by the descriptor's lock for writing, for which such a send
// would have to wait. So there is a lock besides, from the first such send on: sockets
// without any have nothing to do with it.
type turnLock struct {
	on     atomic.Bool // writers take the lock from now on
	usual  atomic.Bool // and none is left that did not
	begin  sync.Mutex
	now    sync.Mutex // of sends that do not wait
	writer sync.Mutex // of whatever sends
}

// A turn is that of one writer, who has the descriptor's lock for writing.
type turn struct {
	held   *more // whose lock of turns is held
	parked bool  // counted in FD.parked
}

// take begins the turn, or goes on with it.
func (t *turn) take(fd *FD) {
	if m := fd.more.Load(); m != nil { // is inlined
		t.lock(m)
	}
}

func (t *turn) lock(m *more) {
	if t.held == nil && m.turns.on.Load() {
		m.turns.writer.Lock()
		t.held = m
	}
}

// park is called before the writer waits for room. If it has sent a part of its data, the
// turn goes on.
func (t *turn) park(fd *FD, part bool) {
	if !t.parked {
		t.parked = true
		fd.parked.Add(1)
	}
	if t.held != nil && !part {
		t.held.turns.writer.Unlock()
		t.held = nil
	}
}

// end ends the turn.
func (t *turn) end(fd *FD) {
	if t.parked || t.held != nil {
		t.ended(fd)
	}
}

func (t *turn) ended(fd *FD) {
	if t.parked {
		fd.parked.Add(-1)
	}
	if t.held != nil {
		t.held.turns.writer.Unlock()
	}
	*t = turn{}
}

// takeNow is take for a send that does not wait. It reports false if another writer has
// the turn.
func (fd *FD) takeNow() (t *turnLock, ok bool) {
	t = &fd.need().turns
	if !t.usual.Load() && !fd.startTurns(t) {
		return t, false
	}
	t.now.Lock()
	if !t.writer.TryLock() {
		t.now.Unlock()
		return t, false
	}
	return t, true
}

// endNow ends what takeNow began.
func (t *turnLock) endNow() {
	t.writer.Unlock()
	t.now.Unlock()
}

// startTurns has writers take the lock, and reports whether all of them do by now. The
// first call waits for those that have begun without it, unless they wait for room: they
// are done in a moment, or there is none to be had anyway.
func (fd *FD) startTurns(t *turnLock) bool {
	t.begin.Lock()
	defer t.begin.Unlock()
	if t.on.Load() {
		return t.usual.Load()
	}
	t.on.Store(true)
	go func() {
		// Behind all of them. It does not matter if the deadline has passed.
		fd.RawWrite(func(uintptr) bool { return true })
		t.usual.Store(true)
	}()
	// The program itself may hold the descriptor's lock for writing, by its RawConn.
	for i := 0; i < 2000 && !t.usual.Load() && fd.parked.Load() == 0; i++ {
		if i < 100 {
			runtime.Gosched()
		} else {
			time.Sleep(100 * time.Microsecond)
		}
	}
	return t.usual.Load()
}
