//go:build linux

package sequence

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	operationsFlag = flag.Int("sequence.operations", 2000, "how many operations TestSequences does on each side")
	seedFlag       = flag.Uint64("sequence.seed", 1, "the seed of TestSequences; a new one if 0")
	workersFlag    = flag.Int("sequence.workers", 4, "how many sequences TestSequences does at a time")
)

// parse makes steps of any bytes.
func parse(data []byte) (steps []step) {
	for len(data) >= 4 && len(steps) < 100 {
		steps = append(steps, step(data))
		data = data[4:]
	}
	return steps
}

// run does the steps and returns the results of each.
func run(i *impl, steps []step) []string {
	w, err := newWorld(i)
	if err != nil {
		panic(err)
	}
	defer w.close()
	for _, s := range steps {
		w.results = append(w.results, s.String()+":")
		func() {
			defer func() {
				if v := recover(); v != nil {
					w.record("panic: %v", v)
				}
			}()
			s.operation().do(w, s)
		}()
	}
	return w.results
}

// differs returns the index of the first result that is not equal, -1 if all are, and
// the difference.
func differs(steps []step) (at int, diff string) {
	want, got := run(impls[0], steps), run(impls[1], steps)
	for i := range want {
		if want[i] != got[i] {
			return i, cmp.Diff(want[i:i+1], got[i:i+1])
		}
	}
	return -1, ""
}

// repeats reports whether the steps differ each time. Once may be the kernel's doing:
// a datagram that is late, a port that is used again.
func repeats(steps []step) (at int, diff string) {
	for range 4 {
		if at, diff = differs(steps); at < 0 {
			return at, diff
		}
	}
	return at, diff
}

// shrink returns as few steps as possible that differ.
func shrink(steps []step) []step {
	for n := len(steps) / 2; n > 0; n /= 2 {
		for i := 0; i+n <= len(steps); {
			fewer := slices.Delete(slices.Clone(steps), i, i+n)
			if at, _ := repeats(fewer); at >= 0 {
				steps = fewer[:at+1]
			} else {
				i += n
			}
		}
	}
	return steps
}

// check fails the test if the steps do not do the same with both packages.
func check(t *testing.T, steps []step) {
	if at, _ := differs(steps); at < 0 {
		return
	}
	at, diff := repeats(steps)
	if at < 0 {
		return
	}
	steps = shrink(steps[:at+1])
	if at, d := repeats(steps); at >= 0 {
		diff = d
	}
	var b strings.Builder
	for i, r := range run(impls[0], steps) {
		fmt.Fprintf(&b, "\t%v %s\n", [4]byte(steps[i]), r)
	}
	t.Errorf("these steps do something else (-net +sockets):\n%s%s", &b, diff)
}

// TestSequences does random steps until it has done as many as it should.
func TestSequences(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-sequence.seed %d", seed)
	var done atomic.Int64
	var workers sync.WaitGroup
	for worker := range *workersFlag {
		workers.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(worker)))
			for done.Load() < int64(*operationsFlag) {
				steps := make([]step, 5+r.IntN(50))
				for i := range steps {
					for j := range steps[i] {
						steps[i][j] = byte(r.Uint32())
					}
				}
				steps[0][0] = 0 // something to work on
				check(t, steps)
				done.Add(int64(len(steps)))
			}
		})
	}
	workers.Wait()
	t.Logf("%d operations on each side", done.Load())
}

// FuzzSequence lets the fuzzer choose the steps.
func FuzzSequence(f *testing.F) {
	for i := range operations {
		f.Add([]byte{0, byte(i), 0, 0, byte(i), 1, 4, 3})
	}
	f.Fuzz(func(t *testing.T, data []byte) { check(t, parse(data)) })
}
