//go:build linux && amd64

package inject

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/iolib-go/sockets"
)

// full returns a connection in which n bytes are ready, and then the end.
func full(network string, n int) (src net.Conn, data []byte, err error) {
	in, src, err := pair(network)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	data = pattern(n)
	_, err = in.Write(data)
	return src, data, err
}

// copied copies while system calls fail. The error is what is wrong with that of the
// copy, which is failed.
func copied(dst io.Writer, src io.Reader) (n int64, failed, err error) {
	mark(true)
	n, failed = sockets.Copy(dst, src)
	mark(false)
	return n, failed, proper(failed)
}

// account compares what was moved, and what src has left, with the data. A copy to a
// file may lose what the file did not take: io.Copy reads it, where splice does not work.
func account(data, moved []byte, src net.Conn, n int64, failed error, mayLose bool) error {
	left, err := readRest(src)
	if err != nil {
		return err
	}
	whole := bytes.Equal(append(bytes.Clone(moved), left...), data)
	if mayLose && failed != nil {
		whole = bytes.HasPrefix(data, moved) && bytes.HasSuffix(data, left)
	}
	if int64(len(moved)) != n || !whole || failed == nil && len(left) > 0 {
		return fmt.Errorf("a copy of %d says %d, %v; %d arrive and %d are left", len(data), n, failed, len(moved), len(left))
	}
	return nil
}

// transfer copies from one connection to another. What the copy says that it has moved
// has arrived, and the rest can be read.
func transfer(from, to string) error {
	src, data, err := full(from, 50000)
	if err != nil {
		return err
	}
	dst, out, err := pair(to)
	if err != nil {
		return err
	}
	defer closeAll(src, dst, out)
	n, failed, err := copied(dst, src)
	if err != nil {
		return err
	}
	dst.Close()
	moved, err := readRest(out)
	if err != nil {
		return err
	}
	return account(data, moved, src, n, failed, false)
}

func toFile(dir string) error {
	src, data, err := full("tcp", 50000)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "to"))
	if err != nil {
		return err
	}
	defer closeAll(src, f)
	n, failed, err := copied(f, src)
	if err != nil {
		return err
	}
	moved, err := os.ReadFile(f.Name())
	if err != nil {
		return err
	}
	return account(data, moved, src, n, failed, true)
}

func toPipe(string) error {
	src, data, err := full("unix", 30000)
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer closeAll(src, r, w)
	n, failed, err := copied(w, src)
	if err != nil {
		return err
	}
	w.Close()
	moved, err := readRest(r)
	if err != nil {
		return err
	}
	return account(data, moved, src, n, failed, true)
}

func fromFile(dir string) error {
	dst, out, err := pair("tcp")
	if err != nil {
		return err
	}
	name := filepath.Join(dir, "from")
	data := pattern(50000)
	if err := os.WriteFile(name, data, 0o600); err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer closeAll(dst, out, f)
	n, failed, err := copied(dst, f)
	if err != nil {
		return err
	}
	dst.Close()
	moved, err := readRest(out)
	if err != nil {
		return err
	}
	if int64(len(moved)) != n || !bytes.HasPrefix(data, moved) || failed == nil && n < int64(len(data)) {
		return fmt.Errorf("a copy of %d says %d, %v; %d arrive", len(data), n, failed, len(moved))
	}
	return nil
}
