//go:build linux

package socktest

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SyscallInfo is struct ptrace_syscall_info of ptrace(2) for an entry and, where Args
// begin, for an exit.
type SyscallInfo struct {
	Op   uint8
	_    [3]uint8
	arch uint32
	ip   uint64
	sp   uint64
	NR   uint64 // at an exit the result
	Args [6]uint64
}

// Values of SyscallInfo.Op.
const (
	SyscallEntry = 1
	SyscallExit  = 2
)

const ptraceGetSyscallInfo = 0x420e

// TraceChild runs a child under ptrace(2), and calls stop whenever one of its threads
// begins or ends a system call. It returns the child's status and what it printed. All
// ptrace requests must come from one thread, which is the one that stop runs in.
func TraceChild(tb testing.TB, stop func(tid int, info SyscallInfo), name string, args ...string) (status unix.WaitStatus, printed string) {
	tb.Helper()
	output, err := os.Create(filepath.Join(tb.TempDir(), "output"))
	Check(tb, err)
	defer output.Close()
	cmd := ChildCommand(tb, name, args...)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := os.StartProcess(cmd.Path, cmd.Args, &os.ProcAttr{
		Env:   cmd.Env,
		Files: []*os.File{nil, output, output},
		Sys:   &syscall.SysProcAttr{Ptrace: true},
	})
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		tb.Skip("no child that is traced: ", err)
	}
	Check(tb, err)
	pid := p.Pid
	p.Release() // the loop below waits for it
	running := true
	defer func() {
		if running {
			unix.Kill(pid, unix.SIGKILL)
		}
	}()
	if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil {
		tb.Fatal(err)
	}
	const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	Check(tb, unix.PtraceSetOptions(pid, options))
	started := map[int]bool{pid: true}
	Check(tb, unix.PtraceSyscall(pid, 0))
	for {
		tid, err := unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil)
		if err == unix.EINTR {
			continue
		}
		Check(tb, err)
		if status.Exited() || status.Signaled() {
			if tid != pid {
				continue
			}
			running = false
			text, _ := os.ReadFile(output.Name())
			return status, string(text)
		}
		signal := 0
		switch s := status.StopSignal(); {
		case s == unix.SIGTRAP|0x80:
			var info SyscallInfo
			if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(tid),
				unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0); errno == unix.ESRCH {
				continue // another thread has ended the process
			} else if errno == unix.EIO { // as to every request that it does not know
				tb.Skip("the kernel lacks PTRACE_GET_SYSCALL_INFO: ", errno)
			} else if errno != 0 {
				tb.Fatalf("PTRACE_GET_SYSCALL_INFO: %v", errno)
			}
			stop(tid, info)
		case s == unix.SIGTRAP: // a clone
		case s == unix.SIGSTOP && !started[tid]: // a thread's beginning
			started[tid] = true
		default:
			signal = int(s)
		}
		// A thread that is gone by now is no matter.
		if err := unix.PtraceSyscall(tid, signal); err != nil && err != unix.ESRCH {
			tb.Fatal(err)
		}
	}
}
