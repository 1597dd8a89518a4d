//go:build linux

package hostile

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

var (
	scriptsFlag = flag.Int("hostile.scripts", 300, "how many scripts each test does")
	seedFlag    = flag.Uint64("hostile.seed", 1, "the seed of the scripts; a new one if 0")
)

// A script decides what both sides do, by bytes that the fuzzer or chance has chosen.
// When there are no more, each decision is for the first choice, which ends it.
type script struct {
	data []byte
	log  []string // of what is done
	undo []func()
}

// pick returns a number below n.
func (s *script) pick(n int) int {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return int(b) % n
}

// of returns one of the values.
func of[T any](s *script, values ...T) T { return values[s.pick(len(values))] }

func (s *script) note(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf(format, args...))
}

// later has f called when the script is over.
func (s *script) later(f func()) { s.undo = append(s.undo, f) }

// A play does one script, and returns what went wrong.
type play func(s *script) error

// do plays the script that data are.
func (p play) do(data []byte) (log []string, err error) {
	s := &script{data: data}
	defer s.end()
	err = p(s)
	return s.log, err
}

// end undoes what is to be undone when the script is over.
func (s *script) end() {
	for _, f := range slices.Backward(s.undo) {
		f()
	}
	s.undo = nil
}

// check fails the test if the script that data are fails. It tries to find a shorter one.
func (p play) check(t *testing.T, data []byte) {
	log, err := p.do(data)
	if err == nil {
		return
	}
	// What is wrong with a shorter one may be something else.
	t.Logf("%v\n\t%s\nThe whole script: []byte(%q)", err, strings.Join(log, "\n\t"), data)
	for n := len(data) / 2; n > 0; n /= 2 {
		for i := 0; i+n <= len(data); {
			fewer := slices.Delete(slices.Clone(data), i, i+n)
			if l, e := p.do(fewer); e != nil {
				data, err, log = fewer, e, l
			} else {
				i += n
			}
		}
	}
	t.Fatalf("%v\n\t%s\nThe script, for testdata/fuzz:\ngo test fuzz v1\n[]byte(%q)", err, strings.Join(log, "\n\t"), data)
}

// random plays scripts at random.
func (p play) random(t *testing.T) {
	listen(t)
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-hostile.seed %d", seed)
	for i := range *scriptsFlag {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		data := make([]byte, 4+r.IntN(80))
		for j := range data {
			data[j] = byte(r.Uint32())
		}
		if p.check(t, data); t.Failed() {
			return
		}
	}
	t.Logf("%d scripts", *scriptsFlag)
}

// fuzz lets the fuzzer choose the script.
func (p play) fuzz(f *testing.F) {
	listen(f)
	for i := range uint64(40) {
		r := rand.New(rand.NewPCG(i, 1))
		data := make([]byte, 4+i)
		for j := range data {
			data[j] = byte(r.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { p.check(t, data[:min(len(data), 200)]) })
}

// listeners accept the connections of the scripts of one test.
var listeners map[string]net.Listener

func listen(tb testing.TB) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	socktest.CloseLater(tb, tcp)
	local, err := net.Listen("unix", "") // a name of its own, which "@" is not
	if err != nil {
		tb.Fatal(err)
	}
	socktest.CloseLater(tb, local)
	listeners = map[string]net.Listener{"tcp": tcp, "unix": local}
}

// pairs counts connections.
var pairs atomic.Int64

// pair returns the two ends of a stream, one of which is of package net. They are
// closed after the script, without leaving a port in use.
func (s *script) pair(network string) (own, nets net.Conn, err error) {
	l := listeners[network]
	var d sockets.Dialer
	if network == "unix" { // where a name tells one connection from another
		d.LocalAddr = &net.UnixAddr{Net: network, Name: fmt.Sprint(l.Addr(), " ", pairs.Add(1))}
	}
	if own, err = d.Dial(network, l.Addr().String()); err != nil {
		return nil, nil, err
	}
	for {
		if nets, err = l.Accept(); err != nil {
			own.Close()
			return nil, nil, err
		}
		if nets.RemoteAddr().String() == own.LocalAddr().String() {
			break
		}
		nets.Close() // of another process, or of a script whose Dial failed
	}
	s.later(func() { abort(own); abort(nets) })
	return own, nets, nil
}

// abort closes c, and resets a connection of TCP.
func abort(c net.Conn) {
	if l, ok := c.(interface{ SetLinger(int) error }); ok {
		l.SetLinger(0)
	}
	c.Close()
}

// limit bounds the time of a script: f, which has everything that waits return, is
// called when it is over. The script has to ask whether that was the case.
func (s *script) limit(f func()) (hung func() bool) {
	var mu sync.Mutex
	late := false
	timer := time.AfterFunc(30*time.Second, func() {
		mu.Lock()
		late = true
		mu.Unlock()
		f()
	})
	s.later(func() { timer.Stop() })
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		return late
	}
}

// file returns a file in memory, and closes it after the script.
func (s *script) file() (*os.File, error) {
	fd, err := unix.MemfdCreate("hostile", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "hostile")
	s.later(func() { f.Close() })
	return f, nil
}
