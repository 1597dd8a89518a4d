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
const perMessage = 100

func init() {
	workloads = append(workloads, workload{"descriptors/pass a file", 0, []impl{
		{"net", passFiles(netDescriptors, 1)},
		{"net, 100 a message", passFiles(netDescriptors, perMessage)},
		{"sockets", passFiles(ourDescriptor, 1)},
		{"sockets, 100 a message", passFiles(ourDescriptors, perMessage)},
	}})
}

// passing sends a file so many times through a unix socket, and receives as many
// files, which the caller closes.
type passing struct {
	send    func(f *os.File, n int) error
	receive func(n int) ([]*os.File, error)
}

func passFiles(open func() (passing, func(), error), each int) func() (func(int) (int, error), func(), error) {
	return func() (func(int) (int, error), func(), error) {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return nil, nil, err
		}
		p, closeBoth, err := open()
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
				for _, f := range got {
					if err := f.Close(); err != nil {
						return 0, err
					}
				}
				if done += len(got); len(got) != each {
					return 0, errors.New("another number of files")
				}
			}
			return done, nil
		}, func() { closeBoth(); f.Close() }, nil
	}
}

// netDescriptors is what one has to write with package net.
func netDescriptors() (passing, func(), error) {
	dialed, accepted, err := networks[0].connected("unix")
	if err != nil {
		return passing{}, nil, err
	}
	a, b := dialed.(*net.UnixConn), accepted.(*net.UnixConn)
	buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4*perMessage))
	fds := make([]int, perMessage)
	return passing{func(f *os.File, n int) error {
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		var sendErr error
		err = raw.Control(func(fd uintptr) {
			for i := range fds[:n] {
				fds[i] = int(fd)
			}
			_, _, sendErr = a.WriteMsgUnix(buf, unix.UnixRights(fds[:n]...), nil)
		})
		return errors.Join(err, sendErr)
	}, func(n int) ([]*os.File, error) {
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
		var files []*os.File
		for _, m := range messages {
			fds, err := unix.ParseUnixRights(&m)
			if err != nil {
				return nil, err
			}
			for _, fd := range fds {
				files = append(files, os.NewFile(uintptr(fd), "passed"))
			}
		}
		return files, nil
	}}, func() { a.Close(); b.Close() }, nil
}

func ourUnixConns() (a, b *sockets.UnixConn, err error) {
	dialed, accepted, err := networks[1].connected("unix")
	if err != nil {
		return nil, nil, err
	}
	return dialed.(*sockets.UnixConn), accepted.(*sockets.UnixConn), nil
}

func ourDescriptor() (passing, func(), error) {
	a, b, err := ourUnixConns()
	if err != nil {
		return passing{}, nil, err
	}
	one := make([]*os.File, 1)
	return passing{func(f *os.File, _ int) error {
		return a.SendFD(f)
	}, func(int) ([]*os.File, error) {
		one[0], err = b.ReceiveFD()
		return one, err
	}}, func() { a.Close(); b.Close() }, nil
}

func ourDescriptors() (passing, func(), error) {
	a, b, err := ourUnixConns()
	if err != nil {
		return passing{}, nil, err
	}
	buf, fds := make([]byte, 1), make([]syscall.Conn, perMessage)
	return passing{func(f *os.File, n int) error {
		for i := range fds[:n] {
			fds[i] = f
		}
		_, err := a.SendFDs(buf, fds[:n]...)
		return err
	}, func(n int) ([]*os.File, error) {
		_, files, err := b.ReceiveFDs(buf, n)
		return files, err
	}}, func() { a.Close(); b.Close() }, nil
}
