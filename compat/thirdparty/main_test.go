package thirdparty_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	net "github.com/iolib-go/sockets/compat"
)

// TestMain fails the run if sockets stay open after all has been closed.
func TestMain(m *testing.M) {
	runProgram()
	// The first socket makes the runtime open what it keeps.
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close()
	}
	before := openSockets()
	code := m.Run()
	// Libraries close in the background.
	for end := time.Now().Add(10 * time.Second); openSockets() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			fmt.Printf("%d sockets are left open, %d were before the tests\n", openSockets(), before)
			code = 1
			break
		}
	}
	os.Exit(code)
}

// openSockets counts the descriptors that are sockets. It finds none where
// there is no proc(5).
func openSockets() int {
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		return 0
	}
	n := 0
	for _, link := range links {
		if what, err := os.Readlink(link); err == nil && strings.HasPrefix(what, "socket:") {
			n++
		}
	}
	return n
}
