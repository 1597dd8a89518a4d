// Package readme checks README.md and docs: programs run, fragments compile, names and
// files exist, and numbers are those of committed results.
//
// go test ./internal/test/readme -update writes the numbers anew.
package readme

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets"
)

var update = flag.Bool("update", false, "write numbers and tables of README.md and docs anew")

// root is the module's directory.
const root = "../../../"

// A page is README.md or a file of docs.
type page struct{ name, text string }

// pages returns all of them.
func pages(t *testing.T) []page {
	t.Helper()
	needCheckout(t)
	names, err := filepath.Glob(root + "docs/*.md")
	if err != nil || len(names) == 0 {
		t.Fatalf("docs: %d files, %v", len(names), err)
	}
	var ps []page
	for _, name := range append(names, root+"README.md", root+"CONTRIBUTING.md", root+"CHANGELOG.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		name, err = filepath.Rel(root, name)
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, page{name, string(text)})
	}
	return ps
}

// needCheckout skips the test in the module cache, where nested modules are missing, and
// with them results that the pages tell of.
func needCheckout(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(root + "bench/go.mod"); err != nil {
		t.Skip("no checkout of the repository: ", err)
	}
}

// blocks returns the code of p in a language.
func (p page) blocks(t *testing.T, language string) (blocks []string) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(p.text, -1) {
		blocks = append(blocks, m[1])
	}
	if n := strings.Count(p.text, "```"+language+"\n"); len(blocks) != n {
		t.Fatalf("%s: %d of %d blocks of %s found", p.name, len(blocks), n, language)
	}
	return blocks
}

// prose returns p without its blocks of code.
func (p page) prose() string {
	return regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(p.text, "")
}

// TestLength keeps the README short.
func TestLength(t *testing.T) {
	for _, p := range pages(t) {
		if n := strings.Count(p.text, "\n"); p.name == "README.md" && n > 150 {
			t.Errorf("%s has %d lines, more than 150", p.name, n)
		}
	}
}

// TestLinks follows each relative link, also to a heading.
func TestLinks(t *testing.T) {
	links := 0
	for _, p := range pages(t) {
		for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(p.prose(), -1) {
			where, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(where, "://") {
				continue
			}
			links++
			file := filepath.Join(root, filepath.Dir(p.name), where)
			if where == "" {
				file = filepath.Join(root, p.name)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s leads to %s: %v", p.name, where, err)
			} else if heading != "" && !slices.Contains(headings(t, file), heading) {
				t.Errorf("%s leads to %s, which has no such heading", p.name, m[1])
			}
		}
	}
	if links == 0 {
		t.Error("no links")
	}
}

// headings returns those of a page as links name them.
func headings(t *testing.T, file string) (anchors []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(page{text: string(text)}.prose(), -1) {
		plain := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		anchors = append(anchors, strings.ReplaceAll(plain, " ", "-"))
	}
	return anchors
}

