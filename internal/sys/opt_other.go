//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd

package sys

import (
	"errors"
	"time"
)

// optTables is empty: OptFind finds nothing, so nothing below is ever reached with
// an option that exists.
var optTables [][]Opt

func OptGetInt(fd uintptr, o Opt) (int, error) { return 0, errors.ErrUnsupported }

func OptSetInt(fd uintptr, o Opt, v int) error { return errors.ErrUnsupported }

func OptGetUint64(fd uintptr, o Opt) (uint64, error) { return 0, errors.ErrUnsupported }

func OptSetUint64(fd uintptr, o Opt, v uint64) error { return errors.ErrUnsupported }

func OptGetBytes(fd uintptr, o Opt, b []byte) (int, error) { return 0, errors.ErrUnsupported }

func OptGetString(fd uintptr, o Opt) (string, error) { return "", errors.ErrUnsupported }

func OptSetString(fd uintptr, o Opt, v string) error { return errors.ErrUnsupported }

func OptGetInet4Addr(fd uintptr, o Opt) ([4]byte, error) { return [4]byte{}, errors.ErrUnsupported }

func OptSetInet4Addr(fd uintptr, o Opt, v [4]byte) error { return errors.ErrUnsupported }

func OptGetLinger(fd uintptr, o Opt) (on bool, seconds int, err error) {
	return false, 0, errors.ErrUnsupported
}

func OptSetLinger(fd uintptr, o Opt, on bool, seconds int) error { return errors.ErrUnsupported }

func OptGetTimeval(fd uintptr, o Opt) (time.Duration, error) { return 0, errors.ErrUnsupported }

func OptSetTimeval(fd uintptr, o Opt, v time.Duration) error { return errors.ErrUnsupported }

func OptSocketName(fd uintptr) string { return "" }
