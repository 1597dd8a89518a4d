// Command bench compares package sockets with package net and with other packages
// for the same work, side by side in one run.
//
//	go -C bench run . [-run regexp] [-rounds n] [-time d] [-cpu] [-quick] [-svg file] [-json file] [-list]
//
// Each contest is run by every implementation in turn, round after round, so that
// whatever else the machine does hits all of them. The table tells the median of
// what an operation costs an implementation, and its ratio to the first one's, which
// is the median of the ratios of each round: above 1 an implementation is better than
// the first one. Everything starts several times anew, for it makes a difference where
// connections and threads come to lie, and the last column tells the ratios of the
// worst and the best start.
//
// Where a server is measured, the load comes from a second process.
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
	rounds := flag.Int("rounds", 21, "how often every implementation gets its turn")
	length := flag.Duration("time", 50*time.Millisecond, "how long a turn takes")
	flag.BoolVar(&cpu, "cpu", false, "measure the processor time of this process, for a machine that does other things as well")
	quick := flag.Bool("quick", false, "run everything, but too briefly to say much")
	svg := flag.String("svg", "", "draw the ratios into this `file`")
	data := flag.String("json", "", "write the results to this `file`")
	list := flag.Bool("list", false, "list the contests")
	flag.Parse()
	re, err := regexp.Compile(*run)
	if err != nil {
		log.Fatal(err)
	}
	if *quick {
		*rounds, *length, idleConns = 3, 5*time.Millisecond, 500
	}
	all := contests()
	all = slices.DeleteFunc(all, func(c contest) bool { return !re.MatchString(c.name) })
	if *list {
		for _, c := range all {
			fmt.Println(c.name)
		}
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
	if *svg != "" {
		if err := writeChart(*svg, results); err != nil {
			log.Fatal(err)
		}
	}
	if *data != "" {
		b, err := json.MarshalIndent(struct {
			Machine string
			Rounds  int
			Results []result
		}{machine(), *rounds, results}, "", "\t")
		if err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(*data, append(b, '\n'), 0o666); err != nil {
			log.Fatal(err)
		}
	}
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
