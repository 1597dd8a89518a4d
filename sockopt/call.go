package sockopt

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"golang.org/x/net/bpf"

	"github.com/iolib-go/sockets/internal/sys"
)

// A call is one getsockopt or setsockopt. What is given to a RawConn escapes to the
// heap, so calls are used again, each with the function to give.
type call struct {
	name   string
	opt    sys.Opt
	set    bool
	b      []byte // the value to be set, or what the one to be read goes into
	err    error
	socket string // what kind of socket it is, once the call has failed
	do     func(fd uintptr)

	program []bpf.RawInstruction
	attach  bool // program is the value to be set

	room [64]byte
}

var calls = sync.Pool{New: func() any {
	k := new(call)
	k.do = k.run
	return k
}}

func getCall(name string) *call {
	k := calls.Get().(*call)
	k.name = name
	k.b = k.room[:0]
	return k
}

func (k *call) free() {
	*k = call{do: k.do}
	calls.Put(k)
}

// find looks up what this system calls the option of a value, and reports whether it
// has it.
func (k *call) find(value any) bool {
	if u, ok := value.(interface{ number() (sys.Opt, error) }); ok {
		k.opt, k.err = u.number()
		return k.err == nil
	}
	var ok bool
	if k.opt, ok = sys.OptFind(k.name); !ok {
		k.err = errors.ErrUnsupported
	}
	return ok
}

// makeRoom makes room for what getsockopt tells.
func (k *call) makeRoom(value any) {
	n := roomOf(value)
	if n <= len(k.room) {
		k.b = k.room[:n]
	} else {
		k.b = make([]byte, n)
	}
}

func roomOf(value any) int {
	if v, ok := value.(interface{ room() int }); ok {
		return v.room()
	}
	return 4 // most are an int
}

// run makes the system call, unless the call has failed already.
func (k *call) run(fd uintptr) {
	if k.err == nil {
		if k.set {
			k.err = k.write(fd)
		} else {
			k.err = k.read(fd)
		}
	}
	if k.err != nil {
		k.socket = sys.OptSocketName(fd)
	}
}

func (k *call) write(fd uintptr) error {
	if k.attach {
		return callError("setsockopt", sys.OptSetProgram(fd, &k.opt, k.program))
	}
	return callError("setsockopt", sys.OptSet(fd, &k.opt, k.b))
}

func (k *call) read(fd uintptr) error {
	for {
		n, err := sys.OptGet(fd, &k.opt, k.b)
		if err != nil {
			return callError("getsockopt", err)
		}
		if n <= len(k.b) {
			k.b = k.b[:n]
			return nil
		}
		k.b = make([]byte, n)
	}
}

// control makes the call on c.
func (k *call) control(c syscall.Conn) error {
	if sys.IsNil(c) {
		return &Error{Option: k.name, Err: sys.ErrNil}
	}
	rc, err := c.SyscallConn()
	if err != nil {
		return &Error{Option: k.name, Err: closedError(err)}
	}
	return k.apply(rc)
}

// apply makes the call on c.
func (k *call) apply(c syscall.RawConn) error {
	if sys.IsNil(c) {
		return &Error{Option: k.name, Err: sys.ErrNil}
	}
	if err := c.Control(k.do); err != nil {
		return &Error{Option: k.name, Err: closedError(err)}
	}
	if k.err != nil {
		return &Error{Option: k.name, Socket: k.socket, Hint: k.hint(), Err: k.err}
	}
	return nil
}

// callError adds the system call to an errno; what was refused or missing before any
// call passes through.
func callError(call string, err error) error {
	if _, ok := err.(syscall.Errno); ok {
		return os.NewSyscallError(call, err)
	}
	return err
}
