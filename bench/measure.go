package main

import (
	"fmt"
	"math"
	"runtime"
	"slices"
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

// workloads are added by the files of this package, one for each subject.
var workloads []workload

// A contest is between implementations of the same work. It finds out what an
// operation costs each of them, by one metric or several.
type contest struct {
	name    string
	metrics []metric
	bytes   int    // as in workload
	sides   []side // the first is what the others are compared with

	rounds int // the most there shall be, 0 for any number

	// split makes so many short turns of each: the shorter, the more alike is what
	// the machine does meanwhile for all sides. 0 is 1.
	split int
}

// A metric is a kind of cost, for which less is better.
type metric struct {
	suffix string // of the contest's name in results
	unit   string
	clock  bool // the time that passes, which counts unless processor time is measured
}

// A side is an implementation that takes part in a contest.
type side struct {
	name string

	// start prepares turns of about the given length. A turn tells what an
	// operation costs by each metric, and its allocations, -1 if unknown.
	start func(length time.Duration) (turn func() (cost []float64, allocs float64, err error), stop func(), err error)
}

// others are the contests that are not about the time of a workload.
var others []contest

// contest is a workload's, by the time that an operation takes.
func (wl workload) contest() contest {
	c := contest{name: wl.name, metrics: []metric{{unit: "ns"}}, bytes: wl.bytes, split: 16}
	for _, im := range wl.impls {
		c.sides = append(c.sides, side{im.name, func(length time.Duration) (func() ([]float64, float64, error), func(), error) {
			run, stop, err := im.start()
			if err != nil {
				return nil, nil, err
			}
			n, err := calibrate(length, func(n int) (time.Duration, error) {
				start := clock()
				_, err := run(n)
				return clock() - start, err
			})
			if err != nil {
				stop()
				return nil, nil, err
			}
			// Counting allocations stops the world, so it is done beforehand.
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			done, err := run(n)
			runtime.ReadMemStats(&after)
			if err != nil {
				stop()
				return nil, nil, err
			}
			allocs := float64(after.Mallocs-before.Mallocs) / float64(done)
			return func() ([]float64, float64, error) {
				start := clock()
				done, err := run(n)
				took := clock() - start
				return []float64{float64(took) / float64(done)}, allocs, err
			}, stop, nil
		}})
	}
	return c
}

// calibrate finds out how many operations take about the given time. It does as many
// twice, as something may come between: too few would be all beginning.
func calibrate(length time.Duration, run func(n int) (time.Duration, error)) (int, error) {
	for n := 1; ; n *= 2 {
		took := time.Duration(math.MaxInt64)
		for range 2 {
			once, err := run(n)
			if err != nil {
				return 0, err
			}
			if took = min(took, once); took <= length/2 {
				break
			}
		}
		if took > length/2 {
			return max(1, int(float64(n)*float64(length)/float64(took))), nil
		}
	}
}

// A result is what a contest says of one side by one metric.
type result struct {
	Contest string
	Impl    string
	Unit    string
	Median  float64 // cost of an operation
	Allocs  float64 // per operation, -1 if unknown
	Rate    float64 `json:",omitempty"` // of payload, in MB/s

	// Base says that this is the first side, whose cost the Ratio is of.
	Base  bool `json:",omitempty"`
	Ratio float64

	// RatioLow and RatioHigh are of the starts that are the worst and the best:
	// what is between them may be chance.
	RatioLow, RatioHigh float64
}

// starts is how often everything is prepared anew: where connections and threads
// come to lie makes a difference that lasts as long as they do.
const starts = 6

// hold lets the sides take turns.
func (c contest) hold(rounds int, length time.Duration) ([]result, error) {
	if c.rounds > 0 {
		rounds = min(rounds, c.rounds)
	}
	if c.split > 1 {
		rounds, length = rounds*c.split, length/time.Duration(c.split)
	}
	costs := make([][][]float64, len(c.metrics)) // by metric, side and round
	for m := range costs {
		costs[m] = make([][]float64, len(c.sides))
	}
	allocs := make([][]float64, len(c.sides))
	part := (rounds + starts - 1) / starts
	for first := 0; first < rounds; first += part {
		err := c.play(first, min(first+part, rounds), length, func(i int, cost []float64, alloc float64) {
			for m := range costs {
				costs[m][i] = append(costs[m][i], cost[m])
			}
			allocs[i] = append(allocs[i], alloc)
		})
		if err != nil {
			return nil, err
		}
	}
	var results []result
	for m, metric := range c.metrics {
		if metric.clock && cpu {
			continue
		}
		for i, s := range c.sides {
			r := compare(costs[m][0], costs[m][i], part)
			r.Contest, r.Impl, r.Base = c.name+metric.suffix, s.name, i == 0
			r.Unit, r.Allocs = metric.unit, quantile(allocs[i], 0.5)
			if c.bytes > 0 {
				r.Rate = float64(c.bytes) * 1e3 / r.Median
			}
			results = append(results, r)
		}
	}
	return results, nil
}

// play lets the sides start, take their turns in some of the rounds, and stop.
func (c contest) play(first, end int, length time.Duration, add func(i int, cost []float64, allocs float64)) error {
	turns := make([]func() ([]float64, float64, error), len(c.sides))
	for i, s := range c.sides {
		turn, stop, err := s.start(length)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		defer stop()
		turns[i] = turn
	}
	for round := first; round < end; round++ {
		for k := range turns {
			i := (k + round) % len(turns) // no contestant is always behind the same one
			cost, allocs, err := turns[i]()
			if err != nil {
				return fmt.Errorf("%s: %w", c.sides[i].name, err)
			}
			add(i, cost, allocs)
		}
	}
	return nil
}

// compare says what the costs in each round are like, and how they relate to those
// of base in the same round. There are part rounds to a start.
func compare(base, costs []float64, part int) result {
	ratios := make([]float64, len(costs))
	for i := range costs {
		ratios[i] = base[i] / costs[i]
	}
	var medians []float64
	for of := range slices.Chunk(ratios, part) {
		medians = append(medians, quantile(of, 0.5))
	}
	return result{
		Median: quantile(costs, 0.5),
		Ratio:  quantile(ratios, 0.5), RatioLow: slices.Min(medians), RatioHigh: slices.Max(medians),
	}
}

// quantile returns the value below which the share q of v lies, between the two
// nearest ones if it falls there.
func quantile(v []float64, q float64) float64 {
	v = slices.Sorted(slices.Values(v))
	at := q * float64(len(v)-1)
	i := int(math.Floor(at))
	if i+1 >= len(v) {
		return v[len(v)-1]
	}
	part := at - float64(i)
	return v[i]*(1-part) + v[i+1]*part
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
