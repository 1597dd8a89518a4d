package cost

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A program that only listens and dials has neither the index of encodings nor the
// tables of this module: they are reached from the names of encodings alone.
func TestLinkedTables(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	program := filepath.Join(t.TempDir(), "dial")
	if out, err := exec.Command(goTool, "build", "-o", program, "./testdata/dial").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(goTool, "tool", "nm", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	symbols := string(out)
	const codec = "github.com/iolib-go/sockets/internal/codec."
	if !strings.Contains(symbols, codec+"Of") {
		t.Fatal("no symbol of package codec: the test looks for the wrong ones")
	}
	for _, name := range []string{"rows", "newIndex", "Lookup", "pages"} {
		if strings.Contains(symbols, " "+codec+name+"\n") {
			t.Errorf("%s%s is linked", codec, name)
		}
	}
}
