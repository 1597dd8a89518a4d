package main

import (
	"errors"
	"fmt"
	"go/build"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// releases tells which minor release of Go 1 introduced a name of net.
type releases struct {
	base      int            // the module's own: its names need no build tag
	toolchain int            // the one running
	since     map[string]int // by name; a name that is missing is in no release yet
}

// of returns the release that the build tag of name's file asks for, and 0 if
// every Go that can build the module has the name.
func (r releases) of(name string) int {
	release, ok := r.since[name]
	if !ok {
		release = r.toolchain
	}
	if release <= r.base {
		return 0
	}
	return release
}

// moduleReleases finds out the releases for the module that holds dir.
//
// The error is fs.ErrNotExist if the toolchain is newer than the module and
// came without its api folder, as those that the go command downloads do.
func moduleReleases(dir string) (releases, error) {
	r := releases{toolchain: len(build.Default.ReleaseTags)}
	version, err := goCommand(dir, "linux", "list", "-m", "-f", "{{.GoVersion}}")
	if err != nil {
		return r, err
	}
	if _, err := fmt.Sscanf(version, "1.%d", &r.base); err != nil {
		return r, fmt.Errorf("go version %q of the module: %w", version, err)
	}
	if r.toolchain > r.base {
		goroot, err := goCommand(dir, "linux", "env", "GOROOT")
		if err != nil {
			return r, err
		}
		r.since, err = readAPI(os.DirFS(filepath.Join(goroot, "api")))
		if err != nil {
			return r, fmt.Errorf("what %s adds to net: %w", runtime.Version(), err)
		}
	}
	return r, nil
}

// apiLine matches the declaration of a package-level name of net. Some lines
// are about one system only; a struct's fields have lines of their own, which
// repeat the name of the struct.
var apiLine = regexp.MustCompile(`(?m)^pkg net(?: \([a-z0-9-]+\))?, (?:const|func|type|var) (\w+)`)

// readAPI returns the release in which each name of net first appears in the
// files go1.txt, go1.1.txt, ... of a GOROOT's api folder.
func readAPI(api fs.FS) (map[string]int, error) {
	files, err := fs.Glob(api, "go1*.txt")
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("api/go1*.txt: %w", fs.ErrNotExist)
	}
	since := make(map[string]int)
	var bad error
	for _, file := range files {
		release := 0
		if minor, ok := strings.CutPrefix(strings.TrimSuffix(path.Base(file), ".txt"), "go1."); ok {
			if release, err = strconv.Atoi(minor); err != nil {
				bad = errors.Join(bad, fmt.Errorf("api/%s: %w", file, err))
				continue
			}
		}
		text, err := fs.ReadFile(api, file)
		if err != nil {
			return nil, err
		}
		for _, m := range apiLine.FindAllSubmatch(text, -1) {
			name := string(m[1])
			if first, ok := since[name]; !ok || release < first {
				since[name] = release
			}
		}
	}
	return since, bad
}
