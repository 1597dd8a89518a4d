// Skips reads what go test -json prints. It reports what failed, and which tests were
// skipped and why, and fails if anything failed.
//
// usage: go test -json ./... | go run .ci/skips.go [LIST]
//
// With a list it fails, too, if a test is skipped that the list lacks. A line of the
// list is the name of a test, in which * stands for any text, and why it is skipped.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
)

type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

func main() {
	var allowed []*regexp.Regexp
	if len(os.Args) > 1 {
		var err error
		if allowed, err = readList(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	output := make(map[string]string) // of what has not ended
	counts := make(map[string]int)
	bad := false
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	for in.Scan() {
		var e event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			fmt.Println(in.Text())
			continue
		}
		key := e.Package + e.ImportPath + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			output[key] += e.Output
			if e.Test == "" && strings.HasPrefix(e.Output, "--- SKIP") {
				fmt.Printf("skipped %s: %s", e.Package, e.Output)
			}
			continue
		case "pass":
		case "fail", "build-fail":
			bad = true
			fmt.Print(output[key])
		case "skip":
			if e.Test == "" {
				break // no test files
			}
			why := reason(output[key])
			switch {
			case allowed == nil:
				fmt.Printf("skipped %s: %s\n", e.Test, why)
			case !matches(allowed, e.Test):
				bad = true
				fmt.Printf("skipped, which the list does not have: %s %s: %s\n", e.Package, e.Test, why)
			}
		default:
			continue
		}
		delete(output, key)
		if e.Test != "" {
			counts[e.Action]++
		} else if e.Action == "pass" { // what fails has said so
			fmt.Printf("ok  \t%s\t%.3fs\n", e.Package, e.Elapsed)
		}
	}
	fmt.Printf("%d tests passed, %d failed, %d skipped\n", counts["pass"], counts["fail"], counts["skip"])
	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		bad = true
	}
	if bad || counts["pass"]+counts["skip"] == 0 {
		os.Exit(1)
	}
}

// reason is what a test said when it was skipped.
func reason(output string) string {
	var why []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			why = append(why, line)
		}
	}
	return strings.Join(why, " ")
}

func readList(file string) (tests []*regexp.Regexp, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" || name[0] == '#' {
			continue
		}
		pattern := strings.ReplaceAll(regexp.QuoteMeta(name), `\*`, ".*")
		tests = append(tests, regexp.MustCompile("^"+pattern+"$"))
	}
	return tests, nil
}

func matches(tests []*regexp.Regexp, name string) bool {
	for _, t := range tests {
		if t.MatchString(name) {
			return true
		}
	}
	return false
}
