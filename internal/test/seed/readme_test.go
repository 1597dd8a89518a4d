//go:build linux

package seed

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/iolib-go/sockets/internal/socktest"
)

// operatorTable is the file with the table of operators.
const operatorTable = "../../../docs/iolib.md"

// TestOperatorTable checks that the table of operators has the rows of TestSeed, and
// that the examples exist to which it leads.
func TestOperatorTable(t *testing.T) {
	text, err := os.ReadFile(operatorTable)
	socktest.Check(t, err)
	rows := regexp.MustCompile("(?m)^\\| ([a-z-]+) \\| (?:`(:[a-z0-9-]+)`)? \\| (.*) \\| (.*) \\|$").FindAllStringSubmatch(string(text), -1)
	listed := make(map[[2]string]bool)
	for _, row := range rows {
		if row[1] == "operator" {
			continue
		}
		name := [2]string{row[1], row[2]}
		if listed[name] {
			t.Errorf("%s %s is listed twice", row[1], row[2])
		}
		listed[name] = true
		links := regexp.MustCompile(`\[([A-Za-z.]+)\]\(\.\./([a-z_]+_test\.go)\)`).FindAllStringSubmatch(row[4], -1)
		if len(links) == 0 {
			t.Errorf("%s %s has no example", row[1], row[2])
		}
		for _, link := range links {
			source, err := os.ReadFile("../../../" + link[2])
			socktest.Check(t, err)
			if !strings.Contains(string(source), "func Example"+strings.ReplaceAll(link[1], ".", "_")+"()") {
				t.Errorf("%s %s: no example of %s in %s", row[1], row[2], link[1], link[2])
			}
		}
	}
	for _, row := range seedRows {
		name := [2]string{row.operator, row.keyword}
		if !listed[name] {
			t.Errorf("%s %s is tested, but not in the table", row.operator, row.keyword)
		}
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("%s %s is in the table, but not tested", name[0], name[1])
	}
}
