// Strict runs a program the way a container does that allows little, whatever the
// machine below allows: without new namespaces, mounts, tracing and socket families
// beyond the usual, all of which answer EPERM, and without clone3, which answers
// ENOSYS, as Docker's default filter has it. See seccomp(2).
//
// usage: strict PROGRAM [ARGUMENT...]
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data. The low half of an argument comes first, but where
// bytes are in the other order, which this program does not run on.
const (
	offsetNumber = 0
	offsetArg0   = 16
)

const namespaces = unix.CLONE_NEWCGROUP | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWNS |
	unix.CLONE_NEWPID | unix.CLONE_NEWUSER | unix.CLONE_NEWUTS

var refused = []uint32{
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT,
	unix.SYS_PTRACE, unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV,
	unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_OPEN, unix.SYS_IO_URING_SETUP, unix.SYS_KCMP, unix.SYS_KEYCTL, unix.SYS_USERFAULTFD,
}

var families = []uint32{unix.AF_ALG, unix.AF_VSOCK, unix.AF_PACKET, unix.AF_NETLINK}

func filter() []unix.SockFilter {
	const (
		load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		anyBit = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		answer = unix.BPF_RET | unix.BPF_K
	)
	deny := func(errno unix.Errno) unix.SockFilter {
		return unix.SockFilter{Code: answer, K: unix.SECCOMP_RET_ERRNO | uint32(errno)}
	}
	f := []unix.SockFilter{{Code: load, K: offsetNumber}}
	for _, number := range refused {
		f = append(f, unix.SockFilter{Code: equal, Jf: 1, K: number}, deny(unix.EPERM))
	}
	f = append(f, unix.SockFilter{Code: equal, Jf: 1, K: unix.SYS_CLONE3}, deny(unix.ENOSYS))
	allow := unix.SockFilter{Code: answer, K: unix.SECCOMP_RET_ALLOW}
	f = append(f,
		unix.SockFilter{Code: equal, Jf: 4, K: unix.SYS_CLONE},
		unix.SockFilter{Code: load, K: offsetArg0},
		unix.SockFilter{Code: anyBit, Jf: 1, K: namespaces}, deny(unix.EPERM), allow)
	n := len(families)
	f = append(f, unix.SockFilter{Code: equal, Jf: uint8(2*n + 1), K: unix.SYS_SOCKET}, unix.SockFilter{Code: load, K: offsetArg0})
	for _, family := range families {
		f = append(f, unix.SockFilter{Code: equal, Jf: 1, K: family}, deny(unix.EPERM))
	}
	return append(f, allow)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "strict:", err)
		os.Exit(2)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no program to run")
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // which goes on as the program
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	f := filter()
	program := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	return unix.Exec(path, args, os.Environ())
}
