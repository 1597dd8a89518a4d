// Command bench compares package sockets with package net and with other packages
// for the same work, side by side in one run.
//
//	go -C bench run . [-run regexp] [-rounds n] [-time d] [-cpu=false] [-quick] [-texts dir] [-svg file] [-json file] [-from file] [-list]
//
// Each contest is run by every implementation in turn, round after round, so that
// whatever else the machine does affects all of them. The table shows the median of
// what an operation costs an implementation, and its ratio to the first one's, which
// is the median of the ratios of all rounds: above 1 an implementation is better than
// the first one. The whole contest is started several times, because the placement of
// connections and threads makes a difference; the last column shows the ratios of the
// worst and the best start.
//
// What is measured is the processor time of this process, in user and in system mode:
// if two processors pass data to each other, elapsed time says more about where the
// scheduler put them. If a server is measured, the load comes from a second process, and
// -cpu=false shows elapsed time beside the server's processor time.
//
// Contests of text take it from a directory that texts.sh fills, and are left out without
// it.
//
// In contests whose names begin with "noise/", package net competes with itself.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	if child() {
		return
	}
	run := flag.String("run", "", "run only the contests that match this `regexp`")
	rounds := flag.Int("rounds", 21, "number of turns of each implementation")
	length := flag.Duration("time", 50*time.Millisecond, "duration of a turn")
	flag.BoolVar(&cpu, "cpu", true, "measure the processor time of this process, which other programs disturb less, rather than elapsed time")
	quick := flag.Bool("quick", false, "run everything, but too briefly to say much")
	dir := flag.String("texts", "texts", "take texts from this `directory`")
	svg := flag.String("svg", "", "draw the ratios into this `file`")
	data := flag.String("json", "", "write the results to this `file`")
	from := flag.String("from", "", "measure nothing, and take the results from this `file`")
	list := flag.Bool("list", false, "list the contests")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("unexpected argument %q; see -h", flag.Arg(0))
	}
	re, err := regexp.Compile(*run)
	if err != nil {
		log.Fatal(err)
	}
	if *quick {
		*rounds, *length, idleConns = 3, 5*time.Millisecond, 500
	}
	if prose, err := textWorkloads(*dir); err == nil {
		workloads = append(workloads, prose...)
	} else if *from == "" {
		log.Printf("no contests of text, since texts.sh has not filled %s: %v", *dir, err)
	}
	all := contests()
	all = slices.DeleteFunc(all, func(c contest) bool { return !re.MatchString(c.name) })
	if *list {
		for _, c := range all {
			fmt.Println(c.name)
		}
		return
	}
	if *from != "" {
		r, err := readReport(*from)
		if err != nil {
			log.Fatal(err)
		}
		printHeader(os.Stdout)
		printResults(os.Stdout, r.Results)
		draw(*svg, r.Results)
		return
	}
	fmt.Println(machine())
	printHeader(os.Stdout)
	var results []result
	for _, c := range all {
		rs, err := c.hold(*rounds, *length)
		if err != nil {
			log.Fatalf("%s: %v", c.name, err)
		}
		printResults(os.Stdout, rs)
		results = append(results, rs...)
	}
	if *data != "" {
		b, err := json.MarshalIndent(report{machine(), *rounds, results}, "", "\t")
		if err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(*data, append(b, '\n'), 0o666); err != nil {
			log.Fatal(err)
		}
	}
	draw(*svg, results)
}

func draw(file string, results []result) {
	if file == "" {
		return
	}
	if err := writeChart(file, results); err != nil {
		log.Fatal(err)
	}
}

// A report is what -json writes and -from reads.
type report struct {
	Machine string
	Rounds  int
	Results []result
}

func readReport(file string) (r report, err error) {
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	return r, err
}

// contests returns all there are, by name.
func contests() []contest {
	all := slices.Clone(others)
	for _, wl := range workloads {
		all = append(all, wl.contest())
	}
	slices.SortFunc(all, func(a, b contest) int { return strings.Compare(a.name, b.name) })
	return all
}

func machine() string {
	return fmt.Sprintf("%s %s/%s, %d CPUs", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}
