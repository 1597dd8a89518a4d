package sys

import (
	"errors"
	"os"
	"sync"
)

// IsFileClosed reports whether err is what a closed os.File or its RawConn answers.
func IsFileClosed(err error) bool {
	return errors.Is(err, os.ErrClosed) || errors.Is(err, fileClosed())
}

// fileClosed returns what the RawConn of a closed os.File answers: an error of
// package os's own that matches no exported one.
var fileClosed = sync.OnceValue(func() error {
	// No system numbers its descriptors this high, so none is opened here and
	// none is closed.
	f := os.NewFile(1<<31-1, "")
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	f.Close()
	return rc.Control(func(uintptr) {})
})
