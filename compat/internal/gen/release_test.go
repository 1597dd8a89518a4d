package main

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// fakeAPI is the api folder of a Go whose newest release is 1.28.
var fakeAPI = fstest.MapFS{
	"README":     {Data: []byte("pkg net, func NotHere()\n")},
	"except.txt": {Data: []byte("pkg net, func NorHere()\n")},
	"go1.txt": {Data: []byte(`pkg net, const IPv4len = 4
pkg net, func Dial(string, string) (Conn, error)
pkg net, method (*TCPConn) Close() error
pkg net, type Conn interface { Close, Read }
pkg net, type Dialer struct
pkg net (windows-amd64), var OnlyThere error
pkg net/http, type Client struct
`)},
	"go1.9.txt":  {Data: []byte("pkg net, type Buffers [][]uint8\n")},
	"go1.27.txt": {Data: []byte("pkg net, func Fresh(string) (Conn, error) #12345\n")},
	"go1.28.txt": {Data: []byte(`pkg net, const Newest = 1
pkg net, method (*TCPConn) Newer() error
pkg net, type Dialer struct, Newer bool
pkg net (windows-amd64), func Fresh(string) (Conn, error)
`)},
}

func TestReadAPI(t *testing.T) {
	got, err := readAPI(fakeAPI)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		"Buffers": 9, "Conn": 0, "Dial": 0, "Dialer": 0, "Fresh": 27, "IPv4len": 0, "Newest": 28, "OnlyThere": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("releases mismatch (-want +got):\n%s", diff)
	}
}

func TestReadAPIErrors(t *testing.T) {
	if _, err := readAPI(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without files: %v, want fs.ErrNotExist", err)
	}
	if _, err := readAPI(fstest.MapFS{"go1.x.txt": {}}); err == nil {
		t.Error("go1.x.txt is not a release, and no error")
	}
}

func TestReleasesOf(t *testing.T) {
	since := map[string]int{"Old": 1, "Base": 26, "Fresh": 27, "Newest": 28}
	tests := []struct {
		name      string
		toolchain int
		want      map[string]int
	}{
		{"toolchain of the module", 26, map[string]int{"Old": 0, "Base": 0, "Unreleased": 0}},
		{"newer toolchain", 29, map[string]int{"Old": 0, "Base": 0, "Fresh": 27, "Newest": 28, "Unreleased": 29}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := releases{base: 26, toolchain: tt.toolchain, since: since}
			got := make(map[string]int)
			for name := range tt.want {
				got[name] = r.of(name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("releases mismatch (-want +got):\n%s", diff)
			}
		})
	}
}
