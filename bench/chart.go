package main

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
)

// ours is what this package's implementations are called, alone or before a comma
// and what is special about one.
const ours = "sockets"

// again is the implementation of a contest of net with itself.
const again = "net, again"

// A bar is a result of this package beside the best of others for the same work.
type bar struct {
	result
	best result
}

// ratio is how many times as good as the best other one it is.
func (b bar) ratio() float64 { return b.Ratio / b.best.Ratio }

// low and high are the ends of what may be chance. The first side has no spread of its
// own: it is what the ratios are of.
func (b bar) low() float64  { return b.RatioLow / b.best.Ratio }
func (b bar) high() float64 { return b.RatioHigh / b.best.Ratio }

// verdict compares the starts of the two: they overlap, or all of one are better.
func (b bar) verdict() string {
	switch {
	case b.RatioLow > b.best.RatioHigh:
		return "better"
	case b.RatioHigh < b.best.RatioLow:
		return "worse"
	}
	return "same"
}

// barsOf returns those of all results of this package. The best other one is of the same
// variant if there is any.
func barsOf(results []result) []bar {
	var bars []bar
	for _, r := range results {
		name, variant, _ := strings.Cut(r.Impl, ", ")
		if name != ours {
			continue
		}
		b, like := bar{result: r}, false
		for _, o := range results {
			name, v, _ := strings.Cut(o.Impl, ", ")
			if o.Contest != r.Contest || name == ours {
				continue
			}
			if same := v == variant; b.best.Impl == "" || same && !like || same == like && o.Ratio > b.best.Ratio {
				b.best, like = o, same
			}
		}
		if b.best.Impl != "" {
			bars = append(bars, b)
		}
	}
	return bars
}

// features are what this package has and net has not: the bars of the second panel, of
// which each shows the result that is the least beside the best other way.
var features = []struct {
	label   string
	contest string // how the name of the contest begins
	impl    string
}{
	{"UDP, 64 bytes, segmentation offload", "udp/bulk/size=64", "sockets, offload"},
	{"UDP, 1200 bytes, segmentation offload", "udp/bulk/size=1200", "sockets, offload"},
	{"files, 253 in a message", "descriptors/pass a file", "sockets, 253 a message"},
	{"descriptors, 253 in a message", "descriptors/pass a number", "sockets, 253 a message"},
	{"splice, unix to unix", "proxy/unix to unix/bulk", ours},
	{"splice, unix to TCP", "proxy/unix to tcp/bulk", ours},
	{"reading text, least gain", "text/read/", ours},
	{"writing text, least gain", "text/write/", ours},
}

// areas are the rows of the first panel: everything that is no feature. A contest is in
// the first whose prefix it has.
var areas = []struct {
	label    string
	prefixes []string
}{
	{"round trips", []string{"tcp/ping-pong", "tcp/turnabout", "unix/ping-pong", "proxy/tcp to tcp/ping-pong", "proxy/unix to unix/ping-pong"}},
	{"bulk over TCP", []string{"tcp/bulk", "tcp/writev"}},
	{"sendfile and splice", []string{"tcp/sendfile", "proxy/"}},
	{"servers: echo, accept", []string{"tcp/"}},
	{"HTTP", []string{"http/"}},
	{"UDP, one at a time", []string{"udp/single"}},
	{"UDP in batches, against x/net", []string{"udp/bulk", "udp/connected"}},
	{"UDP servers, against x/net", []string{"udp/echo"}},
	{"UDP offload, against by hand", []string{"udp/offload"}},
	{"descriptors, one a message", []string{"descriptors/"}},
	{"memory of a connection", []string{"memory/"}},
	{"others", []string{""}},
}

// chart is what the picture shows.
type chart struct {
	noise    []result // net against itself
	areas    map[string][]bar
	features map[string]bar
}

func newChart(results []result) chart {
	c := chart{areas: map[string][]bar{}, features: map[string]bar{}}
	for _, r := range results {
		if r.Impl == again {
			c.noise = append(c.noise, r)
		}
	}
next:
	for _, b := range barsOf(results) {
		for _, f := range features {
			if f.impl == b.Impl && strings.HasPrefix(b.Contest, f.contest) {
				if old, ok := c.features[f.label]; !ok || b.ratio() < old.ratio() {
					c.features[f.label] = b
				}
				continue next
			}
		}
		for _, a := range areas {
			if slices.ContainsFunc(a.prefixes, func(p string) bool { return strings.HasPrefix(b.Contest, p) }) {
				c.areas[a.label] = append(c.areas[a.label], b)
				break
			}
		}
	}
	return c
}

