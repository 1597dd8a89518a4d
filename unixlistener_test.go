//go:build linux

package sockets_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// fileOwners make listeners that own their files, in every way there is.
var fileOwners = []struct {
	name   string
	listen func(network, path string) (net.Listener, error)
}{
	{"Listen", sockets.Listen},
	{"ListenUnix", func(network, path string) (net.Listener, error) {
		return sockets.ListenUnix(network, &net.UnixAddr{Name: path, Net: network})
	}},
	{"ReplaceStale, UnixMode", func(network, path string) (net.Listener, error) {
		lc := &sockets.ListenConfig{ReplaceStale: true, UnixMode: 0o600}
		return lc.Listen(context.Background(), network, path)
	}},
	{"Socket", func(network, path string) (net.Listener, error) {
		s, err := sockets.New(network)
		if err != nil {
			return nil, err
		}
		defer s.Close()
		if err := s.Bind(&net.UnixAddr{Name: path, Net: network}); err != nil {
			return nil, err
		}
		return s.Listen(0)
	}},
	{"adopted, told to own", func(network, path string) (net.Listener, error) {
		fd, err := bindUnix(path, map[string]int{"unix": unix.SOCK_STREAM, "unixpacket": unix.SOCK_SEQPACKET}[network])
		if err != nil {
			return nil, err
		}
		if err := unix.Listen(fd, 1); err != nil {
			return nil, err
		}
		s, err := sockets.FromFD(fd)
		if err != nil {
			return nil, err
		}
		l, err := s.Listener()
		if err == nil {
			l.(*sockets.UnixListener).SetUnlinkOnClose(true)
		}
		return l, err
	}},
}

func TestCloseRemovesOwnFile(t *testing.T) {
	for _, tt := range []struct {
		name      string
		meanwhile func(t *testing.T, l *sockets.UnixListener)
		want      string // left at "l"
	}{
		{"nothing happens", func(*testing.T, *sockets.UnixListener) {}, "nothing"},
		{"a successor binds", func(t *testing.T, _ *sockets.UnixListener) {
			socktest.Check(t, os.Remove("l"))
			makeStale(t, "l", unix.SOCK_STREAM)
		}, "socket"},
		{"a successor renames", func(t *testing.T, _ *sockets.UnixListener) {
			makeStale(t, "m", unix.SOCK_STREAM)
			socktest.Check(t, os.Rename("m", "l"))
		}, "socket"},
		{"a file takes its place", func(t *testing.T, _ *sockets.UnixListener) {
			socktest.Check(t, os.Remove("l"))
			socktest.Check(t, os.WriteFile("l", nil, 0o600))
		}, "file"},
		{"it is removed", func(t *testing.T, _ *sockets.UnixListener) { socktest.Check(t, os.Remove("l")) }, "nothing"},
		{"a chdir to such a file", func(t *testing.T, _ *sockets.UnixListener) {
			t.Chdir(socktest.ShortDir(t))
			socktest.Check(t, os.WriteFile("l", nil, 0o600))
		}, "file"},
		{"not to own", func(_ *testing.T, l *sockets.UnixListener) { l.SetUnlinkOnClose(false) }, "socket"},
		{"not to own, and again", func(_ *testing.T, l *sockets.UnixListener) {
			l.SetUnlinkOnClose(false)
			l.SetUnlinkOnClose(true)
		}, "nothing"},
		{"left", func(_ *testing.T, l *sockets.UnixListener) { l.LeavePath() }, "socket"},
		{"left and taken back", func(_ *testing.T, l *sockets.UnixListener) { l.LeavePath()() }, "nothing"},
		{"left to two, one taken back", func(_ *testing.T, l *sockets.UnixListener) {
			back := l.LeavePath()
			l.LeavePath()
			back()
			back()
		}, "socket"},
		{"left, to own all the same", func(_ *testing.T, l *sockets.UnixListener) {
			back := l.LeavePath()
			l.SetUnlinkOnClose(true)
			back()
		}, "nothing"},
		{"taken back after Close", func(t *testing.T, l *sockets.UnixListener) {
			back := l.LeavePath()
			f, err := l.File()
			socktest.Check(t, err)
			defer f.Close()
			socktest.Check(t, l.Close())
			back()
		}, "nothing"},
		{"taken back long after Close", func(t *testing.T, l *sockets.UnixListener) {
			// The name of a file that has the same inode, as another may get.
			socktest.Check(t, os.Link("l", "m"))
			socktest.Check(t, l.Close())
			socktest.Check(t, os.Rename("m", "l"))
			l.LeavePath()()
			l.SetUnlinkOnClose(true)
			l.LeavePath()()
		}, "socket"},
		{"second Close", func(t *testing.T, l *sockets.UnixListener) {
			socktest.Check(t, l.Close())
			makeStale(t, "l", unix.SOCK_STREAM)
			l.SetUnlinkOnClose(true)
		}, "socket"},
	} {
		for _, owner := range fileOwners {
			for _, network := range []string{"unix", "unixpacket"} {
				t.Run(tt.name+"/"+owner.name+"/"+network, func(t *testing.T) {
					dir := socktest.ShortDir(t)
					t.Chdir(dir)
					l, err := owner.listen(network, "l")
					socktest.Check(t, err)
					if addr := l.Addr().String(); addr != "l" {
						t.Errorf("address %q, want l", addr)
					}
					tt.meanwhile(t, l.(*sockets.UnixListener))
					if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
						t.Error(err)
					}
					if got := lstat("l"); got != tt.want {
						t.Errorf("%s is left, want %s", got, tt.want)
					}
					if now, _ := os.Getwd(); now != dir && lstat(filepath.Join(dir, "l")) != "nothing" {
						t.Error("its own file is left")
					}
				})
			}
		}
	}
}

