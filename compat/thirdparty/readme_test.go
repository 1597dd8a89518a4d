package thirdparty_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestREADME compares the table of libraries in the README with the versions
// in go.mod that these tests run with.
func TestREADME(t *testing.T) {
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
		case "github.com/iolib-go/sockets", "github.com/google/go-cmp", "golang.org/x/sys":
			return true // the subject, and what the tests themselves need
		}
		return false
	})

	// The part about compat may be in a file of its own.
	files, err := filepath.Glob("../../README*.md")
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?m)^\\| `([^`]*\\.[^`]*/[^`]*)` \\| (v\\S+) \\|").FindAllStringSubmatch(string(text), -1) {
			got[m[1]] = m[2]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("libraries mismatch (-go.mod +%s):\n%s", strings.Join(files, ", "), diff)
	}
}
