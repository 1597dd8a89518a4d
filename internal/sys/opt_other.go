//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd

package sys

import (
	"errors"
	"time"

	"golang.org/x/net/bpf"
)

// optTables is empty: OptFind finds nothing, so that only options by number come
// here.
var optTables [][]Opt

func OptGet(uintptr, *Opt, []byte) (int, error) { return 0, errors.ErrUnsupported }

func OptSet(uintptr, *Opt, []byte) error { return errors.ErrUnsupported }

func OptSetProgram(uintptr, *Opt, []bpf.RawInstruction) error { return errors.ErrUnsupported }

func OptChoices(*Opt) string { return "" }

func OptSocketName(uintptr) string { return "" }

func AppendLinger(b []byte, on bool, seconds int) []byte { return b }

func Linger([]byte) (on bool, seconds int) { return false, 0 }

func AppendTimeval(b []byte, _ time.Duration) []byte { return b }

func Timeval([]byte) time.Duration { return 0 }
