package main

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// ours is what this package's implementations are called, alone or before a comma
// and what is special about one.
const ours = "sockets"

var (
	better = color.RGBA{0x2c, 0x7f, 0xb8, 0xff}
	worse  = color.RGBA{0xd9, 0x5f, 0x0e, 0xff}
	even   = color.Gray{0xa0} // some starts are on either side of 1
	dark   = color.Gray{0x30}
	grid   = color.Gray{0xd8}
)

// A bar is one row of the chart: a result of this package, and those of others for
// the same.
type bar struct {
	label string
	result
	peers []result
}

// barsOf returns the rows, the last one first, as a plot counts from below.
func barsOf(results []result) []bar {
	var bars []bar
	for _, r := range results {
		name, variant, _ := strings.Cut(r.Impl, ", ")
		if name != ours {
			continue
		}
		b := bar{label: r.Contest, result: r}
		if variant != "" {
			b.label += ", " + variant
		}
		for _, p := range results {
			if name, v, _ := strings.Cut(p.Impl, ", "); p.Contest == r.Contest && name != ours && v == variant && !p.Base {
				b.peers = append(b.peers, p)
			}
		}
		bars = append(bars, b)
	}
	slices.Reverse(bars)
	return bars
}

const (
	chartWidth = 9 * vg.Inch
	labelWidth = 2.9 * vg.Inch
	barHeight  = 0.18 * vg.Inch
)

// writeChart draws the ratios of this package as bars, which begin at 1, with those
// of the worst and the best start, and those of others as marks.
func writeChart(name string, results []result) error {
	bars := barsOf(results)
	if len(bars) == 0 {
		return fmt.Errorf("%s: no results to draw", name)
	}
	p, err := newPlot(bars)
	if err != nil {
		return err
	}
	canvas := vgsvg.New(chartWidth, vg.Length(len(bars))*barHeight+0.8*vg.Inch)
	all := draw.New(canvas)
	all.FillPolygon(color.White, []vg.Point{all.Min, {X: all.Max.X, Y: all.Min.Y}, all.Max, {X: all.Min.X, Y: all.Max.Y}})
	area := draw.Crop(all, labelWidth, -vg.Points(6), vg.Points(4), -vg.Points(20))
	p.Draw(area)

	// Text begins where it is put, and ends where the reader's fonts let it end.
	text := p.X.Tick.Label
	text.XAlign, text.YAlign = draw.XLeft, draw.YCenter
	data := p.DataCanvas(area)
	_, y := p.Transforms(&data)
	for i, b := range bars {
		all.FillText(text, vg.Point{X: vg.Points(6), Y: y(float64(i))}, b.label)
	}
	text.Font.Size = vg.Points(10)
	all.FillText(text, vg.Point{X: vg.Points(6), Y: all.Max.Y - vg.Points(12)},
		"Times as good as net (text: x/text). Bars: this package, lines: its worst and best start. Marks: others")

	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	// Hardly anybody has the font by its own name.
	out := strings.ReplaceAll(svg.String(), "font-family:Liberation Sans", "font-family:Liberation Sans,Arial,Helvetica,sans-serif")
	return os.WriteFile(name, []byte(out), 0o666)
}

func newPlot(bars []bar) (*plot.Plot, error) {
	plot.DefaultFont.Variant, plotter.DefaultFont.Variant = "Sans", "Sans"
	p := plot.New()
	p.HideY()
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.ConstantTicks(ticks)
	p.X.Min, p.X.Max = 0.5, 2
	p.Y.Min, p.Y.Max = -0.7, float64(len(bars))-0.3
	p.X.Tick.Label.Font.Size = vg.Points(8)
	p.Legend.TextStyle.Font.Size = vg.Points(8)
	p.Add(plotBars(bars))

	marks := map[string]plotter.XYs{}
	numbers := plotter.XYLabels{}
	for i, b := range bars {
		y := float64(i)
		end := max(b.RatioHigh, 1)
		numbers.XYs = append(numbers.XYs, plotter.XY{X: end, Y: y})
		numbers.Labels = append(numbers.Labels, fmt.Sprintf("%.2f", b.Ratio))
		p.X.Min, p.X.Max = min(p.X.Min, b.RatioLow/1.1), max(p.X.Max, end*1.4)
		for _, r := range b.peers {
			name, _, _ := strings.Cut(r.Impl, ", ")
			marks[name] = append(marks[name], plotter.XY{X: r.Ratio, Y: y})
			p.X.Min, p.X.Max = min(p.X.Min, r.Ratio/1.1), max(p.X.Max, r.Ratio*1.1)
		}
	}
	for _, shape := range shapes {
		if len(marks[shape.impl]) == 0 {
			continue
		}
		s, err := plotter.NewScatter(marks[shape.impl])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", shape.impl, err)
		}
		s.GlyphStyle = draw.GlyphStyle{Color: dark, Radius: vg.Points(2.5), Shape: shape.glyph}
		p.Add(s)
		p.Legend.Add(shape.impl, s)
	}
	labels, err := plotter.NewLabels(numbers)
	if err != nil {
		return nil, err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i].Font.Size = vg.Points(7)
		labels.TextStyle[i].YAlign = draw.YCenter
	}
	labels.Offset.X = vg.Points(4)
	p.Add(labels)
	return p, nil
}

// shapes are the marks of other implementations.
var shapes = []struct {
	impl  string
	glyph draw.GlyphDrawer
}{
	{"net", draw.PlusGlyph{}},
	{"mdlayher/socket", draw.CircleGlyph{}},
	{"netpoll", draw.SquareGlyph{}},
	{"x/net", draw.TriangleGlyph{}},
	{"x/text over bufio", draw.CrossGlyph{}},
}

var ticks = []plot.Tick{
	{Value: 0.125, Label: "⅛"}, {Value: 0.25, Label: "¼"}, {Value: 0.5, Label: "½"}, {Value: 1, Label: "1"}, {Value: 2, Label: "2"},
	{Value: 4, Label: "4"}, {Value: 8, Label: "8"}, {Value: 16, Label: "16"}, {Value: 32, Label: "32"}, {Value: 64, Label: "64"},
}

// plotBars are horizontal bars that begin at 1; those of package plotter begin at
// 0, which no logarithmic scale has.
type plotBars []bar

// Plot implements plot.Plotter.
func (bars plotBars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, t := range ticks {
		if t.Value > p.X.Min && t.Value < p.X.Max && t.Value != 1 {
			c.StrokeLine2(draw.LineStyle{Color: grid, Width: vg.Points(0.5)}, x(t.Value), c.Min.Y, x(t.Value), c.Max.Y)
		}
	}
	for i, b := range bars {
		fill := color.Color(even)
		switch {
		case b.RatioLow > 1:
			fill = better
		case b.RatioHigh < 1:
			fill = worse
		}
		at, from, to := float64(i), x(1), x(b.Ratio)
		low, high := y(at-0.35), y(at+0.35)
		c.FillPolygon(fill, []vg.Point{{X: from, Y: low}, {X: to, Y: low}, {X: to, Y: high}, {X: from, Y: high}})
		c.StrokeLine2(draw.LineStyle{Color: dark, Width: vg.Points(0.8)}, x(b.RatioLow), y(at), x(b.RatioHigh), y(at))
	}
	c.StrokeLine2(draw.LineStyle{Color: color.Black, Width: vg.Points(1)}, x(1), c.Min.Y, x(1), c.Max.Y)
}
