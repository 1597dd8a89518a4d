package socktest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TempFile returns a file with the data, opened with the flags.
func TempFile(t testing.TB, data []byte, flag int) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, flag, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// RandomBytes returns n bytes that do not repeat.
func RandomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(rand.Uint32())}).Read(b)
	return b
}

// ShortDir returns a directory that is removed with the test, and whose name is short
// enough for the address of a unix socket, unix(7).
func ShortDir(tb testing.TB) string {
	tb.Helper()
	// Unlike os.MkdirTemp's, the name always has the same length.
	d := filepath.Join(os.TempDir(), fmt.Sprintf("s%08x", rand.Uint32()))
	if err := os.Mkdir(d, 0o700); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(d) })
	return d
}
