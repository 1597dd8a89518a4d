//go:build linux

package sockets_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
)

func TestCopyKinds(t *testing.T) {
	for _, src := range sources {
		for _, dst := range destinations {
			t.Run(src.name+" to "+dst.name, func(t *testing.T) {
				for _, size := range []int{0, 1, 4095, 70_000, 1<<20 + rand.IntN(1<<18)} {
					var wg sync.WaitGroup
					data := randomBytes(size)
					r := src.open(t, data, &wg)
					w, all := dst.open(t)
					var n int64
					var err error
					moved := transfers(func() { n, err = sockets.Copy(w, r) })
					if err != nil || n != int64(size) {
						t.Fatalf("Copy = %d, %v, want %d", n, err, size)
					}
					wg.Wait()
					if !bytes.Equal(data, all()) {
						t.Fatalf("%d octets arrived changed", size)
					}
					want := map[string]int64{}
					if w := way(src.name, dst.name); w != "" && size > 0 {
						want[w] = int64(size)
						if w == "some" {
							continue
						}
					}
					if diff := cmp.Diff(want, moved); diff != "" {
						t.Errorf("through the kernel (-want +got):\n%s", diff)
					}
				}
			})
		}
	}
}

// The methods that io.Copy finds have to lead to the same.
func TestCopyByMethod(t *testing.T) {
	tests := []struct {
		src, dst string
		want     string
	}{
		{"file", "tcp", "sendfile"},
		{"tcp", "tcp", "splice"},
		{"unix", "tcp", "splice"},
		{"tcp", "unix", "splice"},
		{"file", "stream.unix", "sendfile"},
		{"tcp", "stream.unix", "splice"},
		{"net.unix", "stream.unix", "splice"},
		{"stream.unix", "net.tcp", "splice"},
		{"stream.unix", "file", "splice"},
		{"tcp", "net.tcp", "splice"},
		{"net.tcp", "tcp", "splice"},
		{"net.unix", "tcp", "splice"},
		{"tcp", "net.unix", "splice"},
		{"tcp", "file", "splice"},
		{"tcp", "pipe", "splice"},
		{"pipe", "tcp", "splice"},
		{"embedded", "tcp", ""},
		{"unixpacket", "tcp", ""},
	}
	for _, tt := range tests {
		for _, limit := range []int64{-1, 300_000, 600_000} {
			if tt.src == "unixpacket" && limit >= 0 {
				continue // the limit would cut a packet
			}
			t.Run(fmt.Sprintf("%s to %s limit %d", tt.src, tt.dst, limit), func(t *testing.T) {
				src := sources[slices.IndexFunc(sources, func(s source) bool { return s.name == tt.src })]
				dst := destinations[slices.IndexFunc(destinations, func(d destination) bool { return d.name == tt.dst })]
				data := randomBytes(500_000)
				var wg sync.WaitGroup
				r := src.open(t, data, &wg)
				w, all := dst.open(t)
				var lr *io.LimitedReader
				from, want := r, int64(len(data))
				if limit >= 0 {
					lr = &io.LimitedReader{R: r, N: limit}
					from, want = lr, min(limit, want)
				}
				var n int64
				var err error
				moved := transfers(func() { n, err = io.Copy(w, from) })
				if err != nil || n != want {
					t.Fatalf("Copy = %d, %v, want %d", n, err, want)
				}
				if lr != nil && lr.N != limit-want {
					t.Errorf("N = %d left of %d after %d", lr.N, limit, want)
				}
				if want < int64(len(data)) {
					rest, err := io.ReadAll(r)
					if err != nil || !bytes.Equal(data[want:], rest) {
						t.Errorf("the rest: %d octets, %v, want %d", len(rest), err, len(data)-int(want))
					}
				}
				wg.Wait()
				if !bytes.Equal(data[:want], all()) {
					t.Error("octets arrived changed")
				}
				if lr != nil && (tt.dst != "tcp" || tt.src == "net.tcp") && tt.src != "pipe" {
					return // io.Copy asks the other side, which knows nothing of ours
				}
				if tt.want != "" && moved[tt.want] != want {
					t.Errorf("through the kernel: %v, want %s: %d", moved, tt.want, want)
				}
			})
		}
	}
}

