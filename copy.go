package sockets

import (
	"io"
	"math"
	"net"
	"os"
	"reflect"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// Copy is like [io.Copy], but leaves the work to the kernel wherever that is faster,
// using sendfile(2) and splice(2). It does so for stream connections of this package
// and of package net, including unix ones, and for files and pipes of package os, in
// any combination. src may be an [*io.LimitedReader] on one of these. Everything else
// is left to io.Copy: TLS connections, and types that embed one of the above, because
// they may have their own Read or Write.
//
// The deadlines of both ends apply. Copy returns how many bytes dst has taken. If
// writing to dst fails, more than that may have been read from src. If src is a
// connection of this package, those bytes are kept for its next read. If it is one of
// package net, up to 1 MiB is lost, where io.Copy would lose up to its buffer.
//
// Several goroutines may read from src at the same time, including with another Copy;
// each byte goes to one of them. Bytes that an interrupted Copy gives back are read
// before everything that had not been read by then, so a reader that was waiting in the
// meantime may have received bytes that follow them, or receives them only when more
// arrive.
//
// If standard output is a broken pipe, Copy returns an error, as io.Copy does from
// package net's connections. Package os does not recognize connections of this package:
// io.Copy to os.Stdout from a [*UnixConn] or from an *io.LimitedReader ends the process
// with SIGPIPE.
//
// Errors are those of dst.ReadFrom, or those of src.WriteTo if dst is not a connection
// of this package.
func Copy(dst io.Writer, src io.Reader) (int64, error) {
	n, handled, err := transfer(dst, src)
	if handled {
		return n, transferError(dst, src, err)
	}
	m, err := io.Copy(dst, src)
	return n + m, err
}

// readFrom is the ReadFrom of those types that have one. io.Copy does not see it in c,
// but a WriteTo of another package may hand c to us.
func (c *conn) readFrom(r io.Reader) (int64, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	n, handled, err := transfer(c, r)
	if !handled {
		var m int64
		m, err = io.Copy(c, r)
		n += m
	}
	return n, opError(c.fd, "readfrom", err)
}

// writeTo is the WriteTo of those types that have one. io.Copy does not see it in c,
// but a ReadFrom of another package, like that of package http, may hand c to us.
func (c *conn) writeTo(w io.Writer) (int64, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	n, handled, err := transfer(w, c)
	if handled {
		return n, c.writeToError(w, err)
	}
	m, err := io.Copy(w, c)
	return n + m, opError(c.fd, "writeto", err)
}

// endKind says what a transfer may do with one of its ends.
type endKind uint8

const (
	noEnd      endKind = iota // nothing: it has to be called
	socketEnd                 // a stream
	fileEnd                   // whatever package os opens
	foreignEnd                // sendfile from, the way package net does
)

// transfer moves bytes from r to w inside the kernel, and tells an
// *io.LimitedReader about it. If it is not handled, the rest has to be copied.
// Errors come without *net.OpError.
func transfer(w io.Writer, r io.Reader) (written int64, handled bool, err error) {
	if !sys.HasSendfile && !sys.HasSplice {
		return 0, false, nil
	}
	limit := int64(math.MaxInt64)
	if lr, ok := r.(*io.LimitedReader); ok {
		if lr.N <= 0 {
			return 0, true, nil
		}
		defer func() { lr.N -= written }()
		limit, r = lr.N, lr.R
	}
	src, from := sourceOf(r)
	if from == noEnd {
		return 0, false, nil
	}
	dst, to := destinationOf(w)
	if to == noEnd {
		return 0, false, nil
	}

	// What a file is cannot be known. The kernel refuses what it is not made for
	// before anything has moved, and a refusal costs less than to ask.
	if from != socketEnd && to == socketEnd {
		written, handled, err = netfd.Sendfile(dst, src, limit)
	}
	if !handled && from != foreignEnd && (from == fileEnd || to == fileEnd) {
		var n int64
		n, handled, err = netfd.SpliceDirect(dst, src, limit-written)
		written += n
		if to == socketEnd {
			err = writeError(w, err)
		}
	}
	if !handled && from == socketEnd {
		var n int64
		n, handled, err = netfd.Splice(dst, src, limit-written)
		written += n
	}
	return written, handled, err
}

// sourceOf returns r as the end of a transfer.
//
// That r has a SyscallConn method is not enough: a TLS connection may have one
// for the benefit of those who set options, and what is in its socket is not what
// Read returns. So only types whose Read is known to be read(2) are taken, and for
// others just sendfile is tried, which refuses all but files.
func sourceOf(r io.Reader) (netfd.End, endKind) {
	if c := connOf(r); c != nil {
		return connEnd(c)
	}
	if r, ok := r.(syscall.Conn); ok {
		if end, kind := foreign(r); kind != noEnd {
			return end, kind
		}
		if raw, err := r.SyscallConn(); err == nil {
			return netfd.End{Raw: raw}, foreignEnd
		}
	}
	return netfd.End{}, noEnd
}

// destinationOf returns w as the end of a transfer.
func destinationOf(w io.Writer) (netfd.End, endKind) {
	if c := connOf(w); c != nil {
		return connEnd(c)
	}
	if w, ok := w.(syscall.Conn); ok {
		return foreign(w)
	}
	return netfd.End{}, noEnd
}

func connEnd(c *conn) (netfd.End, endKind) {
	// Spliced packets would lose their bounds, as those of SCTP, which calls itself
	// a stream, too.
	inet := c.ok() && (c.fd.Family == sys.AF_INET || c.fd.Family == sys.AF_INET6)
	if !c.ok() || c.fd.Type != sys.SOCK_STREAM || inet && !isTCP(c.fd) {
		return netfd.End{}, noEnd
	}
	return c.fd.End(), socketEnd
}

// connOf returns the core of a connection of this package, nil for others.
func connOf(x any) *conn {
	switch x := x.(type) {
	case *conn:
		return x
	case *TCPConn:
		return &x.conn
	case *UnixConn:
		return &x.conn
	case *StreamConn:
		return &x.conn
	}
	return nil
}

// foreign returns a value of package net or os as the end of a transfer.
func foreign(c syscall.Conn) (netfd.End, endKind) {
	kind, unix := noEnd, false
	switch c := c.(type) {
	case *net.TCPConn:
		kind = socketEnd
	case *net.UnixConn:
		if a := c.LocalAddr(); a != nil && a.Network() == "unix" {
			kind, unix = socketEnd, true
		}
	case *os.File:
		kind = fileEnd
	default:
		// What io.Copy gets from their own ReadFrom and WriteTo: a struct that
		// hides the one or the other.
		switch reflect.TypeOf(c).PkgPath() {
		case "net":
			kind = socketEnd
		case "os":
			kind = fileEnd
		}
	}
	if kind == noEnd {
		return netfd.End{}, noEnd
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return netfd.End{}, noEnd
	}
	return netfd.End{Raw: raw, File: kind == fileEnd, Unix: unix}, kind
}

// transferError makes the error of a transfer what dst.ReadFrom or src.WriteTo
// would have made of it.
func transferError(dst io.Writer, src io.Reader, err error) error {
	if err == nil {
		return nil
	}
	if lr, ok := src.(*io.LimitedReader); ok {
		src = lr.R
	}
	if connOf(dst) != nil {
		return readFromError(dst, err)
	}
	if c := connOf(src); c != nil {
		return c.writeToError(dst, err)
	}
	err = readFromError(dst, err)
	if s, ok := src.(net.Conn); ok {
		if _, ok := dst.(net.Conn); !ok {
			return foreignError(s, "writeto", err)
		}
	}
	return err
}

// writeToError makes the error of a transfer what c.WriteTo would have made of it.
func (c *conn) writeToError(dst io.Writer, err error) error {
	if _, ok := dst.(io.ReaderFrom); ok {
		err = readFromError(dst, err)
	}
	return opError(c.fd, "writeto", err)
}

// readFromError makes the error of a transfer what dst.ReadFrom would have made of it.
func readFromError(dst io.Writer, err error) error {
	if f, ok := dst.(*os.File); ok {
		return pathError(f, err)
	}
	return connError(dst, "readfrom", err)
}

// writeError makes the error of a transfer what dst.Write would have made of it: from
// what is no file with a length, package net copies to a connection.
func writeError(dst io.Writer, err error) error {
	return connError(dst, "write", err)
}

// connError is opError for dst, if that is a connection.
func connError(dst io.Writer, op string, err error) error {
	if c := connOf(dst); c != nil {
		return opError(c.fd, op, err)
	}
	if c, ok := dst.(net.Conn); ok {
		return foreignError(c, op, err)
	}
	return err
}
