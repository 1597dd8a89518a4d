//go:build unix

package main

import (
	"errors"
	"net"
	"os"
	"runtime"
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

// passing sends files through a unix socket, and receives as many files or numbers of
// descriptors, which the caller closes.
type passing[T any] struct {
	send    func(files []*os.File) error
	receive func(n int) ([]T, error)
	close   func(T) error
	finish  func()
}

func pass[T any](open func() (passing[T], error), each int) func() (func(int) (int, error), func(), error) {
	return func() (func(int) (int, error), func(), error) {
		files := make([]*os.File, 0, each)
		closeFiles := func() {
			for _, f := range files {
				f.Close()
			}
		}
		for range each {
			f, err := os.Open(os.DevNull)
			if err != nil {
				closeFiles()
				return nil, nil, err
			}
			files = append(files, f)
		}
		p, err := open()
		if err != nil {
			closeFiles()
			return nil, nil, err
		}
		return func(n int) (int, error) {
			done := 0
			for done < n {
				if err := p.send(files); err != nil {
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
		}, func() { p.finish(); closeFiles() }, nil
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
	return passing[int]{func(files []*os.File) error {
		_, _, err := a.WriteMsgUnix(buf, unix.UnixRights(numbers(fds, files)...), nil)
		runtime.KeepAlive(files)
		return err
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

// numbers returns the descriptors of files, in fds. They stay valid as long as no
// goroutine closes a file, which the SendFDs of this package prevents and this does not.
func numbers(fds []int, files []*os.File) []int {
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	return fds[:len(files)]
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
	return passing[*os.File]{func(files []*os.File) error {
		return a.SendFD(files[0])
	}, func(int) (_ []*os.File, err error) {
		one[0], err = b.ReceiveFD()
		return one, err
	}, (*os.File).Close, func() { a.Close(); b.Close() }}, err
}

func ourFiles() (passing[*os.File], error) {
	a, b, err := ourUnixConns()
	buf, fds := make([]byte, 1), make([]syscall.Conn, perMessage)
	return passing[*os.File]{func(files []*os.File) error {
		for i, f := range files {
			fds[i] = f
		}
		_, err := a.SendFDs(buf, fds[:len(files)]...)
		return err
	}, func(n int) ([]*os.File, error) {
		_, files, err := b.ReceiveFDs(buf, n)
		return files, err
	}, (*os.File).Close, func() { a.Close(); b.Close() }}, err
}

func ourNumbers() (passing[int], error) {
	a, b, err := ourUnixConns()
	buf, fds, got := make([]byte, 1), make([]int, perMessage), make([]int, perMessage)
	return passing[int]{func(files []*os.File) error {
		_, err := a.SendRawFDs(buf, numbers(fds, files)...)
		runtime.KeepAlive(files)
		return err
	}, func(n int) ([]int, error) {
		_, n, err := b.ReceiveRawFDs(buf, got[:n])
		return got[:n], err
	}, unix.Close, func() { a.Close(); b.Close() }}, err
}
