package main

import (
	"fmt"
	"io"
)

// printHeader begins the table that printResults goes on with.
func printHeader(w io.Writer) {
	printRow(w, "contest", "implementation", "one costs", "MB/s", "allocs", "times as good", "starts", "")
}

// printResults prints results for people to read.
func printResults(w io.Writer, results []result) {
	for _, r := range results {
		rate, allocs := "", ""
		if r.Rate > 0 {
			rate = fmt.Sprintf("%.0f", r.Rate)
		}
		if r.Allocs >= 0 {
			allocs = fmt.Sprintf("%.2f", r.Allocs)
		}
		printRow(w, r.Contest, r.Impl, fmt.Sprintf("%.0f %s", r.Median, r.Unit), rate, allocs,
			fmt.Sprintf("%.2f", r.Ratio), fmt.Sprintf("%.2f..%.2f", r.RatioLow, r.RatioHigh), r.verdict())
	}
}

func printRow(w io.Writer, contest, impl, cost, rate, allocs, ratio, starts, verdict string) {
	fmt.Fprintf(w, "%-38s  %-22s %12s %7s %8s %14s  %-12s %s\n", contest, impl, cost, rate, allocs, ratio, starts, verdict)
}

// verdict says what the starts together say of r and the first side, if it is another.
func (r result) verdict() string {
	switch {
	case r.Base:
		return ""
	case r.RatioLow > 1:
		return "better"
	case r.RatioHigh < 1:
		return "worse"
	}
	return "same"
}
