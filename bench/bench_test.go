package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"log"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// TestMain lets the test be what the program is to itself, the second process.
func TestMain(m *testing.M) {
	if child() {
		return
	}
	idleConns = 20
	os.Exit(runWithTexts(m))
}

// samples stand in for the texts that texts.sh downloads. Each has a character that a
// format of its language lacks.
var samples = map[string]string{
	"en":    "Plain text \U0001f600 and more of it.\n",
	"fr":    "Voilà où les accents reviennent déjà \U0001f600 souvent.\n",
	"ja":    "吾輩は猫である。名前はまだ無い。\ufdd0\n",
	"ko":    "나라의 말이 중국과 달라 \ufdd0 문자와 서로 통하지\n",
	"ru":    "Все счастливые семьи похожи друг на друга\ufdd0\n",
	"zh_CN": "學而時習之不亦說乎有朋自遠方來\ufdd0\n",
}

func runWithTexts(m *testing.M) int {
	dir, err := os.MkdirTemp("", "texts")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for lang, sample := range samples {
		if err := os.WriteFile(filepath.Join(dir, lang+".txt"), []byte(strings.Repeat(sample, 3000)), 0o666); err != nil {
			log.Fatal(err)
		}
	}
	prose, err := textWorkloads(dir)
	if err != nil {
		log.Fatal(err)
	}
	workloads = append(workloads, prose...)
	return m.Run()
}

// Every implementation does every piece of work. The workloads themselves check
// what arrives: they wait for all of it, and fail if it is something else.
func TestContests(t *testing.T) {
	for _, c := range contests() {
		t.Run(c.name, func(t *testing.T) {
			for _, s := range c.sides {
				t.Run(s.name, func(t *testing.T) {
					turn, stop, err := s.start(time.Millisecond)
					if err != nil {
						t.Fatal(err)
					}
					defer stop()
					for range 2 {
						cost, _, err := turn()
						if err != nil {
							t.Fatal(err)
						}
						if len(cost) != len(c.metrics) {
							t.Fatalf("%d costs by %d metrics", len(cost), len(c.metrics))
						}
						if !(cost[0] > 0) || math.IsInf(cost[0], 0) {
							t.Errorf("an operation costs %v", cost[0])
						}
					}
				})
			}
		})
	}
}

func TestReadText(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "fr.txt"), []byte(strings.Repeat(samples["fr"], 10000)), 0o666); err != nil {
		t.Fatal(err)
	}
	for format, want := range map[string]string{
		"iso-8859-1":   strings.Replace(samples["fr"], "\U0001f600", "", 1),
		"utf-8,strict": samples["fr"],
	} {
		got, err := readText(dir, "fr", xtext[format])
		if err != nil {
			t.Fatal(err)
		}
		if n := textSize - len(got); n < 0 || n > 6 || !utf8.Valid(got) || !strings.Contains(string(got), want) {
			t.Errorf("%s: %d bytes, %q...", format, len(got), got[:min(100, len(got))])
		}
	}
}

func TestWorkloadsDoAsAsked(t *testing.T) {
	for _, wl := range workloads {
		for _, im := range wl.impls {
			t.Run(wl.name+" "+im.name, func(t *testing.T) {
				run, stop, err := im.start()
				if err != nil {
					t.Fatal(err)
				}
				defer stop()
				for _, n := range []int{1, 3} {
					if done, err := run(n); err != nil || done < n {
						t.Errorf("asked for %d: %d, %v", n, done, err)
					}
				}
			})
		}
	}
}

func TestContestNamesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range contests() {
		for _, m := range c.metrics {
			if name := c.name + m.suffix; seen[name] {
				t.Errorf("two contests %q", name)
			} else {
				seen[name] = true
			}
		}
	}
}

