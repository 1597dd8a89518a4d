//go:build linux && amd64

package inject

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets/internal/socktest"
)

var (
	roundsFlag = flag.Int("inject.rounds", 40, "how many rounds TestInject does of each operation")
	seedFlag   = flag.Uint64("inject.seed", 1, "the seed of TestInject; a new one if 0")
)

// mark tells the tracer that calls may fail from now on, or no more, with a system call
// that does nothing else: no descriptor has such a number.
func mark(on bool) {
	n := markBase
	if on {
		n++
	}
	unix.Close(n)
}

const markBase = 1 << 30

// A call is a system call into which faults are injected. short is the index of the
// argument that says how much is moved, 0 for none. Asking for addresses is not among
// them: that does not fail.
type call struct {
	name  string
	short int
}

var calls = map[uint64]call{
	unix.SYS_SOCKET: {"socket", 0}, unix.SYS_BIND: {"bind", 0}, unix.SYS_LISTEN: {"listen", 0}, unix.SYS_ACCEPT4: {"accept4", 0},
	unix.SYS_CONNECT: {"connect", 0}, unix.SYS_SENDTO: {"sendto", 2}, unix.SYS_RECVFROM: {"recvfrom", 2},
	unix.SYS_SENDMSG: {"sendmsg", 0}, unix.SYS_RECVMSG: {"recvmsg", 0}, unix.SYS_SENDMMSG: {"sendmmsg", 2},
	unix.SYS_RECVMMSG: {"recvmmsg", 2}, unix.SYS_WRITE: {"write", 2}, unix.SYS_READ: {"read", 2}, unix.SYS_WRITEV: {"writev", 2},
	unix.SYS_READV: {"readv", 2}, unix.SYS_SPLICE: {"splice", 4}, unix.SYS_SENDFILE: {"sendfile", 3}, unix.SYS_PIPE2: {"pipe2", 0},
	unix.SYS_SETSOCKOPT: {"setsockopt", 0}, unix.SYS_GETSOCKOPT: {"getsockopt", 0},
	unix.SYS_FCNTL: {"fcntl", 0}, unix.SYS_EPOLL_CTL: {"epoll_ctl", 0}, unix.SYS_SHUTDOWN: {"shutdown", 0},
}

// faults are errnos, and 0 for doing less than was asked for. EAGAIN is none of them:
// who hears that waits for an event, and there is none.
var faults = []syscall.Errno{
	0, 0, unix.EINTR, unix.EINTR, unix.ECONNRESET, unix.ENOBUFS, unix.ENOMEM, unix.EMFILE, unix.EPERM, unix.EINVAL,
	unix.EIO, unix.EPIPE, unix.ECONNREFUSED, unix.ENOSYS, unix.EOPNOTSUPP, unix.EBADF, unix.EMSGSIZE,
}

// An injector injects up to two faults into each round.
type injector struct {
	t       *testing.T
	r       *rand.Rand
	on      bool
	noShort bool
	skip    int // calls before the fault
	left    int // faults in this round
	fault   syscall.Errno
	pending map[int]syscall.Errno // of threads inside of a call
	done    map[string]int
	log     []string // of this round
}

func (j *injector) next() {
	j.skip = j.r.IntN(1 << j.r.IntN(5))
	j.fault = faults[j.r.IntN(len(faults))]
}

func (j *injector) stop(tid int, info socktest.SyscallInfo) {
	if info.Op == socktest.SyscallExit {
		if errno, ok := j.pending[tid]; ok {
			delete(j.pending, tid)
			j.setRegs(tid, func(r *unix.PtraceRegs) { r.Rax = -uint64(errno) })
		}
		return
	}
	if fd := int(info.Args[0]); info.NR == unix.SYS_CLOSE && fd >= markBase {
		if j.on = fd > markBase; j.on {
			j.left, j.log = 1+j.r.IntN(2), nil
			j.next()
		}
		return
	}
	c, ok := calls[info.NR]
	if !j.on || j.left == 0 || !ok || !j.concerns(tid, info) {
		return
	}
	if j.skip > 0 {
		j.skip--
		return
	}
	fault := j.fault
	if fault == 0 && (j.noShort || c.short == 0 || info.Args[c.short] < 2) || fault == unix.EINTR && info.NR == unix.SYS_CONNECT {
		return // the next one, then; a connect that is interrupted goes on
	}
	if fault == 0 {
		less := 1 + j.r.Uint64N(info.Args[c.short]-1)
		j.setRegs(tid, func(r *unix.PtraceRegs) {
			switch c.short {
			case 2:
				r.Rdx = less
			case 3:
				r.R10 = less
			case 4:
				r.R8 = less
			}
		})
	} else {
		j.setRegs(tid, func(r *unix.PtraceRegs) { r.Orig_rax = ^uint64(0) })
		j.pending[tid] = fault
	}
	what := c.name + " " + unix.ErrnoName(fault)
	j.done[what]++
	j.log = append(j.log, what)
	j.left--
	j.next()
}

// concerns reports whether a call is about a socket, a pipe or a file of the test: the
// runtime has descriptors of its own.
func (j *injector) concerns(tid int, info socktest.SyscallInfo) bool {
	switch info.NR {
	case unix.SYS_SOCKET, unix.SYS_PIPE2:
		return true
	case unix.SYS_EPOLL_CTL:
		return info.Args[1] == unix.EPOLL_CTL_ADD
	}
	name, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, info.Args[0]))
	return strings.HasPrefix(name, "socket:") || strings.HasPrefix(name, "pipe:") || strings.Contains(name, "/inject")
}

func (j *injector) setRegs(tid int, change func(*unix.PtraceRegs)) {
	var r unix.PtraceRegs
	err := unix.PtraceGetRegs(tid, &r)
	if err == nil {
		change(&r)
		err = unix.PtraceSetRegs(tid, &r)
	}
	if err != nil && err != unix.ESRCH { // another thread has ended the process
		j.t.Error(err)
	}
}

// TestInject has a child do each operation again and again.
func TestInject(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	// Skips the test if nothing can be traced.
	socktest.TraceChild(t, func(int, socktest.SyscallInfo) {}, "inject", operations[0].name, "0")
	all := 0
	for _, op := range operations {
		t.Run(strings.ReplaceAll(op.name, " ", "_"), func(t *testing.T) {
			j := &injector{t: t, noShort: op.noShort, r: rand.New(rand.NewPCG(seed, 0)), pending: make(map[int]syscall.Errno), done: make(map[string]int)}
			status, printed := socktest.TraceChild(t, j.stop, "inject", op.name, fmt.Sprint(*roundsFlag))
			if status.ExitStatus() != 0 {
				t.Errorf("-inject.seed %d: after %v: status %#x\n%s", seed, j.log, status, printed)
			}
			n := 0
			var names []string
			for name, times := range j.done {
				n += times
				names = append(names, fmt.Sprint(name, " ", times))
			}
			slices.Sort(names)
			t.Logf("%d faults: %s", n, strings.Join(names, ", "))
			all += n
		})
	}
	t.Logf("%d faults", all)
}
