// Package cli parses the command lines of the examples, all in the same way: -h prints
// what the program does and its flags, and a wrong argument is reported in one line that
// mentions -h.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Parse parses the program's arguments into the flags that are defined in package flag.
// about is what -h prints before the flags; its first line is the usage without the
// program's name. Parse exits with status 0 after -h, and with 2 if an argument is wrong.
func Parse(about string) {
	flags := flag.CommandLine
	flags.Init(Name(), flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	err := flags.Parse(os.Args[1:])
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		first, rest, _ := strings.Cut(about, "\n")
		fmt.Printf("%s\n%s\n", strings.TrimSpace("usage: "+Name()+" "+first), rest)
		any := false
		flags.VisitAll(func(*flag.Flag) { any = true })
		if any {
			fmt.Println("\nflags:")
			flags.SetOutput(os.Stdout)
			flags.PrintDefaults()
		}
		os.Exit(0)
	case err != nil:
		Misused(err)
	}
}

// Given returns the first of names that is a flag of the command line, or "".
func Given(names ...string) (name string) {
	flag.Visit(func(f *flag.Flag) {
		if name == "" && slices.Contains(names, f.Name) {
			name = f.Name
		}
	})
	return name
}

// Misused reports a wrong argument and ends the program.
func Misused(err error) {
	fmt.Fprintf(os.Stderr, "%s: %v; run %s -h for usage\n", Name(), err, Name())
	os.Exit(2)
}

// Check ends the program if err is not nil.
func Check(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", Name(), err)
		os.Exit(1)
	}
}

// Name returns the name of the program.
func Name() string {
	return strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
}
