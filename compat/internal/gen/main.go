// Gen writes the facade of package net that package compat is: one declaration
// for each exported name of the net of the running toolchain. Names younger
// than the module's Go version go to files with a build tag.
//
// It writes to the current folder, which has to be that of package compat.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	if err := write("."); err != nil {
		log.Fatal(err)
	}
}

// write brings the generated files in dir up to date.
func write(dir string) error {
	files, r, err := facade(dir)
	if err != nil {
		return err
	}
	stale, err := staleFiles(dir, files, r)
	if err != nil {
		return err
	}
	for _, name := range stale {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// facade returns the files that belong in dir by name.
func facade(dir string) (map[string][]byte, releases, error) {
	r, err := moduleReleases(dir)
	if err != nil {
		return nil, r, err
	}
	imp, err := newImporter(dir, "net")
	if err != nil {
		return nil, r, err
	}
	net, err := imp.Import("net")
	if err != nil {
		return nil, r, err
	}
	files, err := generate(net, r)
	return files, r, err
}

// staleFiles returns the tagged files in dir that are not in files, because
// the module's Go version has caught up with them. Those of a release that
// the running toolchain cannot know stay.
func staleFiles(dir string, files map[string][]byte, r releases) ([]string, error) {
	tagged, err := filepath.Glob(filepath.Join(dir, "go1.*_*.go"))
	if err != nil {
		return nil, err
	}
	var stale []string
	for _, path := range tagged {
		name := filepath.Base(path)
		var release int
		if _, err := fmt.Sscanf(name, "go1.%d_", &release); err != nil {
			continue
		}
		if _, current := files[name]; !current && release <= r.toolchain {
			stale = append(stale, name)
		}
	}
	return stale, nil
}