// Sizes of the picture, in pixels.
const (
	chartWidth = 840
	plotLeft   = 280
	plotRight  = 715
	rowHeight  = 26
)

// style has colours for light and for dark pages.
const style = `
	text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", Arial, sans-serif; fill: #1f2328 }
	.title { font-size: 16px; font-weight: 600 }
	.note, .tick { font-size: 12px; fill: #59636e }
	.end { text-anchor: end }
	.middle { text-anchor: middle }
	.page { fill: #ffffff }
	.grid { stroke: #d1d9e0 }
	.one { stroke: #59636e; stroke-width: 1.5 }
	.noise { fill: #d1d9e0; opacity: .55 }
	.better { fill: #0969da } .same { fill: #6e7781 } .worse { fill: #bc4c00 }
	.spread { stroke: #59636e; opacity: .45 }
	.dot { stroke: #ffffff; stroke-width: 1 }
	.mark { stroke: #1f2328; stroke-width: 3 }
	@media (prefers-color-scheme: dark) {
		text { fill: #e6edf3 }
		.note, .tick { fill: #9198a1 }
		.page { fill: #0d1117 }
		.grid { stroke: #30363d }
		.one { stroke: #9198a1 }
		.noise { fill: #30363d; opacity: .8 }
		.better { fill: #4493f8 } .same { fill: #9198a1 } .worse { fill: #f0883e }
		.spread { stroke: #9198a1 }
		.dot { stroke: #0d1117 }
		.mark { stroke: #f0f6fc }
	}
`

// An svg is a picture under way. at is how far down it has come.
type svg struct {
	strings.Builder
	at float64
}

