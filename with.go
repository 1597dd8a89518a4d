package sockets

import (
	"errors"
	"io"
	"net"
	"os"
)

// With calls f with what a constructor returned, and closes it when f returns or
// panics. It returns err without calling f, or f's error, joined with that of Close.
//
//	c, err := sockets.Dial("tcp", "localhost:80")
//	err = sockets.With(c, err, func(c net.Conn) error { ... })
func With[C io.Closer](c C, err error, f func(c C) error) (result error) {
	if err != nil {
		return err
	}
	defer func() {
		err := c.Close()
		switch {
		case err == nil, errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrClosed):
			// f may have closed it.
		case result == nil:
			result = err
		default:
			result = errors.Join(result, err)
		}
	}()
	return f(c)
}
