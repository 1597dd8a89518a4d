// Command bench compares package sockets with package net and with
// golang.org/x/net/ipv4, side by side in one process.
//
//	go run . [-run regexp] [-rounds n] [-time d] [-cpu] [-list]
//
// Each workload is run by every implementation in turn, round after round, so that
// whatever else the machine does hits all of them. The table tells the median time
// per operation of an implementation, its ratio to the first one's, which is the
// median of the ratios of each round, and between which quartiles those lie.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// A workload is something to be done as fast as possible.
type workload struct {
	name  string // "udp/bulk/size=1200"
	bytes int    // of payload per operation, 0 if that says nothing
	impls []impl // the first is what the others are compared with
}

// An impl does a workload with one library.
type impl struct {
	name string

	// start prepares everything and returns a function that does about n
	// operations and reports how many it has done, and one that cleans up.
	start func() (run func(n int) (int, error), stop func(), err error)
}

// workloads are added by the files of this package, one for each.
var workloads []workload

func main() {
	run := flag.String("run", "", "run only the workloads that match this `regexp`")
	rounds := flag.Int("rounds", 15, "how often every implementation gets its turn")
	length := flag.Duration("time", 100*time.Millisecond, "how long a turn takes")
	flag.BoolVar(&cpu, "cpu", false, "measure the processor time of this process, for a machine that does other things as well")
	list := flag.Bool("list", false, "list the workloads")
	flag.Parse()
	re, err := regexp.Compile(*run)
	if err != nil {
		log.Fatal(err)
	}
	slices.SortFunc(workloads, func(a, b workload) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	fmt.Printf("%s %s/%s, %d CPUs\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "workload\timplementation\tns/op\tMB/s\tallocs/op\ttimes as fast\tquartiles")
	for _, wl := range workloads {
		if !re.MatchString(wl.name) {
			continue
		}
		if *list {
			fmt.Println(wl.name)
			continue
		}
		results, err := wl.measure(*rounds, *length)
		if err != nil {
			log.Fatalf("%s: %v", wl.name, err)
		}
		for i, r := range results {
			rate := ""
			if wl.bytes > 0 {
				rate = fmt.Sprintf("%.0f", float64(wl.bytes)*1e3/r.median)
			}
			fmt.Fprintf(w, "%s\t%s\t%.0f\t%s\t%.2f\t%.2f\t%.2f..%.2f\n", wl.name, wl.impls[i].name,
				r.median, rate, r.allocs, r.ratio, r.low, r.high)
		}
		w.Flush()
	}
}

type result struct {
	median           float64 // ns per operation
	allocs           float64 // per operation
	ratio, low, high float64
}

// measure runs the implementations in turn.
func (wl workload) measure(rounds int, length time.Duration) ([]result, error) {
	runs := make([]func(int) (int, error), len(wl.impls))
	batch := make([]int, len(wl.impls)) // operations in a turn
	for i, im := range wl.impls {
		run, stop, err := im.start()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", im.name, err)
		}
		defer stop()
		runs[i] = run
		for batch[i] = 1; ; batch[i] *= 2 {
			start := clock()
			if _, err := run(batch[i]); err != nil {
				return nil, fmt.Errorf("%s: %w", im.name, err)
			}
			if took := clock() - start; took > length/4 {
				batch[i] = max(1, int(float64(batch[i])*float64(length)/float64(took)))
				break
			}
		}
	}
	times := make([][]float64, len(wl.impls))
	allocs := make([]float64, len(wl.impls))
	for round := range rounds {
		for k := range runs {
			i := (k + round) % len(runs) // nobody is always behind the same one
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := clock()
			n, err := runs[i](batch[i])
			took := clock() - start
			if err != nil {
				return nil, fmt.Errorf("%s: %w", wl.impls[i].name, err)
			}
			runtime.ReadMemStats(&after)
			times[i] = append(times[i], float64(took.Nanoseconds())/float64(n))
			allocs[i] += float64(after.Mallocs-before.Mallocs) / float64(n) / float64(rounds)
		}
	}
	results := make([]result, len(wl.impls))
	for i := range results {
		ratios := make([]float64, rounds)
		for r := range ratios {
			ratios[r] = times[0][r] / times[i][r]
		}
		results[i] = result{
			median: quantile(times[i], 0.5), allocs: allocs[i],
			ratio: quantile(ratios, 0.5), low: quantile(ratios, 0.25), high: quantile(ratios, 0.75),
		}
	}
	return results, nil
}

var (
	cpu   bool // measure processor time
	begin = time.Now()
)

// clock returns how much time has passed since some moment.
func clock() time.Duration {
	if cpu {
		return processorTime()
	}
	return time.Since(begin)
}

func quantile(v []float64, q float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[int(q*float64(len(v)-1)+0.5)]
}
