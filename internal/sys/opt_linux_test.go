package sys

import (
	"errors"
	"syscall"
	"testing"
)

func TestOptError(t *testing.T) {
	for errno, unsupported := range map[syscall.Errno]bool{524: true, syscall.EOPNOTSUPP: true, syscall.EINVAL: false, syscall.ERANGE: false} {
		err := optError(errno)
		if errors.Is(err, errors.ErrUnsupported) != unsupported || !unsupported && err != errno {
			t.Errorf("error %v for %d, unsupported: want %v", err, errno, unsupported)
		}
	}
}
