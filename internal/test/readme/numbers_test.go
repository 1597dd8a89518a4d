package readme

import (
	compare "cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNumbers compares what the pages say in numbers with the results that are
// committed. In their source a comment before each number says where it comes from:
//
//	<!--ratios CONTESTS | IMPLEMENTATIONS--> times as good as the best other one; regular expressions
//	<!--lost PROGRAM-->                      requests lost, of how many
//	<!--upgrades PROGRAM-->                  while it was replaced so often
//
// and <!--table NAME-->, up to an empty line, is made from them. A line that begins with a
// comment is HTML for Markdown and ends the paragraph, so the others are inside of lines.
func TestNumbers(t *testing.T) {
	needCheckout(t)
	bench, upgrades := readBench(t), readUpgrades(t)
	numbers := 0
	for _, p := range pages(t) {
		if m := regexp.MustCompile(`(?m)^<!--(ratios|lost|upgrades) .*`).FindString(p.text); m != "" {
			t.Errorf("%s: a line begins with a comment: %s", p.name, m)
		}
		want := replaceNumbers(t, p, bench, upgrades, &numbers)
		if want == p.text {
			continue
		}
		if *update {
			if err := os.WriteFile(filepath.Join(root, p.name), []byte(want), 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		t.Errorf("%s (-results +page):\n%s", p.name, cmp.Diff(strings.Split(want, "\n"), strings.Split(p.text, "\n")))
	}
	if numbers < 5 {
		t.Errorf("only %d numbers found", numbers)
	}
}

// claim is what the README may not say by itself: a ratio, how many times, how many of how
// many. What comes first is a version, or the comment with the source, as a star.
var claim = regexp.MustCompile(`(Go |Linux |\*)?\b[0-9][0-9,]*(?:\.[0-9]+(?: to [0-9.]+)?|(?: to [0-9]+)? times\b| of [0-9][0-9,]*)`)

// TestClaims finds numbers of the README that do not come from a result.
func TestClaims(t *testing.T) {
	for _, p := range pages(t) {
		if p.name != "README.md" {
			continue
		}
		text := regexp.MustCompile(`<!--.*?-->`).ReplaceAllString(p.prose(), "*")
		for _, c := range claim.FindAllStringSubmatch(text, -1) {
			if c[1] == "" {
				t.Errorf("README.md claims %q, and no result says so", c[0])
			}
		}
	}
}

// marked is a comment and what it is about.
var marked = regexp.MustCompile(`<!--(ratios|lost|upgrades) ([^>]*)-->([0-9]+(?:[.,][0-9]+)*(?: (?:to|of) [0-9]+(?:[.,][0-9]+)*)?)|(?s:<!--table (\w+)-->\n.*?\n\n)`)

func replaceNumbers(t *testing.T, p page, bench []result, upgrades map[string][]run, numbers *int) string {
	t.Helper()
	return marked.ReplaceAllStringFunc(p.text, func(old string) string {
		*numbers++
		m := marked.FindStringSubmatch(old)
		kind, what, impl := m[1], m[2], ""
		if a, b, ok := strings.Cut(what, " | "); ok {
			what, impl = a, b
		}
		var text string
		switch {
		case m[4] == "ratios":
			return "<!--table ratios-->\n" + ratioTable(bench) + "\n"
		case m[4] == "upgrades":
			return "<!--table upgrades-->\n" + upgradeTable(upgrades) + "\n"
		case kind == "ratios":
			re, impls := regexp.MustCompile(what), regexp.MustCompile("^(?:"+impl+")$")
			var ratios []float64
			for _, r := range bench {
				if best, ok := bestOther(bench, r); ok && re.MatchString(r.Contest) && impls.MatchString(r.Impl) {
					ratios = append(ratios, r.Ratio/best.Ratio)
				}
			}
			if len(ratios) == 0 {
				t.Errorf("%s: no results of %s in %s", p.name, impl, what)
				return old
			}
			text = format(slices.Min(ratios))
			if greatest := format(slices.Max(ratios)); greatest != text {
				text += " to " + greatest
			}
		case kind == "upgrades":
			n := 0
			for _, r := range upgrades[what] {
				n += r.upgrades
			}
			text = strconv.Itoa(n)
		case kind == "lost":
			lost, sent := 0, 0
			for _, r := range upgrades[what] {
				lost, sent = lost+r.lost, sent+r.requests
			}
			text = fmt.Sprintf("%d of %s", lost, thousands(sent))
		default:
			t.Errorf("%s: %s", p.name, old)
			return old
		}
		return "<!--" + kind + " " + m[2] + "-->" + text
	})
}

// format prints a ratio as precisely as it means something.
func format(ratio float64) string {
	if ratio >= 10 {
		return strconv.FormatFloat(ratio, 'f', 0, 64)
	}
	return strconv.FormatFloat(ratio, 'f', 2, 64)
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// A result is one of bench/ratios.json.
type result struct {
	Contest, Impl              string
	Ratio, RatioLow, RatioHigh float64
}

func readBench(t *testing.T) []result {
	t.Helper()
	data, err := os.ReadFile(root + "bench/ratios.json")
	if err != nil {
		t.Fatal(err)
	}
	var report struct{ Results []result }
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	return report.Results
}

// bestOther returns the best result of others in the contest of r, with the same variant
// if there is one, such as the number of messages a call.
func bestOther(results []result, r result) (best result, ok bool) {
	_, variant, _ := strings.Cut(r.Impl, ", ")
	like := false
	for _, o := range results {
		name, v, _ := strings.Cut(o.Impl, ", ")
		if o.Contest != r.Contest || name == "sockets" {
			continue
		}
		same := v == variant
		if !ok || same && !like || same == like && o.Ratio > best.Ratio {
			best, like, ok = o, same, true
		}
	}
	return best, ok
}

// ratioTable compares each implementation of this package with the best other one that
// does the same, the worst first.
func ratioTable(results []result) string {
	type row struct {
		ratio float64
		text  string
	}
	var rows []row
	for _, r := range results {
		name, variant, _ := strings.Cut(r.Impl, ", ")
		best, ok := bestOther(results, r)
		if name != "sockets" || !ok {
			continue
		}
		verdict := "same"
		switch {
		case r.RatioLow > best.RatioHigh:
			verdict = "better"
		case r.RatioHigh < best.RatioLow:
			verdict = "worse"
		}
		what := r.Contest
		if variant != "" {
			what += ", " + variant
		}
		ratio := r.Ratio / best.Ratio
		rows = append(rows, row{ratio, fmt.Sprintf("| %s | %s | %s | %s |\n", what, best.Impl, format(ratio), verdict)})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return compare.Compare(a.ratio, b.ratio) })
	var b strings.Builder
	b.WriteString("| work | best other | times as good | spread |\n|---|---|---|---|\n")
	for _, r := range rows {
		b.WriteString(r.text)
	}
	return b.String()
}

// A run is a line of compat/thirdparty/upgrade.txt.
type run struct{ requests, upgrades, lost int }

func readUpgrades(t *testing.T) map[string][]run {
	t.Helper()
	data, err := os.ReadFile(root + "compat/thirdparty/upgrade.txt")
	if err != nil {
		t.Fatal(err)
	}
	runs := make(map[string][]run)
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var name string
		var r run
		if _, err := fmt.Sscan(line, &name, &r.requests, &r.upgrades, &r.lost); err != nil {
			t.Fatalf("upgrade.txt: %q: %v", line, err)
		}
		runs[name] = append(runs[name], r)
	}
	for _, name := range []string{"sockets/upgrade", "tableflip"} {
		if len(runs[name]) == 0 {
			t.Fatalf("upgrade.txt has no %s", name)
		}
	}
	return runs
}

func upgradeTable(runs map[string][]run) string {
	var b strings.Builder
	b.WriteString("| program | requests | upgrades | lost |\n|---|---|---|---|\n")
	for _, name := range []string{"sockets/upgrade", "tableflip"} {
		for _, r := range runs[name] {
			fmt.Fprintf(&b, "| %s | %s | %d | %d |\n", name, thousands(r.requests), r.upgrades, r.lost)
		}
	}
	return b.String()
}