// TestMap checks that the map in CONTRIBUTING.md names files that exist, and all packages
// and files of the root.
func TestMap(t *testing.T) {
	needCheckout(t)
	text, err := os.ReadFile(root + "CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, m, _ := strings.Cut(string(text), "## Map of the files")
	m, _, ok := strings.Cut(m, "\n## ")
	if !ok {
		t.Fatal("no map of the files")
	}
	names := regexp.MustCompile(`[a-z_]+(\*)?\.go|internal/[a-z]+|\b[a-z]+/`).FindAllString(m, -1)
	for _, name := range append(names, "README.md") {
		if found, err := filepath.Glob(root + name); err != nil || len(found) == 0 {
			t.Errorf("%s: no such file", name)
		}
	}
	for _, want := range []string{"sockopt/", "activation/", "upgrade/", "compat/", "internal/netfd", "internal/sys", "internal/codec"} {
		if !slices.Contains(names, want) {
			t.Errorf("the map lacks %s", want)
		}
	}
	files, err := filepath.Glob(root + "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		file = filepath.Base(file)
		if !strings.HasSuffix(file, "_test.go") && !slices.ContainsFunc(names, func(pattern string) bool {
			ok, err := filepath.Match(pattern, file)
			return ok && err == nil
		}) {
			t.Errorf("the map lacks %s", file)
		}
	}
	suites, err := os.ReadDir(root + "internal/test")
	if err != nil {
		t.Fatal(err)
	}
	for _, suite := range suites {
		if !slices.Contains(strings.FieldsFunc(m, func(r rune) bool { return strings.ContainsRune(" ;:\n", r) }), suite.Name()) {
			t.Errorf("the map lacks internal/test/%s", suite.Name())
		}
	}
}

// pathLike matches what code in the text says of files of this module.
var pathLike = regexp.MustCompile(`^(\.ci|bench|compat|docs|examples|internal|testdata)/[\w./*-]+$|^[a-z_0-9*]+\.go$`)

// TestFiles checks that files and directories exist that the text names as code.
func TestFiles(t *testing.T) {
	files := 0
	for _, p := range pages(t) {
		for _, span := range codeSpans(p) {
			for _, name := range strings.Fields(strings.TrimPrefix(span, "sh ")) {
				if !pathLike.MatchString(name) || strings.Contains(name, "SUBJECT") || name == "x.go" || name == "x_test.go" {
					continue // which stand for any
				}
				files++
				if found, err := filepath.Glob(root + name); err != nil || len(found) == 0 {
					t.Errorf("%s names %s: no such file", p.name, name)
				}
			}
		}
	}
	if files == 0 {
		t.Error("no files are named")
	}
}

func codeSpans(p page) (spans []string) {
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(p.prose(), -1) {
		spans = append(spans, m[1])
	}
	return spans
}

// TestNames checks that what the text names as code is exported: pkg.Name, Type.Member.
func TestNames(t *testing.T) {
	api, err := os.ReadFile(root + "api.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	types := make(map[string]bool)
	line := regexp.MustCompile(`^(\w+) (?:type|func|const|var|field|method) (\(\*?\w+\) )?([\w.]+)`)
	for _, l := range strings.Split(string(api), "\n") {
		m := line.FindStringSubmatch(l)
		if m == nil {
			continue
		}
		name := m[3]
		if m[2] != "" {
			name = strings.Trim(m[2], "(*) ") + "." + name
		}
		names[m[1]+"."+name] = true
		if m[1] == "sockets" {
			names[name] = true
			first, _, _ := strings.Cut(name, ".")
			types[first] = true
		}
		if m[1] == "upgrade" || m[1] == "activation" {
			names[name] = true // on pages about them, without the package
		}
	}
	qualified := regexp.MustCompile(`\b(sockets|sockopt|activation|upgrade)\.([A-Z]\w*(?:\.[A-Z]\w*)?)`)
	member := regexp.MustCompile(`\b([A-Z]\w+)\.([A-Z]\w*)\b`)
	seen := 0
	for _, p := range pages(t) {
		for _, span := range codeSpans(p) {
			for _, m := range qualified.FindAllStringSubmatch(span, -1) {
				seen++
				name := m[1] + "." + m[2]
				first, method, _ := strings.Cut(m[2], ".")
				option := (method == "Set" || method == "Get" || method == "With") && names[m[1]+"."+first]
				if !names[name] && !option {
					t.Errorf("%s names %s, which does not exist", p.name, name)
				}
			}
			for _, m := range member.FindAllStringSubmatchIndex(span, -1) {
				name := span[m[2]:m[5]]
				if first := span[m[2]:m[3]]; (m[0] > 0 && span[m[0]-1] == '.') || !types[first] {
					continue // of a package, or of another module
				}
				seen++
				if !names[name] {
					t.Errorf("%s names %s, which does not exist", p.name, name)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d names found", seen)
	}
}

// TestCommands checks that the programs exist that the text tells to run.
func TestCommands(t *testing.T) {
	commands := 0
	for _, p := range pages(t) {
		for _, block := range p.blocks(t, "sh") {
			for _, m := range regexp.MustCompile(`go (?:run|build) (?:-\w+ )*(?:\./|github\.com/iolib-go/sockets/)([\w/]+)`).FindAllStringSubmatch(block, -1) {
				commands++
				if _, err := os.Stat(root + m[1] + "/main.go"); err != nil {
					t.Errorf("%s runs %s: %v", p.name, m[1], err)
				}
			}
		}
	}
	if commands == 0 {
		t.Error("no commands")
	}
}

// TestEncodings compares the table in docs/formats.md, and the number that pages give,
// with what there is.
func TestEncodings(t *testing.T) {
	listed := make(map[string]bool)
	for _, p := range pages(t) {
		for _, m := range regexp.MustCompile(`(\d+)\s+encodings`).FindAllStringSubmatch(p.text, -1) {
			if n := len(sockets.EncodingNames()); m[1] != strconv.Itoa(n) {
				t.Errorf("%s counts %s encodings, there are %d", p.name, m[1], n)
			}
		}
		if p.name != "docs/formats.md" {
			continue
		}
		_, table, _ := strings.Cut(p.text, "| encodings | names |")
		table, _, _ = strings.Cut(table, "\n\n")
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(table, -1) {
			if listed[m[1]] {
				t.Errorf("%s is listed twice", m[1])
			}
			listed[m[1]] = true
		}
	}
	want := make(map[string]bool)
	for _, name := range sockets.EncodingNames() {
		want[name] = true
	}
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("encodings (-EncodingNames +docs/formats.md):\n%s", diff)
	}
}

// TestGo compares the Go that the README asks for with go.mod.
func TestGo(t *testing.T) {
	mod, err := os.ReadFile(root + "go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	if m == nil {
		t.Fatal("go.mod has no line of go")
	}
	badges, err := os.ReadFile(root + "docs/badges.svg")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(pages(t), page{"docs/badges.svg", string(badges)}) {
		if p.name == "README.md" || p.name == "docs/badges.svg" {
			if !strings.Contains(p.text, "Go "+string(m[1])) {
				t.Errorf("%s does not name Go %s", p.name, m[1])
			}
		}
	}
}

// TestOverviews checks that the overview of each package links all types and values of its
// errors, and that it has an example.
func TestOverviews(t *testing.T) {
	api, err := os.ReadFile(root + "api.txt")
	if err != nil {
		t.Fatal(err)
	}
	for dir, name := range map[string]string{".": "sockets", "sockopt": "sockopt", "activation": "activation", "upgrade": "upgrade"} {
		doc, err := os.ReadFile(filepath.Join(root, dir, "doc.go"))
		if err != nil {
			t.Fatal(err)
		}
		errs := regexp.MustCompile(`(?m)^`+name+` (?:method \(\*(\w+)\) Error\(\) string|var (Err\w+) error)$`).FindAllStringSubmatch(string(api), -1)
		if len(errs) == 0 {
			t.Errorf("no errors of %s in api.txt", name)
		}
		for _, m := range errs {
			if e := m[1] + m[2]; !strings.Contains(string(doc), "["+e+"]") && !strings.Contains(string(doc), "[*"+e+"]") {
				t.Errorf("the overview of %s does not name %s", name, e)
			}
		}
		examples, err := filepath.Glob(filepath.Join(root, dir, "example*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(examples, func(file string) bool {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Contains(string(source), "\nfunc Example() {")
		}) {
			t.Errorf("%s has no example of the package", name)
		}
	}
}

// oldWords are those that the documentation has plainer ones for.
var oldWords = regexp.MustCompile(`(?i)\b(octets?|somebody|nobody|whoever|connection stands|stands for)\b`)

// TestWords checks doc comments of what is exported, and the pages.
func TestWords(t *testing.T) {
	for _, dir := range []string{".", "sockopt", "activation", "upgrade", "compat"} {
		packages, err := parser.ParseDir(token.NewFileSet(), filepath.Join(root, dir), func(f fs.FileInfo) bool {
			return !strings.HasSuffix(f.Name(), "_test.go")
		}, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for name, p := range packages {
			if !ast.PackageExports(p) {
				t.Errorf("%s exports nothing", name)
			}
			ast.Inspect(p, func(n ast.Node) bool {
				if group, ok := n.(*ast.CommentGroup); ok {
					if m := oldWords.FindString(group.Text()); m != "" {
						t.Errorf("package %s: %q in %q", name, m, group.Text())
					}
					if m := regexp.MustCompile(`\b[a-z_]+\.go\b(?:[^.]|$)`).FindString(group.Text()); m != "" {
						t.Errorf("package %s: a doc comment sends the reader to %s", name, m)
					}
				}
				return true
			})
		}
	}
	code := regexp.MustCompile("`[^`]*`")
	for _, p := range pages(t) {
		if m := oldWords.FindString(code.ReplaceAllString(p.prose(), "")); m != "" {
			t.Errorf("%s: %q", p.name, m)
		}
	}
}
