// Package cli reads the command lines of the examples, all in one way: -h prints what
// the program does and its flags, and what is wrong with the arguments is one line that
// names -h.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Parse parses the arguments of the program into the flags that package flag has. about
// is what -h says before them: the first line is the usage without the program's name. It
// exits with status 0 after -h, and with 2 if an argument is wrong.
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

// Misused ends the program because of an argument.
func Misused(err error) {
	fmt.Fprintf(os.Stderr, "%s: %v; %s -h says how to use it\n", Name(), err, Name())
	os.Exit(2)
}

// Check ends the program if err is not nil.
func Check(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", Name(), err)
		os.Exit(1)
	}
}

// Name is the program's.
func Name() string {
	return strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
}
