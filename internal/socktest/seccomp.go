//go:build linux

package socktest

import (
	"encoding/binary"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// A Refusal is a system call that a sandbox does not let through, see seccomp(2).
type Refusal struct {
	Call  uint32
	Args  map[uint32]uint32 // by index, the low 32 bits; calls with others are let through
	Errno syscall.Errno
}

// OnThread has the kernel refuse the call to this thread, which the caller has locked,
// until it ends. The error says that there is no seccomp; where it has no effect, as with
// a system call that has another number as well, there is no error.
func (r Refusal) OnThread() error { return r.filter(0) }

// OnProcess is OnThread for all threads of this process.
func (r Refusal) OnProcess() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return r.filter(1) // SECCOMP_FILTER_FLAG_TSYNC
}

func (r Refusal) filter(flags uintptr) error {
	low := uint32(0) // of the two halves of an argument
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		low = 4
	}
	allow := bpf.RetConstant{Val: 0x7fff0000} // SECCOMP_RET_ALLOW
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 4}, // nr in struct seccomp_data
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: r.Call, SkipTrue: 1},
		allow,
	}
	for i, v := range r.Args {
		program = append(program,
			bpf.LoadAbsolute{Off: 16 + 8*i + low, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: 1},
			allow)
	}
	program = append(program, bpf.RetConstant{Val: 0x00050000 | uint32(r.Errno)}) // SECCOMP_RET_ERRNO
	raw, err := bpf.Assemble(program)
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, p := range raw {
		filter[i] = unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	const setModeFilter = 1
	if _, _, errno := syscall.Syscall(unix.SYS_SECCOMP, setModeFilter, flags, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return errno
	}
	return nil
}
