package main

import (
	"bufio"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// idleConns is how many connections the memory of one is computed from.
var idleConns = 10_000

func init() {
	roles["idle"] = idle
	for _, way := range []string{"accepted", "dialed"} {
		c := contest{name: "memory/idle connection/" + way, metrics: []metric{{unit: "B"}}, rounds: 3}
		for _, nw := range networks {
			c.sides = append(c.sides, idleSide(nw.name, way))
		}
		if way == "accepted" {
			for _, p := range idlePeers {
				c.sides = append(c.sides, idleSide(p.name, way))
			}
		}
		others = append(others, c)
	}
}

// idleSide is what connections of which nothing comes take of a process, each
// turn of a new one, with its other ends in this one.
func idleSide(name, way string) side {
	return side{name, func(time.Duration) (func() ([]float64, float64, error), func(), error) {
		return func() ([]float64, float64, error) {
			each, err := idleMemory(name, way, min(idleConns, maxFiles()-100))
			return []float64{each}, -1, err
		}, func() {}, nil
	}}
}

func idleMemory(name, way string, n int) (each float64, err error) {
	var ends []net.Conn
	defer func() {
		for _, c := range ends {
			c.(*net.TCPConn).SetLinger(0) // nothing is left of it in the kernel
			c.Close()
		}
	}()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	p, err := startProcess("idle", name, way, l.Addr().String(), strconv.Itoa(n))
	if err != nil {
		return 0, err
	}
	defer p.stop()
	addr, err := p.answer() // it is ready
	if err != nil {
		return 0, err
	}
	for range n {
		var c net.Conn
		if way == "dialed" {
			c, err = l.Accept()
		} else {
			c, err = net.Dial("tcp", addr)
		}
		if err != nil {
			return 0, err
		}
		ends = append(ends, c)
	}
	answer, err := p.answer()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(answer, 64)
}

// idle is the role of a process with idle connections: args are an implementation,
// whether it accepts or dials, the address to dial, and how many. It answers with
// the address to be dialed, and when it has them all, with the bytes for each. A
// goroutine for each waits in Read, unless an idlePeer does without.
func idle(args []string, in *bufio.Scanner) error {
	name, way, addr := args[0], args[1], args[2]
	n, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	opened := make(chan error, n)
	wait := func(c net.Conn, err error) {
		opened <- err
		if err == nil {
			var b [1]byte
			c.Read(b[:])
			c.Close()
		}
	}
	dial := func() {}
	if i := slices.IndexFunc(idlePeers, func(p idlePeer) bool { return p.name == name }); i >= 0 {
		addr, err = idlePeers[i].start(func() { opened <- nil })
	} else {
		nw := networks[slices.IndexFunc(networks, func(nw network) bool { return nw.name == name })]
		if way == "dialed" {
			dial = func() {
				for range n {
					c, err := nw.dial("tcp", addr)
					go wait(c, err)
				}
			}
		} else {
			var l net.Listener
			if l, err = nw.listen("tcp", "127.0.0.1:0"); err == nil {
				addr = l.Addr().String()
				go func() {
					for range n {
						c, err := l.Accept()
						go wait(c, err)
					}
				}()
			}
		}
	}
	if err != nil {
		return err
	}
	before := used()
	fmt.Println(addr) // and the other process begins
	dial()
	for range n {
		if err := <-opened; err != nil {
			return err
		}
	}
	time.Sleep(50 * time.Millisecond) // now all wait
	fmt.Println(float64(used()-before) / float64(n))
	in.Scan() // until the connections are not needed any more
	return in.Err()
}

// An idlePeer is a server that keeps connections without a goroutine for each. It
// calls opened when it has one more.
type idlePeer struct {
	name  string
	start func(opened func()) (addr string, err error)
}

// used returns the memory that is in use for objects and stacks.
func used() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