// A family that package net does not know goes through the kernel as well.
func TestCopyVsock(t *testing.T) {
	vsockLoopback(t)
	l, err := sockets.Listen("vsock", fmt.Sprintf("%d:*", sockets.VsockLocal))
	check(t, err)
	closeLater(t, l)
	pair := func() (a, b net.Conn) {
		a, b, stop, err := pipeThrough(l)
		check(t, err)
		t.Cleanup(stop)
		return a, b
	}
	data := randomBytes(500_000)
	src, feeder := pair()
	dst, peer := pair()
	var wg sync.WaitGroup
	feed(t, feeder, data, &wg)
	all := collect(t, dst, peer)
	var n int64
	moved := transfers(func() { n, err = io.Copy(dst, src) })
	if err != nil || n != int64(len(data)) {
		t.Fatalf("Copy = %d, %v, want %d", n, err, len(data))
	}
	wg.Wait()
	if !bytes.Equal(data, all()) {
		t.Error("octets arrived changed")
	}
	if diff := cmp.Diff(map[string]int64{"splice": n}, moved); diff != "" {
		t.Errorf("through the kernel (-want +got):\n%s", diff)
	}
}

func TestStreamConnCopyOfZero(t *testing.T) {
	var c sockets.StreamConn
	_, err := c.ReadFrom(strings.NewReader("x"))
	if err != syscall.EINVAL {
		t.Errorf("ReadFrom of a zero value: %v, want EINVAL", err)
	}
	if _, err := c.WriteTo(io.Discard); err != syscall.EINVAL {
		t.Errorf("WriteTo of a zero value: %v, want EINVAL", err)
	}
}

func TestCopyNAdvancesFile(t *testing.T) {
	data := randomBytes(100_000)
	f := tempFile(t, data, os.O_RDONLY)
	a, b := streamPair(t, "", "tcp")
	all := collect(t, a, b)
	for _, n := range []int64{0, 10, 60_000, 39_990} {
		if m, err := io.CopyN(a, f, n); m != n || err != nil {
			t.Fatalf("CopyN = %d, %v, want %d", m, err, n)
		}
	}
	if n, err := io.CopyN(a, f, 1); n != 0 || err != io.EOF {
		t.Errorf("CopyN at the end = %d, %v, want 0, EOF", n, err)
	}
	if !bytes.Equal(data, all()) {
		t.Error("octets arrived changed")
	}
}

func TestCopySpecialFiles(t *testing.T) {
	for _, name := range []string{"/proc/self/limits", "/proc/version", "/proc/sys/kernel/ostype", "/sys/kernel/mm/transparent_hugepage/enabled"} {
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(name)
			if err != nil {
				t.Skip(err)
			}
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			a, b := streamPair(t, "", "tcp")
			all := collect(t, a, b)
			if n, err := sockets.Copy(a, f); n != int64(len(want)) || err != nil {
				t.Errorf("Copy = %d, %v, want %d", n, err, len(want))
			}
			if diff := cmp.Diff(string(want), string(all())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("/dev/zero", func(t *testing.T) {
		f, err := os.Open("/dev/zero")
		if err != nil {
			t.Skip(err)
		}
		defer f.Close()
		a, b := streamPair(t, "", "unix")
		all := collect(t, a, b)
		if n, err := sockets.Copy(a, io.LimitReader(f, 300_000)); n != 300_000 || err != nil {
			t.Errorf("Copy = %d, %v", n, err)
		}
		if !bytes.Equal(make([]byte, 300_000), all()) {
			t.Error("octets arrived changed")
		}
	})
	t.Run("/dev/null", func(t *testing.T) {
		f, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
		if err != nil {
			t.Skip(err)
		}
		defer f.Close()
		var wg sync.WaitGroup
		r := connSource("", "tcp")(t, randomBytes(300_000), &wg)
		if n, err := sockets.Copy(f, r); n != 300_000 || err != nil {
			t.Errorf("Copy = %d, %v", n, err)
		}
		wg.Wait()
	})
	t.Run("directory", func(t *testing.T) {
		f, err := os.Open("/")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		a, _ := streamPair(t, "", "tcp")
		if n, err := sockets.Copy(a, f); n != 0 || !errors.Is(err, syscall.EISDIR) {
			t.Errorf("Copy = %d, %v, want EISDIR", n, err)
		}
	})
}

func TestCopyPacketsKeepTheirBounds(t *testing.T) {
	a, b := streamPair(t, "", "unixpacket")
	dst, peer := streamPair(t, "", "unixpacket")
	for _, s := range []string{"one", "two", "three"} {
		if _, err := a.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	a.Close()
	if n, err := sockets.Copy(dst, b); n != 11 || err != nil {
		t.Fatalf("Copy = %d, %v, want 11", n, err)
	}
	dst.Close()
	var got []string
	buf := make([]byte, 100)
	for {
		n, err := peer.Read(buf)
		if err != nil {
			break
		}
		got = append(got, string(buf[:n]))
	}
	if diff := cmp.Diff([]string{"one", "two", "three"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
