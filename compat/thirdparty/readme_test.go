package thirdparty_test

import (
	"maps"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLibraryTable compares the table of libraries in docs/switching.md with the versions
// in go.mod that these tests run with.
func TestLibraryTable(t *testing.T) {
	gomod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^\s+(\S+) (v\S+)$`).FindAllStringSubmatch(string(gomod), -1) {
		want[m[1]] = m[2]
	}
	maps.DeleteFunc(want, func(module, _ string) bool {
		switch module {
		case "github.com/iolib-go/sockets", "github.com/google/go-cmp", "golang.org/x/sys", "github.com/cloudflare/tableflip":
			return true // the subject, what the tests themselves need, and a rival
		}
		return false
	})

	const file = "../../docs/switching.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]*\\.[^`]*/[^`]*)` \\| (v\\S+) \\|").FindAllStringSubmatch(string(text), -1) {
		got[m[1]] = m[2]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("libraries mismatch (-go.mod +%s):\n%s", file, diff)
	}
}
