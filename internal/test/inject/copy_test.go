//go:build linux && amd64

package inject

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/iolib-go/sockets"
)

// transfer copies from one connection to another. What the copy says that it has moved
// has arrived, and the rest can be read.
func transfer(from, to string) error {
	in, src, err := pair(from)
	if err != nil {
		return err
	}
	dst, out, err := pair(to)
	if err != nil {
		return err
	}
	defer closeAll(in, src, dst, out)
	data := pattern(50000)
	if _, err := in.Write(data); err != nil {
		return err
	}
	in.Close()
	mark(true)
	n, cerr := sockets.Copy(dst, src)
	mark(false)
	if err := proper(cerr); err != nil {
		return err
	}
	dst.Close()
	moved, err := readRest(out)
	if err != nil {
		return err
	}
	rest, err := readRest(src)
	if err != nil {
		return err
	}
	return account(data, moved, rest, n, cerr)
}

// account compares what was moved, and what is left, with the data.
func account(data, moved, rest []byte, n int64, err error) error {
	if int64(len(moved)) != n || !bytes.Equal(append(bytes.Clone(moved), rest...), data) || err == nil && len(rest) > 0 {
		return fmt.Errorf("a copy of %d says %d, %v; %d arrive and %d are left", len(data), n, err, len(moved), len(rest))
	}
	return nil
}

func toFile(dir string) error {
	in, src, err := pair("tcp")
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "to"))
	if err != nil {
		return err
	}
	defer closeAll(in, src, f)
	data := pattern(50000)
	if _, err := in.Write(data); err != nil {
		return err
	}
	in.Close()
	mark(true)
	n, cerr := sockets.Copy(f, src)
	mark(false)
	if err := proper(cerr); err != nil {
		return err
	}
	moved, err := os.ReadFile(f.Name())
	if err != nil {
		return err
	}
	rest, err := readRest(src)
	if err != nil {
		return err
	}
	if cerr != nil && int64(len(moved)) == n && bytes.HasPrefix(data, moved) && bytes.HasSuffix(data, rest) {
		return nil // io.Copy read what a file did not take, where splice does not work
	}
	return account(data, moved, rest, n, cerr)
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
	mark(true)
	n, cerr := sockets.Copy(dst, f)
	mark(false)
	if err := proper(cerr); err != nil {
		return err
	}
	dst.Close()
	moved, err := readRest(out)
	if err != nil {
		return err
	}
	if int64(len(moved)) != n || !bytes.HasPrefix(data, moved) || cerr == nil && n < int64(len(data)) {
		return fmt.Errorf("a copy of %d says %d, %v; %d arrive", len(data), n, cerr, len(moved))
	}
	return nil
}

func toPipe(string) error {
	in, src, err := pair("unix")
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer closeAll(in, src, r, w)
	data := pattern(30000)
	if _, err := in.Write(data); err != nil {
		return err
	}
	in.Close()
	mark(true)
	n, cerr := sockets.Copy(w, src)
	mark(false)
	if err := proper(cerr); err != nil {
		return err
	}
	w.Close()
	moved, err := readRest(r)
	if err != nil {
		return err
	}
	rest, err := readRest(src)
	if err != nil {
		return err
	}
	if cerr != nil && int64(len(moved)) == n && bytes.HasPrefix(data, moved) && bytes.HasSuffix(data, rest) {
		return nil
	}
	return account(data, moved, rest, n, cerr)
}