// The loads fail if the server does something else than what is measured.
func TestLoadsCheckAnswers(t *testing.T) {
	for name, start := range loads {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer c.Close()
						io.WriteString(c, "something else")
						c.(*net.TCPConn).CloseWrite()
						io.Copy(io.Discard, c)
					}()
				}
			}()
			run, err := start(l.Addr().String(), 2)
			if err == nil {
				err = run(3)
			}
			if err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestTogether(t *testing.T) {
	for _, tt := range []struct {
		n    int
		want []int
	}{{0, []int{0, 0, 0}}, {1, []int{1, 0, 0}}, {3, []int{1, 1, 1}}, {8, []int{3, 3, 2}}} {
		got := make([]int, 3)
		var ops []func() error
		for i := range got {
			ops = append(ops, func() error { got[i]++; return nil })
		}
		if err := together(tt.n, ops); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%d operations (-want +got):\n%s", tt.n, diff)
		}
	}
	fails := func() error { return io.ErrUnexpectedEOF }
	if err := together(5, []func() error{fails, func() error { return nil }}); err == nil {
		t.Error("the error of an operation is lost")
	}
}

func TestQuantile(t *testing.T) {
	tests := []struct {
		v    []float64
		q    float64
		want float64
	}{
		{[]float64{7}, 0.25, 7},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{5, 4, 3, 2, 1}, 0.25, 2},
		{[]float64{5, 4, 3, 2, 1}, 0.75, 4},
		{[]float64{1, 2}, 0.75, 1.75},
		{[]float64{1, 2}, 1, 2},
	}
	for _, tt := range tests {
		before := append([]float64(nil), tt.v...)
		if got := quantile(tt.v, tt.q); got != tt.want {
			t.Errorf("quantile(%v, %v) = %v, want %v", tt.v, tt.q, got, tt.want)
		}
		if diff := cmp.Diff(before, tt.v); diff != "" {
			t.Errorf("quantile changed its argument:\n%s", diff)
		}
	}
}

// fixed is a side whose rounds cost so much.
func fixed(name string, costs [][]float64, order *[]string) side {
	i := 0
	return side{name, func(time.Duration) (func() ([]float64, float64, error), func(), error) {
		*order = append(*order, "start "+name)
		return func() ([]float64, float64, error) {
			*order = append(*order, name)
			i++
			return costs[i-1], float64(i), nil
		}, func() { *order = append(*order, "stop "+name) }, nil
	}}
}

