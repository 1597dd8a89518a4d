//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/sockopt"
)

// TestDescriptorLimit receives with each number of free descriptors that is too
// small, in a process of its own.
func TestDescriptorLimit(t *testing.T) {
	if out, err := childCommand(t, "descriptor-limit").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func init() { children["descriptor-limit"] = descriptorLimit }

func descriptorLimit() error {
	const sent = 5
	for _, network := range unixNetworks {
		for free := range sent + 2 {
			for _, pass := range []bool{false, true} {
				if err := receiveWithin(network, sent, free, pass); err != nil {
					return fmt.Errorf("%s, %d descriptors, %d free, pidfd %t: %w", network, sent, free, pass, err)
				}
			}
		}
		if err := receiveOneWithin(network); err != nil {
			return fmt.Errorf("%s, ReceiveFD: %w", network, err)
		}
	}
	return nil
}

// limitFree lets this process open so many descriptors more, and returns how to
// lift the limit.
func limitFree(free int) (lift func(), err error) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		return nil, err
	}
	// The lowest numbers are given out first, so that the limit is at the number
	// behind the last free one.
	var taken []int
	for range free + 1 {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		taken = append(taken, fd)
	}
	limit := old
	limit.Cur = uint64(taken[free])
	for _, fd := range taken {
		unix.Close(fd)
	}
	lift = func() { syscall.Setrlimit(unix.RLIMIT_NOFILE, (*syscall.Rlimit)(&old)) }
	return lift, syscall.Setrlimit(unix.RLIMIT_NOFILE, (*syscall.Rlimit)(&limit))
}

func receiveWithin(network string, sent, free int, pass bool) error {
	a, b, err := sockets.Pair(network)
	if err != nil {
		return err
	}
	defer a.Close()
	defer b.Close()
	if pass {
		if err := sockopt.PassPIDFD.Set(b, true); err != nil {
			pass = false
		}
	}
	fds := make([]syscall.Conn, sent)
	for i := range fds {
		fds[i] = a
	}
	if _, err := a.SendFDs([]byte("data"), fds...); err != nil {
		return err
	}
	before := openFiles()
	lift, err := limitFree(free)
	if err != nil {
		return err
	}
	defer lift()
	buf := make([]byte, 10)
	n, files, err := b.ReceiveFDs(buf, sent)
	lift()
	if string(buf[:n]) != "data" {
		return fmt.Errorf("got %q", buf[:n])
	}
	// The kernel says nothing if the number that is missing is that of the pidfd.
	if free >= sent {
		if len(files) != sent || err != nil {
			return fmt.Errorf("got %d files, %v", len(files), err)
		}
		closeFiles(files)
	} else if files != nil || !errors.Is(err, sockets.ErrDescriptorsLost) || !errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("got %d files, %v", len(files), err)
	}
	if after := openFiles(); !cmp.Equal(before, after) {
		return fmt.Errorf("descriptors mismatch (-before +after):\n%s", cmp.Diff(before, after))
	}
	if err := a.SendFD(a); err != nil {
		return err
	}
	f, err := b.ReceiveFD()
	if err != nil {
		return fmt.Errorf("the next one: %w", err)
	}
	return f.Close()
}

// receiveOneWithin checks that ReceiveFD goes on behind a descriptor it had no
// number for.
func receiveOneWithin(network string) error {
	a, b, err := sockets.Pair(network)
	if err != nil {
		return err
	}
	defer a.Close()
	defer b.Close()
	if err := a.SendFD(a); err != nil {
		return err
	}
	lift, err := limitFree(0)
	if err != nil {
		return err
	}
	defer lift()
	if _, err := b.ReceiveFD(); !errors.Is(err, sockets.ErrDescriptorsLost) || !errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("got %v", err)
	}
	lift()
	if err := a.SendFD(a); err != nil {
		return err
	}
	f, err := b.ReceiveFD()
	if err != nil {
		return fmt.Errorf("with a free number: %w", err)
	}
	return f.Close()
}
