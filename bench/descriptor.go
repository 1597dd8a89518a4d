//go:build unix

package main

import (
	"errors"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
)

// perMessage is how many descriptors go in a message where more than one does.
const perMessage = sockets.MaxDescriptors

func init() {
	workloads = append(workloads, workload{"descriptors/pass a file", 0, []impl{
		{"net", pass(netFiles, 1)},
		{"net, 253 a message", pass(netFiles, perMessage)},
		{"sockets", pass(ourFile, 1)},
		{"sockets, 253 a message", pass(ourFiles, perMessage)},
	}}, workload{"descriptors/pass a number", 0, []impl{
		{"net", pass(netNumbers, 1)},
		{"net, 253 a message", pass(netNumbers, perMessage)},
		{"sockets", pass(ourNumbers, 1)},
		{"sockets, 253 a message", pass(ourNumbers, perMessage)},
	}})
}

// passing sends a file so many times through a unix socket, and receives as many
// files or numbers of descriptors, which the caller closes.
type passing[T any] struct {
	send    func(f *os.File, n int) error
	receive func(n int) ([]T, error)
	close   func(T) error
	finish  func()
}

func pass[T any](open func() (passing[T], error), each int) func() (func(int) (int, error), func(), error) {
	return func() (func(int) (int, error), func(), error) {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return nil, nil, err
		}
		p, err := open()
		if err != nil {
			f.Close()
			return nil, nil, err
		}
		return func(n int) (int, error) {
			done := 0
			for done < n {
				if err := p.send(f, each); err != nil {
					return 0, err
				}
				got, err := p.receive(each)
				if err != nil {
					return 0, err
				}
				for _, d := range got {
					if err := p.close(d); err != nil {
						return 0, err
					}
				}
				if done += len(got); len(got) != each {
					return 0, errors.New("another number of descriptors")
				}
			}
			return done, nil
		}, func() { p.finish(); f.Close() }, nil
	}
}

// netNumbers is what one has to write with package net.
func netNumbers() (passing[int], error) {
	dialed, accepted, err := networks[0].connected("unix")
	if err != nil {
		return passing[int]{}, err
	}
	a, b := dialed.(*net.UnixConn), accepted.(*net.UnixConn)
	buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4*perMessage))
	fds := make([]int, perMessage)
	return passing[int]{func(f *os.File, n int) error {
		return numbers(f, fds[:n], func() error {
			_, _, err := a.WriteMsgUnix(buf, unix.UnixRights(fds[:n]...), nil)
			return err
		})
	}, func(int) ([]int, error) {
		_, oobn, flags, _, err := b.ReadMsgUnix(buf, oob)
		if err != nil {
			return nil, err
		}
		if flags&syscall.MSG_CTRUNC != 0 {
			return nil, errors.New("descriptors were lost")
		}
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			return nil, err
		}
		var got []int
		for _, m := range messages {
			fds, err := unix.ParseUnixRights(&m)
			if err != nil {
				return nil, err
			}
			got = append(got, fds...)
		}
		return got, nil
	}, unix.Close, func() { a.Close(); b.Close() }}, nil
}

// numbers calls send with f's descriptor in all of fds, which stays open meanwhile.
func numbers(f *os.File, fds []int, send func() error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = raw.Control(func(fd uintptr) {
		for i := range fds {
			fds[i] = int(fd)
		}
		sendErr = send()
	})
	return errors.Join(err, sendErr)
}

func netFiles() (passing[*os.File], error) {
	p, err := netNumbers()
	return passing[*os.File]{p.send, func(n int) ([]*os.File, error) {
		fds, err := p.receive(n)
		files := make([]*os.File, len(fds))
		for i, fd := range fds {
			files[i] = os.NewFile(uintptr(fd), "passed")
		}
		return files, err
	}, (*os.File).Close, p.finish}, err
}

func ourUnixConns() (a, b *sockets.UnixConn, err error) {
	dialed, accepted, err := networks[1].connected("unix")
	if err != nil {
		return nil, nil, err
	}
	return dialed.(*sockets.UnixConn), accepted.(*sockets.UnixConn), nil
}

func ourFile() (passing[*os.File], error) {
	a, b, err := ourUnixConns()
	one := make([]*os.File, 1)
	return passing[*os.File]{func(f *os.File, _ int) error {
		return a.SendFD(f)
	}, func(int) (_ []*os.File, err error) {
		one[0], err = b.ReceiveFD()
		return one, err
	}, (*os.File).Close, func() { a.Close(); b.Close() }}, err
}

func ourFiles() (passing[*os.File], error) {
	a, b, err := ourUnixConns()
	buf, fds := make([]byte, 1), make([]syscall.Conn, perMessage)
	return passing[*os.File]{func(f *os.File, n int) error {
		for i := range fds[:n] {
			fds[i] = f
		}
		_, err := a.SendFDs(buf, fds[:n]...)
		return err
	}, func(n int) ([]*os.File, error) {
		_, files, err := b.ReceiveFDs(buf, n)
		return files, err
	}, (*os.File).Close, func() { a.Close(); b.Close() }}, err
}

func ourNumbers() (passing[int], error) {
	a, b, err := ourUnixConns()
	buf, fds, got := make([]byte, 1), make([]int, perMessage), make([]int, perMessage)
	return passing[int]{func(f *os.File, n int) error {
		return numbers(f, fds[:n], func() error {
			_, err := a.SendRawFDs(buf, fds[:n]...)
			return err
		})
	}, func(n int) ([]int, error) {
		_, n, err := b.ReceiveRawFDs(buf, got[:n])
		return got[:n], err
	}, unix.Close, func() { a.Close(); b.Close() }}, err
}