func TestHold(t *testing.T) {
	var order []string
	c := contest{name: "work", metrics: []metric{{unit: "ns"}, {suffix: ", twice", unit: "B"}}, bytes: 1000, sides: []side{
		fixed("net", [][]float64{{100, 1}, {200, 1}, {300, 1}}, &order),
		fixed("sockets", [][]float64{{50, 4}, {200, 4}, {100, 4}}, &order),
	}}
	got, err := c.hold(3, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []result{
		{Contest: "work", Impl: "net", Unit: "ns", Median: 200, Allocs: 2, Rate: 5000, Base: true, Ratio: 1, RatioLow: 1, RatioHigh: 1},
		{Contest: "work", Impl: "sockets", Unit: "ns", Median: 100, Allocs: 2, Rate: 10000, Ratio: 2, RatioLow: 1, RatioHigh: 3},
		{Contest: "work, twice", Impl: "net", Unit: "B", Median: 1, Allocs: 2, Rate: 1e6, Base: true, Ratio: 1, RatioLow: 1, RatioHigh: 1},
		{Contest: "work, twice", Impl: "sockets", Unit: "B", Median: 4, Allocs: 2, Rate: 250e3, Ratio: 0.25, RatioLow: 0.25, RatioHigh: 0.25},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	turns := []string{
		"start net", "start sockets", "net", "sockets", "stop sockets", "stop net",
		"start net", "start sockets", "sockets", "net", "stop sockets", "stop net",
		"start net", "start sockets", "net", "sockets", "stop sockets", "stop net",
	}
	if diff := cmp.Diff(turns, order); diff != "" {
		t.Errorf("order of turns (-want +got):\n%s", diff)
	}
}

// The time that passes does not count where processor time is measured.
func TestHoldClock(t *testing.T) {
	defer func(was bool) { cpu = was }(cpu)
	for _, cpu = range []bool{false, true} {
		var order []string
		c := contest{name: "work", metrics: []metric{{unit: "ns", clock: true}, {suffix: ", CPU", unit: "ns"}}, sides: []side{fixed("net", [][]float64{{1, 2}}, &order)}}
		results, err := c.hold(1, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range results {
			got = append(got, r.Contest)
		}
		want := []string{"work", "work, CPU"}
		if cpu {
			want = want[1:]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("cpu=%v (-want +got):\n%s", cpu, diff)
		}
	}
}

func TestHoldRounds(t *testing.T) {
	for _, tt := range []struct{ asked, most, split, turns, starts int }{
		{13, 0, 0, 13, 5}, {1, 0, 0, 1, 1}, {5, 2, 0, 2, 2}, {2, 5, 0, 2, 2}, {3, 0, 4, 12, 6},
	} {
		var order []string
		c := contest{metrics: []metric{{}}, rounds: tt.most, split: tt.split, sides: []side{fixed("net", slices.Repeat([][]float64{{1}}, 13), &order)}}
		if _, err := c.hold(tt.asked, 0); err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		for _, what := range order {
			counts[what]++
		}
		if diff := cmp.Diff(map[string]int{"net": tt.turns, "start net": tt.starts, "stop net": tt.starts}, counts); diff != "" {
			t.Errorf("%d rounds of at most %d, split by %d (-want +got):\n%s", tt.asked, tt.most, tt.split, diff)
		}
	}
}

func TestCalibrate(t *testing.T) {
	n, err := calibrate(time.Second, func(n int) (time.Duration, error) { return time.Duration(n) * time.Millisecond, nil })
	if err != nil || n != 1000 {
		t.Errorf("operations of 1 ms in a second: %d, %v, want 1000", n, err)
	}
	if n, err := calibrate(time.Second, func(int) (time.Duration, error) { return time.Minute, nil }); err != nil || n != 1 {
		t.Errorf("operations of a minute: %d, %v, want 1", n, err)
	}
	if _, err := calibrate(time.Second, func(int) (time.Duration, error) { return 0, io.EOF }); err != io.EOF {
		t.Errorf("error %v is lost", err)
	}
}

func TestPrintResults(t *testing.T) {
	var b strings.Builder
	printHeader(&b)
	printResults(&b, []result{
		{Contest: "work", Impl: "sockets", Unit: "ns", Median: 99.6, Allocs: 0.5, Rate: 12, Ratio: 2, RatioLow: 1.5, RatioHigh: 2.25},
		{Contest: "memory", Impl: "net", Base: true, Unit: "B", Median: 3000, Allocs: -1, Ratio: 1, RatioLow: 1, RatioHigh: 1},
	})
	var got [][]string
	for line := range strings.Lines(b.String()) {
		got = append(got, strings.Fields(line))
	}
	want := [][]string{
		strings.Fields("contest implementation one costs MB/s allocs times as good starts"),
		{"work", "sockets", "100", "ns", "12", "0.50", "2.00", "1.50..2.25", "better"},
		{"memory", "net", "3000", "B", "1.00", "1.00..1.00"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBars(t *testing.T) {
	results := []result{
		{Contest: "a", Impl: "net", Base: true, Ratio: 1},
		{Contest: "a", Impl: "net, many", Ratio: 2},
		{Contest: "a", Impl: "x", Ratio: 3},
		{Contest: "a", Impl: "sockets", Ratio: 3},
		{Contest: "a", Impl: "sockets, many", Ratio: 3},
		{Contest: "b", Impl: "x/text", Base: true, Ratio: 1},
		{Contest: "b", Impl: "sockets", Ratio: 3},
		{Contest: "b", Impl: "netpoll", Ratio: 0.5},
		{Contest: "c", Impl: "net", Base: true, Ratio: 1},
		{Contest: "c", Impl: "net, again", Ratio: 1},
		{Contest: "d", Impl: "sockets", Base: true, Ratio: 1},
	}
	type row struct{ Contest, Impl, Best string }
	var got []row
	for _, b := range barsOf(results) {
		got = append(got, row{b.Contest, b.Impl, b.best.Impl})
	}
	want := []row{{"a", "sockets", "x"}, {"a", "sockets, many", "net, many"}, {"b", "sockets", "x/text"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		ours, best [2]float64
		want       string
	}{
		{[2]float64{0.9, 1.1}, [2]float64{1, 1}, "same"},
		{[2]float64{1.1, 1.2}, [2]float64{1, 1}, "better"},
		{[2]float64{1.1, 1.2}, [2]float64{1.15, 2}, "same"},
		{[2]float64{1.1, 1.2}, [2]float64{1.3, 2}, "worse"},
	} {
		b := bar{result{RatioLow: tt.ours[0], RatioHigh: tt.ours[1]}, result{RatioLow: tt.best[0], RatioHigh: tt.best[1]}}
		if got := b.verdict(); got != tt.want {
			t.Errorf("%v against %v: %s, want %s", tt.ours, tt.best, got, tt.want)
		}
	}
}

// The chart is well-formed, every result of this package is in it, and no two texts
// overlap, nor does one leave the picture.
func TestChart(t *testing.T) {
	var results []result
	for i, c := range contests() {
		for k, s := range c.sides {
			ratio := 1 + float64(i*k)/40
			results = append(results, result{Contest: c.name, Impl: s.name, Base: k == 0, Ratio: ratio, RatioLow: ratio * 0.9, RatioHigh: ratio * 1.1})
		}
	}
	c := newChart(results)
	drawn := 0
	for _, bars := range c.areas {
		drawn += len(bars)
	}
	for _, b := range barsOf(results) {
		for _, f := range features {
			if f.impl == b.Impl && strings.HasPrefix(b.Contest, f.contest) {
				drawn++
			}
		}
	}
	if all := len(barsOf(results)); drawn != all {
		t.Errorf("%d of %d results drawn", drawn, all)
	}
	if len(c.features) != len(features) {
		t.Errorf("%d of %d features drawn", len(c.features), len(features))
	}
	if len(c.areas["others"]) > 0 {
		t.Errorf("no area for %v", c.areas["others"])
	}
	if len(c.noise) == 0 {
		t.Error("no noise")
	}

	name := filepath.Join(t.TempDir(), "chart.svg")
	if err := writeChart(name, results); err != nil {
		t.Fatal(err)
	}
	picture, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	checkTexts(t, picture)
	for _, want := range []string{"sans-serif", "prefers-color-scheme: dark"} {
		if !strings.Contains(string(picture), want) {
			t.Errorf("no %q", want)
		}
	}
	if err := writeChart(name, nil); err == nil {
		t.Error("a chart of nothing")
	}
}

// The chart that is committed shows the results that are.
func TestCommittedChart(t *testing.T) {
	r, err := readReport("ratios.json")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "chart.svg")
	if err := writeChart(name, r.Results); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("ratios.svg")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Error("ratios.svg is not that of ratios.json: go -C bench run . -from ratios.json -svg ratios.svg")
	}
	checkTexts(t, got)
}

func checkTexts(t *testing.T, picture []byte) {
	t.Helper()
	var doc struct {
		Text []struct {
			Class string  `xml:"class,attr"`
			X     float64 `xml:"x,attr"`
			Y     float64 `xml:"y,attr"`
			Text  string  `xml:",chardata"`
		} `xml:"text"`
	}
	if err := xml.Unmarshal(picture, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Text) < len(features) {
		t.Fatalf("only %d texts", len(doc.Text))
	}
	type box struct{ left, right, y float64 }
	var boxes []box
	for _, text := range doc.Text {
		width := 7.1 // of a character, in wide fonts
		switch {
		case strings.Contains(text.Class, "title"):
			width = 9.5
		case strings.Contains(text.Class, "note"), strings.Contains(text.Class, "tick"):
			width = 6.4
		}
		width *= float64(len([]rune(text.Text)))
		b := box{text.X, text.X + width, text.Y}
		switch {
		case strings.Contains(text.Class, "end"):
			b.left, b.right = text.X-width, text.X
		case strings.Contains(text.Class, "middle"):
			b.left, b.right = text.X-width/2, text.X+width/2
		}
		if b.left < 0 || b.right > chartWidth {
			t.Errorf("%q from %.0f to %.0f is outside", text.Text, b.left, b.right)
		}
		for i, o := range boxes {
			if b.left < o.right && o.left < b.right && math.Abs(b.y-o.y) < 12 {
				t.Errorf("%q and %q overlap", doc.Text[i].Text, text.Text)
			}
		}
		boxes = append(boxes, b)
	}
}
