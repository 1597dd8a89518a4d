package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// childEnv tells this program, started anew by itself, what to be: the name of one
// of roles and its arguments.
const childEnv = "SOCKETS_BENCH_CHILD"

// roles are what a second process may be. It answers each line of its standard
// input with a line.
var roles = map[string]func(args []string, in *bufio.Scanner) error{"load": load}

// child does what childEnv says, and reports whether it says anything.
func child() bool {
	args := strings.Fields(os.Getenv(childEnv))
	if len(args) == 0 {
		return false
	}
	if err := roles[args[0]](args[1:], bufio.NewScanner(os.Stdin)); err != nil {
		log.Fatalf("%s: %v", args[0], err)
	}
	return true
}

// A process is a child in one of the roles.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startProcess(args ...string) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(exe)}
	p.cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(args, " "))
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewScanner(out)
	return p, p.cmd.Start()
}

// ask sends a line and returns the answer.
func (p *process) ask(format string, args ...any) (string, error) {
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		return "", err
	}
	return p.answer()
}

// answer returns the next line.
func (p *process) answer() (string, error) {
	if !p.out.Scan() {
		return "", errors.Join(p.out.Err(), errors.New("the second process ended"))
	}
	return p.out.Text(), nil
}

// stop ends the process.
func (p *process) stop() {
	p.in.Close()
	p.cmd.Wait()
}

// load is the role of a load generator: args are a key of loads, the address of
// the server and how many clients there are at a time. Each line asks for so many
// operations; the answer is how many nanoseconds they took.
func load(args []string, in *bufio.Scanner) error {
	clients, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	run, err := loads[args[0]](args[1], clients)
	if err != nil {
		return err
	}
	for in.Scan() {
		n, err := strconv.Atoi(in.Text())
		if err != nil {
			return err
		}
		start := time.Now()
		if err := run(n); err != nil {
			return err
		}
		fmt.Println(int64(time.Since(start)))
	}
	return in.Err()
}

var loads = map[string]func(addr string, clients int) (run func(n int) error, err error){
	"connect": func(addr string, clients int) (func(n int) error, error) {
		return reconnecting(clients, func() error {
			got, err := exchange(addr, nil)
			if err == nil && len(got) > 0 {
				err = errors.New("the server sent something")
			}
			return err
		}), nil
	},
	"http-close": func(addr string, clients int) (func(n int) error, error) {
		return reconnecting(clients, func() error {
			got, err := exchange(addr, []byte("GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"))
			if err == nil && !strings.HasSuffix(string(got), greeting) {
				err = fmt.Errorf("not the answer: %q", got)
			}
			return err
		}), nil
	},
	"echo": func(addr string, clients int) (func(n int) error, error) {
		question := make([]byte, 64)
		return connected(addr, clients, func(c net.Conn) (func() error, error) {
			answer := make([]byte, len(question))
			return func() error {
				if _, err := c.Write(question); err != nil {
					return err
				}
				_, err := io.ReadFull(c, answer)
				return err
			}, nil
		})
	},
	"http": func(addr string, clients int) (func(n int) error, error) {
		question := []byte("GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
		return connected(addr, clients, func(c net.Conn) (func() error, error) {
			// All answers are as long as the first one. Who measures a server does
			// not want to measure the client's parser.
			if _, err := c.Write(question); err != nil {
				return nil, err
			}
			answer := make([]byte, 0, 4096)
			for !strings.HasSuffix(string(answer), greeting) {
				n, err := c.Read(answer[len(answer):cap(answer)])
				if answer = answer[:len(answer)+n]; err != nil {
					return nil, err
				}
			}
			return func() error {
				if _, err := c.Write(question); err != nil {
					return err
				}
				if _, err := io.ReadFull(c, answer); err != nil {
					return err
				}
				if !strings.HasSuffix(string(answer), greeting) {
					return fmt.Errorf("not the answer: %q", answer)
				}
				return nil
			}, nil
		})
	},
}

// greeting is what the HTTP servers say.
const greeting = "hello, world"

// exchange makes a connection, sends question and returns all that comes.
func exchange(addr string, question []byte) ([]byte, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if len(question) > 0 {
		if _, err := c.Write(question); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(c)
}

// reconnecting returns what does op so many times, by several clients at once.
func reconnecting(clients int, op func() error) func(n int) error {
	ops := make([]func() error, clients)
	for i := range ops {
		ops[i] = op
	}
	return func(n int) error { return together(n, ops) }
}

// connected is reconnecting with a connection for each client, which stays.
func connected(addr string, clients int, prepare func(c net.Conn) (func() error, error)) (func(n int) error, error) {
	ops := make([]func() error, clients)
	for i := range ops {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		if ops[i], err = prepare(c); err != nil {
			return nil, err
		}
	}
	return func(n int) error { return together(n, ops) }, nil
}

// together does n operations, by turns, the one that is ready first.
func together(n int, ops []func() error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(ops))
	for i, op := range ops {
		wg.Go(func() {
			for range n/len(ops) + min(1, max(0, n%len(ops)-i)) {
				if errs[i] = op(); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
