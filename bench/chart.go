package main

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// ours begins the names of this package's implementations.
const ours = "sockets"

var (
	better   = color.RGBA{0x2c, 0x7f, 0xb8, 0xff}
	worse    = color.RGBA{0xd9, 0x5f, 0x0e, 0xff}
	same     = color.Gray{0x40}
	grid     = color.Gray{0xd0}
	whiskers = color.Gray{0x20}
)

// writeChart draws the ratios of this package as bars, which begin at 1, with
// their quartiles, and those of others as marks.
func writeChart(name string, results []result) error {
	p, rows := chart(results)
	if rows == 0 {
		return fmt.Errorf("%s: no results to draw", name)
	}
	const width = 9 * vg.Inch
	height := vg.Length(rows)*0.19*vg.Inch + 1.1*vg.Inch
	canvas := vgsvg.New(width, height)
	p.Draw(draw.New(canvas))
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// chart returns the plot and how many bars there are.
func chart(results []result) (*plot.Plot, int) {
	p := plot.New()
	p.Title.Text = "Times as good as package net (text: as x/text) in the same run; bars are package sockets"
	p.Title.TextStyle.Font.Size = vg.Points(11)
	p.Title.Padding = vg.Points(6)
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.ConstantTicks(ticks)
	p.X.Min, p.X.Max = 0.5, 2

	var labels []string
	bars := new(bars)
	marks := map[string]plotter.XYs{}
	var order []string
	numbers := plotter.XYLabels{}
	rows := slices.Backward(contestNames(results)) // the first is on top
	for _, contest := range rows {
		var peers []result
		for _, r := range results {
			if r.Contest != contest {
				continue
			}
			if len(r.Impl) < len(ours) || r.Impl[:len(ours)] != ours {
				peers = append(peers, r)
				continue
			}
			label := contest
			if variant := r.Impl[len(ours):]; variant != "" {
				label += variant
			}
			y := float64(len(labels))
			labels = append(labels, label)
			bars.results = append(bars.results, r)
			numbers.XYs = append(numbers.XYs, plotter.XY{X: max(r.RatioHigh, 1), Y: y})
			numbers.Labels = append(numbers.Labels, fmt.Sprintf("%.2f", r.Ratio))
			p.X.Min, p.X.Max = min(p.X.Min, r.RatioLow/1.1), max(p.X.Max, r.RatioHigh*1.4)
		}
		if len(labels) == 0 {
			continue
		}
		for i, r := range peers {
			if i == 0 && r.Ratio == 1 {
				continue // the one that they are compared with
			}
			if _, ok := marks[r.Impl]; !ok {
				order = append(order, r.Impl)
			}
			marks[r.Impl] = append(marks[r.Impl], plotter.XY{X: r.Ratio, Y: float64(len(labels) - 1)})
			p.X.Min, p.X.Max = min(p.X.Min, r.Ratio/1.1), max(p.X.Max, r.Ratio*1.1)
		}
	}
	p.NominalY(labels...)
	p.Y.Min, p.Y.Max = -0.7, float64(len(labels))-0.3
	p.Y.Tick.Label.Font.Size, p.X.Tick.Label.Font.Size = vg.Points(8), vg.Points(8)
	p.Add(bars)
	slices.Sort(order)
	for i, name := range order {
		s, err := plotter.NewScatter(marks[name])
		if err != nil {
			continue // a ratio that is no number
		}
		s.GlyphStyle = draw.GlyphStyle{Color: same, Radius: vg.Points(2.5), Shape: shapes[i%len(shapes)]}
		p.Add(s)
		p.Legend.Add(name, s)
	}
	p.Legend.TextStyle.Font.Size = vg.Points(8)
	p.Legend.Top = false
	if l, err := plotter.NewLabels(numbers); err == nil {
		for i := range l.TextStyle {
			l.TextStyle[i].Font.Size = vg.Points(7)
			l.TextStyle[i].YAlign = draw.YCenter
		}
		l.Offset = vg.Point{X: vg.Points(4)}
		p.Add(l)
	}
	return p, len(labels)
}

var shapes = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.TriangleGlyph{}, draw.SquareGlyph{}, draw.CrossGlyph{}, draw.RingGlyph{}, draw.PlusGlyph{}}

var ticks = []plot.Tick{{Value: 0.25, Label: "¼"}, {Value: 0.5, Label: "½"}, {Value: 1, Label: "1"}, {Value: 2, Label: "2"}, {Value: 4, Label: "4"},
	{Value: 8, Label: "8"}, {Value: 16, Label: "16"}, {Value: 32, Label: "32"}, {Value: 64, Label: "64"}}

func contestNames(results []result) []string {
	var names []string
	for _, r := range results {
		if !slices.Contains(names, r.Contest) {
			names = append(names, r.Contest)
		}
	}
	return names
}

// bars are horizontal ones that begin at 1, of package plotter's none do.
type bars struct{ results []result }

// Plot implements plot.Plotter.
func (b *bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, t := range ticks {
		if t.Value > p.X.Min && t.Value < p.X.Max {
			style := draw.LineStyle{Color: grid, Width: vg.Points(0.5)}
			if t.Value == 1 {
				style = draw.LineStyle{Color: color.Black, Width: vg.Points(1)}
			}
			c.StrokeLine2(style, x(t.Value), c.Min.Y, x(t.Value), c.Max.Y)
		}
	}
	for i, r := range b.results {
		if math.IsNaN(r.Ratio) || r.Ratio <= 0 {
			continue
		}
		fill := better
		if r.Ratio < 1 {
			fill = worse
		}
		at, from, to := float64(i), x(1), x(r.Ratio)
		c.FillPolygon(fill, []vg.Point{{X: from, Y: y(at - 0.33)}, {X: to, Y: y(at - 0.33)}, {X: to, Y: y(at + 0.33)}, {X: from, Y: y(at + 0.33)}})
		c.StrokeLine2(draw.LineStyle{Color: whiskers, Width: vg.Points(0.8)}, x(r.RatioLow), y(at), x(r.RatioHigh), y(at))
	}
}
