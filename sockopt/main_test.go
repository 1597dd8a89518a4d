//go:build linux

package sockopt

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets/internal/socktest"
)

func TestMain(m *testing.M) {
	socktest.Examples["Example"] = kernelOptions
	os.Exit(socktest.Run(m))
}

// kernelOptions asks plainly whether options come to a kernel as they are: an emulator of
// another processor knows some alone, and answers ENOPROTOOPT for the others; gVisor
// accepts others, and does not keep them.
var kernelOptions = sync.OnceValue(func() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, 1<<20); err != nil {
		return fmt.Errorf("SO_MAX_PACING_RATE, of Linux 3.13: %w", err)
	}
	if rate, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE); err != nil || rate != 1<<20 {
		return fmt.Errorf("SO_MAX_PACING_RATE is %d after it was set to %d: %w", rate, 1<<20, err)
	}
	return nil
})

// NeedKernelOptions skips the test if an emulator answers for the kernel, or is it.
func NeedKernelOptions(t *testing.T) {
	t.Helper()
	if err := kernelOptions(); err != nil {
		t.Skip("no options of the kernel: ", err)
	}
}
