package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets/internal/socktest"
)

// TestSameOutput builds the program as it is and with package net, and runs
// both.
func TestSameOutput(t *testing.T) {
	socktest.NeedLoopback(t)
	socktest.NeedEmptyWrite(t) // or the program waits for one
	const sockets = "github.com/iolib-go/sockets"
	if runtime.GOOS == "windows" {
		t.Skip("package compat is nothing but net on Windows")
	}
	dir := t.TempDir()
	text, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	const imported = `net "github.com/iolib-go/sockets/compat"`
	if n := strings.Count(string(text), imported); n != 1 {
		t.Fatalf("main.go imports package compat %d times", n)
	}
	original := filepath.Join(dir, "main.go")
	if err := os.WriteFile(original, []byte(strings.Replace(string(text), imported, `"net"`, 1)), 0o666); err != nil {
		t.Fatal(err)
	}
	main, err := filepath.Abs("main.go")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{main: original}})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o666); err != nil {
		t.Fatal(err)
	}

	outputs := make(map[string]string)
	for name, flags := range map[string][]string{"net": {"-overlay", overlayFile}, "compat": nil} {
		packages := strings.Fields(command(t, "go", slices.Concat([]string{"list", "-deps"}, flags)...))
		if uses := slices.Contains(packages, sockets); uses != (name == "compat") {
			t.Errorf("%s: the program uses package sockets: %t", name, uses)
		}
		program := filepath.Join(dir, name+".exe")
		command(t, "go", slices.Concat([]string{"build", "-o", program}, flags)...)
		outputs[name] = command(t, program)
	}
	if !strings.HasSuffix(outputs["net"], "*net.OpError: dial tcp 127.0.0.1:80: operation was canceled true\n") {
		t.Errorf("the program does not reach its end:\n%s", outputs["net"])
	}
	if diff := cmp.Diff(outputs["net"], outputs["compat"]); diff != "" {
		t.Errorf("output mismatch (-net +compat):\n%s", diff)
	}
}

// command runs a program and returns what it printed.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out, &stderr)
	}
	return string(out)
}
