package sockets_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmePrograms runs every Go program in README.md as a reader would.
func TestReadmePrograms(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	programs := regexp.MustCompile("(?s)```go\n(package main.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(programs) == 0 {
		t.Fatal("no program in README.md")
	}
	for _, p := range programs {
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(p[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("go", "run", file).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s\n%s", err, out, p[1])
		}
		if !strings.Contains(string(out), "200 OK") {
			t.Errorf("output %q, want 200 OK in it", out)
		}
	}
}

// TestReadmeFiles checks that the map of the files names files that exist.
func TestReadmeFiles(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, m, ok := strings.Cut(string(readme), "## Map of the files")
	if !ok {
		t.Fatal("no map of the files in README.md")
	}
	names := regexp.MustCompile(`[a-z_]+(\*)?\.go|internal/[a-z]+|compat/|bench/`).FindAllString(m, -1)
	if len(names) == 0 {
		t.Fatal("the map names no files")
	}
	for _, name := range names {
		if found, err := filepath.Glob(name); err != nil || len(found) == 0 {
			t.Errorf("%s: no such file", name)
		}
	}
}
