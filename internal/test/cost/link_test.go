package cost

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iolib-go/sockets/internal/socktest"
)

// A program that only listens and dials has no table of characters and no index of
// encodings: they are reached from the names of encodings alone. Nor has it crypto/tls,
// which comes with net/http/httptrace and is more than a quarter of a program.
func TestLinkedTables(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	program := filepath.Join(t.TempDir(), "dial")
	if out, err := exec.Command(goTool, "build", "-o", program, "./testdata/dial").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(goTool, "tool", "nm", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	symbols := string(out)
	const codec = "github.com/iolib-go/sockets/internal/codec."
	if !strings.Contains(symbols, codec+"Of") {
		t.Fatal("no symbol of package codec: the test looks for the wrong ones")
	}
	for _, name := range []string{"rows", "newIndex", "Lookup", "pages", "big5", "eucJP", "gbk", "shiftJIS"} {
		if strings.Contains(symbols, " "+codec+name+"\n") {
			t.Errorf("%s%s is linked", codec, name)
		}
	}
	for _, pkg := range []string{"charmap", "japanese", "korean", "simplifiedchinese", "traditionalchinese", "htmlindex", "ianaindex"} {
		if strings.Contains(symbols, "golang.org/x/text/encoding/"+pkg+".") {
			t.Errorf("x/text's %s is linked", pkg)
		}
	}
	for _, symbol := range []string{"crypto/tls.", "net/http/httptrace."} {
		if strings.Contains(symbols, " "+symbol) {
			t.Errorf("%s is linked", symbol)
		}
	}
	// A string has no name of its own, so look for the beginning of each table.
	// This test's program has them all.
	all, err1 := os.ReadFile(socktest.Executable(t))
	binary, err2 := os.ReadFile(program)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"亜唖娃阿哀愛", "丂丄丅丆丏丒", "각간갇갈", "綕夝𨮹㷴霴", "丂丄丅丌丒丟", "ђЂѓЃёЁєЄ"} {
		if !bytes.Contains(all, []byte(text)) {
			t.Errorf("no table has %q: the test looks for the wrong text", text)
		}
		if bytes.Contains(binary, []byte(text)) {
			t.Errorf("a table with %q is linked", text)
		}
	}
}