func (s *svg) element(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

func (s *svg) text(class string, x, y float64, format string, args ...any) {
	fmt.Fprintf(s, `<text class="%s" x="%.1f" y="%.1f">`, class, x, y)
	xml.EscapeText(s, fmt.Appendf(nil, format, args...))
	s.WriteString("</text>\n")
}

// A scale is logarithmic.
type scale struct{ low, high float64 }

func (a scale) x(v float64) float64 {
	v = min(max(v, a.low), a.high)
	return plotLeft + math.Log(v/a.low)/math.Log(a.high/a.low)*(plotRight-plotLeft)
}

// grid draws lines from the given height down to where the picture has come, and their
// numbers below.
func (s *svg) grid(a scale, top float64, ticks ...float64) {
	for _, t := range ticks {
		if t < a.low*0.999 || t > a.high*1.001 {
			continue
		}
		class := "grid"
		if t == 1 {
			class = "one"
		}
		s.element(`<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, a.x(t), top, a.x(t), s.at)
		s.text("tick middle", a.x(t), s.at+16, "%g", t)
	}
}

// writeChart draws two panels: where this package does what net does, and where it does
// more.
func writeChart(name string, results []result) error {
	c := newChart(results)
	if len(c.areas)+len(c.features) == 0 {
		return fmt.Errorf("%s: no results to draw", name)
	}
	var s svg
	s.same(c)
	s.at += 46
	s.more(c)
	s.at += 34
	out := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%[1]d" height="%.0[2]f" role="img" aria-label="Speed compared with package net">
<style>%s</style>
<rect class="page" width="100%%" height="100%%"/>
%s</svg>
`, chartWidth, s.at, style, s.String())
	return os.WriteFile(name, []byte(out), 0o666)
}

// same draws a dot for each result, in a row for each area.
func (s *svg) same(c chart) {
	s.text("title", 14, 28, "The same work as net: the same speed")
	s.text("note", 14, 47, "A dot is one measurement: times as fast as the best other way. Grey is the same: the starts overlap.")
	a := scale{0.8, 1.4}
	for _, bars := range c.areas {
		for _, b := range bars {
			a.low, a.high = min(a.low, b.ratio()/1.03), max(a.high, b.ratio()*1.03)
		}
	}
	const top = 60
	s.at = top
	var rows, lines svg
	for _, area := range areas {
		bars := c.areas[area.label]
		if len(bars) == 0 {
			continue
		}
		slices.SortFunc(bars, func(x, y bar) int { return cmp.Compare(x.ratio(), y.ratio()) })
		middle := s.at + rowHeight/2
		rows.text("end", plotLeft-14, middle+4.5, "%s", area.label)
		for i, b := range bars {
			y := middle + float64(i%3-1)*5 // beside each other, if they are alike
			if len(bars) == 1 {
				y = middle
			}
			lines.element(`<line class="spread" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1[2]f"/>`, a.x(b.low()), y, a.x(b.high()))
			rows.element(`<circle class="dot %s" cx="%.1f" cy="%.1f" r="4.5"><title>%s: %.2f of %s</title></circle>`,
				b.verdict(), a.x(b.ratio()), y, escape(b.what()), b.ratio(), escape(b.best.Impl))
		}
		least, most := bars[0].ratio(), bars[len(bars)-1].ratio()
		if text := fmt.Sprintf("%.2f", least); text == fmt.Sprintf("%.2f", most) {
			rows.text("note", plotRight+12, middle+4.5, "%s", text)
		} else {
			rows.text("note", plotRight+12, middle+4.5, "%.2f to %.2f", least, most)
		}
		s.at += rowHeight
	}
	if len(c.noise) > 0 {
		low, high := 1.0, 1.0
		for _, r := range c.noise {
			low, high = min(low, r.RatioLow), max(high, r.RatioHigh)
		}
		s.element(`<rect class="noise" x="%.1f" y="%d" width="%.1f" height="%.1f"/>`, a.x(low), top, a.x(high)-a.x(low), s.at-top)
		s.text("note", plotLeft, s.at+36, "Band: net compared with itself.")
	}
	s.grid(a, top, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4, 1.6, 2)
	s.WriteString(lines.String())
	s.WriteString(rows.String())
}

// more draws a bar for each feature, and a mark for the best other way.
func (s *svg) more(c chart) {
	s.at += 24
	s.text("title", 14, s.at, "More than net has: how much faster")
	s.text("note", 14, s.at+19, "Times as fast as net's own way (text: as x/text). The upright mark is the best other way, named on the right.")
	s.at += 32
	top := s.at
	a := scale{0.5, 2}
	for _, b := range c.features {
		a.low, a.high = min(a.low, b.Ratio/1.1, b.best.Ratio/1.1), max(a.high, b.Ratio*1.1, b.best.Ratio*1.1)
	}
	var rows svg
	for _, f := range features {
		b, ok := c.features[f.label]
		if !ok {
			continue
		}
		middle := s.at + rowHeight/2
		rows.text("end", plotLeft-14, middle+4.5, "%s", f.label)
		from, to := a.x(1), a.x(b.Ratio)
		rows.element(`<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="15"><title>%s</title></rect>`,
			b.verdict(), min(from, to), middle-7.5, math.Abs(to-from), escape(b.what()))
		rows.element(`<line class="mark" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, a.x(b.best.Ratio), middle-11, a.x(b.best.Ratio), middle+11)
		rows.text("", plotRight+12, middle-1.5, "%s", times(b.Ratio))
		rows.text("note", plotRight+12, middle+11, "%s", b.other())
		s.at += rowHeight + 6
	}
	s.grid(a, top, 0.5, 1, 2, 4, 8, 16, 32, 64)
	s.WriteString(rows.String())
}

// what names the contest and what is special about the implementation.
func (b bar) what() string {
	if _, variant, ok := strings.Cut(b.Impl, ", "); ok {
		return b.Contest + ", " + variant
	}
	return b.Contest
}

// other says how good the best other way is.
func (b bar) other() string {
	name := b.best.Impl
	if n, variant, ok := strings.Cut(name, ", "); ok {
		name = n
		if variant == "offload" {
			name += " by hand"
		}
	}
	if name == "x/text over bufio" {
		name = "+ bufio"
	}
	return name + " " + times(b.best.Ratio)
}

func times(ratio float64) string {
	if ratio >= 10 {
		return fmt.Sprintf("%.0f×", ratio)
	}
	return fmt.Sprintf("%.1f×", ratio)
}

func escape(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text))
	return b.String()
}
