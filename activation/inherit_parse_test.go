//go:build linux

package activation

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
)

// FuzzParseListen reads variables that any program may have set: what they describe is open
// and inherited, each descriptor has a name, and an error says which variable it is.
func FuzzParseListen(f *testing.F) {
	const pid = 4242
	f.Add("4242", "", "1", "a", "")
	f.Add("4242", "7", "2147483647", "a:b", "3,8.1")
	f.Add("", "", "", "", "3,8.1,8.2")
	f.Add("1", "", "1", "", "0,1.1")
	f.Fuzz(func(t *testing.T, ofPID, pidfd, fds, names, ids string) {
		env := map[string]string{listenPID: ofPID, listenFDs: fds, listenFDNames: names, listenIDs: ids}
		if pidfd != "" {
			env[listenPIDFDID] = pidfd
		}
		got, first, err := parseListen(env, pid)
		if err != nil {
			if e, ok := errors.AsType[*InheritError](err); !ok || env[e.Variable] != e.Value || len(got) > 0 {
				t.Errorf("%q: %q, %v", env, got, err)
			}
			return
		}
		for i := range got {
			if _, errno := fileID(uintptr(first + i)); first < firstInherited || errno != 0 {
				t.Errorf("%q: descriptor %d: %v", env, first+i, errno)
			}
		}
	})
}

// FuzzMatchIDs has a list of files match only if each is what it says.
func FuzzMatchIDs(f *testing.F) {
	r, err := os.Open(os.DevNull)
	if err != nil {
		f.Fatal(err)
	}
	defer r.Close()
	id, errno := fileID(r.Fd())
	if errno != 0 {
		f.Fatal(errno)
	}
	own := strconv.Itoa(int(r.Fd())) + "," + id
	f.Add(own)
	f.Add(own + ",")
	f.Add("2147483647,1.1,1.1")
	f.Add("3")
	f.Fuzz(func(t *testing.T, v string) {
		first, last, ok := matchIDs(v)
		if !ok {
			if last >= first || v == own {
				t.Errorf("%q: %d to %d, and no match", v, first, last)
			}
			return
		}
		_, ids, _ := strings.Cut(v, ",")
		for i, want := range strings.Split(ids, ",") {
			if got, errno := fileID(uintptr(first + i)); errno != 0 || got != want || first+i > last {
				t.Errorf("%q: descriptor %d is %q, %v", v, first+i, got, errno)
			}
		}
	})
}