// TestCloseRemovesFileOfPath closes listeners whose paths are not what they look like.
func TestCloseRemovesFileOfPath(t *testing.T) {
	dir := socktest.ShortDir(t)
	socktest.Check(t, os.MkdirAll(dir+"/v1/run", 0o700))
	socktest.Check(t, os.Symlink(dir+"/v1/run", dir+"/link"))
	for _, tt := range []struct{ name, working, path, at string }{
		{"dots", dir, "./v1/../l", "/l"},
		{"dots after a link", dir, "link/../l", "/v1/l"},
		{"absolute, dots after a link", dir, dir + "/link/../l", "/v1/l"},
		{"a working directory by a link that changes", dir + "/link", "l", "/v1/run/l"},
	} {
		for _, owner := range fileOwners {
			t.Run(tt.name+"/"+owner.name, func(t *testing.T) {
				t.Chdir(tt.working)
				l, err := owner.listen("unix", tt.path)
				socktest.Check(t, err)
				defer l.Close()
				if got := lstat(dir + tt.at); got != "socket" {
					t.Fatalf("%s at %s, want the socket", got, tt.at)
				}
				socktest.Check(t, os.Rename(dir+"/link", dir+"/old"))
				defer os.Rename(dir+"/old", dir+"/link")
				if tt.working == dir {
					socktest.Check(t, os.Symlink(dir+"/v1/run", dir+"/link"))
				}
				socktest.Check(t, l.Close())
				if got := lstat(dir + tt.at); got != "nothing" {
					t.Errorf("%s is left", got)
				}
			})
		}
	}
}

// TestAdoptedOwnsNothing closes listeners and datagram sockets that have no file of their
// own.
func TestAdoptedOwnsNothing(t *testing.T) {
	path := filepath.Join(socktest.ShortDir(t), "l")
	l, err := net.Listen("unix", path)
	socktest.Check(t, err)
	defer l.Close()
	f, err := l.(*net.UnixListener).File()
	socktest.Check(t, err)
	defer f.Close()
	m, err := sockets.FileListener(f)
	socktest.Check(t, err)
	socktest.Check(t, m.Close())
	if got := lstat(path); got != "socket" {
		t.Errorf("%s is left, want the socket", got)
	}
	// What is at the path when it is told to own is no socket.
	if m, err = sockets.FileListener(f); err == nil {
		socktest.Check(t, os.Remove(path))
		socktest.Check(t, os.WriteFile(path, nil, 0o600))
		m.(*sockets.UnixListener).SetUnlinkOnClose(true)
		err = m.Close()
	}
	socktest.Check(t, err)
	if got := lstat(path); got != "file" {
		t.Errorf("%s is left, want the file", got)
	}
}

func TestSetUnlinkOnCloseBesideClose(t *testing.T) {
	dir := socktest.ShortDir(t)
	for i := range 50 {
		l, err := sockets.ListenUnix("unix", &net.UnixAddr{Name: fmt.Sprintf("%s/%d", dir, i), Net: "unix"})
		socktest.Check(t, err)
		var wg sync.WaitGroup
		wg.Go(func() { l.SetUnlinkOnClose(i%2 == 0) })
		wg.Go(func() { l.LeavePath()() })
		wg.Go(func() { l.Close() })
		wg.Wait()
	}
	new(sockets.UnixListener).SetUnlinkOnClose(true) // as with package net
}
