package socktest

import (
	"os"
	"os/exec"
	"testing"
)

// NeedProgram finds a program that a test needs. Where it is missing the test is
// skipped, but not in continuous integration.
func NeedProgram(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
	return ""
}
