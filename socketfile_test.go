//go:build linux

package sockets_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// bindUnix returns a descriptor that is bound to path. Closing it leaves a stale socket.
func bindUnix(path string, typ int) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// makeStale leaves a socket at path that no process has open.
func makeStale(t *testing.T, path string, typ int) {
	t.Helper()
	fd, err := bindUnix(path, typ)
	socktest.Check(t, err)
	unix.Close(fd)
}

// lstat says what is at path.
func lstat(path string) string {
	info, err := os.Lstat(path)
	if err != nil {
		return "nothing"
	}
	return map[fs.FileMode]string{0: "file", fs.ModeDir: "directory", fs.ModeSocket: "socket", fs.ModeSymlink: "link"}[info.Mode().Type()]
}

func TestUnixMode(t *testing.T) {
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 65534, 65533
	}
	defer syscall.Umask(syscall.Umask(0o027))
	for _, network := range []string{"unix", "unixpacket", "unixgram"} {
		for _, mode := range []fs.FileMode{0, 0o600, 0o660, 0o666, 0o777, 0o200} {
			for _, owner := range []*sockets.UnixOwner{nil, {uid, gid}, {-1, gid}, {uid, -1}, {-1, -1}} {
				if mode == 0 && owner != nil {
					continue
				}
				t.Run(fmt.Sprint(network, " ", mode, " ", owner), func(t *testing.T) {
					path := filepath.Join(socktest.ShortDir(t), "l")
					c, err := listenAny(&sockets.ListenConfig{UnixMode: mode, UnixOwner: owner}, network, path)
					socktest.Check(t, err)
					defer c.Close()
					type file struct {
						Mode     fs.FileMode
						UID, GID int
					}
					want := file{mode, os.Getuid(), os.Getgid()}
					if mode == 0 {
						want.Mode = 0o750
					}
					if owner != nil && owner.UID >= 0 {
						want.UID = owner.UID
					}
					if owner != nil && owner.GID >= 0 {
						want.GID = owner.GID
					}
					info, err := os.Lstat(path)
					socktest.Check(t, err)
					st := info.Sys().(*syscall.Stat_t)
					got := file{info.Mode().Perm(), int(st.Uid), int(st.Gid)}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("file (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

// listenAny is Listen or ListenPacket, as network needs it.
func listenAny(lc *sockets.ListenConfig, network, address string) (interface{ Close() error }, error) {
	if network == "unixgram" || network == "udp" {
		return lc.ListenPacket(context.Background(), network, address)
	}
	return lc.Listen(context.Background(), network, address)
}

// TestUnixModeRace has another user connect and send all the time, while sockets are made
// that are for root and a group.
func TestUnixModeRace(t *testing.T) {
	socktest.NeedUsers(t, os.TempDir())
	dir := socktest.ShortDir(t)
	socktest.Check(t, os.Chmod(dir, 0o755))
	path := filepath.Join(dir, "l")
	defer syscall.Umask(syscall.Umask(0))
	for _, network := range []string{"unix", "unixpacket", "unixgram"} {
		t.Run(network, func(t *testing.T) {
			typ := map[string]int{"unix": unix.SOCK_STREAM, "unixpacket": unix.SOCK_SEQPACKET, "unixgram": unix.SOCK_DGRAM}[network]
			var stop atomic.Bool
			got := make(map[error]int)
			done := make(chan struct{})
			go func() {
				defer close(done)
				err := socktest.AsNobody(func() {
					for !stop.Load() {
						fd, err := unix.Socket(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
						if err == nil {
							err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
							unix.Close(fd)
						}
						got[err]++
					}
				})
				if err != nil {
					got[err]++
				}
			}()
			lc := &sockets.ListenConfig{UnixMode: 0o660, UnixOwner: &sockets.UnixOwner{UID: -1, GID: 65533}}
			for range 500 {
				c, err := listenAny(lc, network, path)
				socktest.Check(t, err)
				c.Close()
				os.Remove(path)
			}
			stop.Store(true)
			<-done
			t.Log(got)
			if got[nil] > 0 {
				t.Errorf("another user connected %d times", got[nil])
			}
			for err := range got {
				if err != unix.ENOENT && err != unix.EACCES && err != unix.ECONNREFUSED {
					t.Errorf("connect: %v", err)
				}
			}
		})
	}
}

// TestUnixModeMeanwhile looks at files while they are made. At no time may the owner lack
// the permission that it takes to tell a stale socket, should the process be killed.
func TestUnixModeMeanwhile(t *testing.T) {
	path := filepath.Join(socktest.ShortDir(t), "l")
	for _, network := range []string{"unix", "unixpacket", "unixgram"} {
		var stop atomic.Bool
		seen := make(map[fs.FileMode]bool)
		var wg sync.WaitGroup
		wg.Go(func() {
			for !stop.Load() {
				if info, err := os.Lstat(path); err == nil {
					seen[info.Mode().Perm()] = true
				}
			}
		})
		for range 500 {
			c, err := listenAny(&sockets.ListenConfig{UnixMode: 0o660}, network, path)
			socktest.Check(t, err)
			c.Close()
			os.Remove(path)
		}
		stop.Store(true)
		wg.Wait()
		for mode := range seen {
			if mode != 0o200 && mode != 0o660 {
				t.Errorf("%s: the file has mode %v for a moment", network, mode)
			}
		}
	}
}

func TestUnixFileErrors(t *testing.T) {
	beyond := int64(1<<32 - 1) // -1 where an int has 32 bits
	owner := &sockets.UnixOwner{UID: -1, GID: -1}
	for _, tt := range []struct {
		name             string
		lc               sockets.ListenConfig
		network, address string
		arg              string
	}{
		{"sticky", sockets.ListenConfig{UnixMode: fs.ModeSticky | 0o600}, "unix", "l", "UnixMode"},
		{"type", sockets.ListenConfig{UnixMode: fs.ModeSocket | 0o600}, "unixgram", "l", "UnixMode"},
		{"octal mistake", sockets.ListenConfig{UnixMode: 0o1660}, "unix", "l", "UnixMode"},
		{"TCP", sockets.ListenConfig{UnixMode: 0o600}, "tcp", "127.0.0.1:0", "UnixMode"},
		{"UDP", sockets.ListenConfig{UnixMode: 0o600}, "udp", "127.0.0.1:0", "UnixMode"},
		{"abstract", sockets.ListenConfig{UnixMode: 0o600}, "unix", "@sockets-mode", "UnixMode"},
		{"autobound", sockets.ListenConfig{UnixMode: 0o600}, "unix", "", "UnixMode"},
		{"owner alone", sockets.ListenConfig{UnixOwner: owner}, "unix", "l", "UnixOwner"},
		{"owner of TCP", sockets.ListenConfig{UnixOwner: owner}, "tcp", "127.0.0.1:0", "UnixOwner"},
		{"a user beyond 32 bits", sockets.ListenConfig{UnixMode: 0o600, UnixOwner: &sockets.UnixOwner{UID: int(beyond)}}, "unix", "l", "UnixOwner"},
		{"stale file", sockets.ListenConfig{ReplaceStale: true}, "unix", "file", "address"},
		{"stale directory", sockets.ListenConfig{ReplaceStale: true}, "unixpacket", "dir", "address"},
		{"stale link", sockets.ListenConfig{ReplaceStale: true}, "unixgram", "link", "address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.lc.UnixOwner != nil && tt.lc.UnixOwner.UID == -1 && tt.lc.UnixOwner != owner {
				t.Skip("every int fits in 32 bits")
			}
			t.Chdir(socktest.ShortDir(t))
			socktest.Check(t, os.WriteFile("file", nil, 0o600))
			socktest.Check(t, os.Mkdir("dir", 0o700))
			makeStale(t, "stale", unix.SOCK_STREAM)
			socktest.Check(t, os.Symlink("stale", "link"))
			before := names(t)
			_, err := listenAny(&tt.lc, tt.network, tt.address)
			var arg *sockets.ArgumentError
			if !errors.As(err, &arg) || arg.Arg != tt.arg {
				t.Errorf("error %v, want an ArgumentError about %s", err, tt.arg)
			}
			socktest.WantError(t, err, "listen", syscall.EINVAL)
			if diff := cmp.Diff(before, names(t)); diff != "" {
				t.Errorf("files (-before +after):\n%s", diff)
			}
		})
	}
}

// TestUnixOwnerRefused wants nothing left of a socket that cannot get its owner.
func TestUnixOwnerRefused(t *testing.T) {
	t.Chdir(socktest.ShortDir(t))
	socktest.Check(t, os.WriteFile("file", nil, 0o600))
	if os.Chown("file", 0, -1) == nil {
		t.Skip("root may give files to any user")
	}
	socktest.Check(t, os.Remove("file"))
	lc := &sockets.ListenConfig{UnixMode: 0o600, UnixOwner: &sockets.UnixOwner{UID: 0, GID: -1}, ReplaceStale: true}
	_, err := lc.Listen(t.Context(), "unix", "l")
	socktest.WantError(t, err, "listen", syscall.EPERM)
	if got := names(t); len(got) > 0 {
		t.Errorf("%v are left", got)
	}
}

// names returns what is in the working directory.
func names(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	socktest.Check(t, err)
	for _, e := range entries {
		names = append(names, e.Name()+" "+e.Type().String())
	}
	return names
}

func TestReplaceStale(t *testing.T) {
	types := map[string]int{"unix": unix.SOCK_STREAM, "unixpacket": unix.SOCK_SEQPACKET, "unixgram": unix.SOCK_DGRAM}
	for _, tt := range []struct {
		name string
		make func(t *testing.T, typ int)
		want error
	}{
		{"nothing there", func(*testing.T, int) {}, nil},
		{"stale", func(t *testing.T, typ int) { makeStale(t, "l", typ) }, nil},
		{"stale, of another type", func(t *testing.T, typ int) { makeStale(t, "l", typ%unix.SOCK_DGRAM+1) }, nil},
		{"a lock of a process that was killed", func(t *testing.T, typ int) {
			makeStale(t, "l", typ)
			socktest.Check(t, os.WriteFile("l.starting", nil, 0o600))
		}, nil},
		{"listening", func(t *testing.T, _ int) {
			l, err := net.Listen("unix", "l")
			socktest.Check(t, err)
			t.Cleanup(func() { l.Close() })
		}, syscall.EADDRINUSE},
		{"listening, full queue", func(t *testing.T, _ int) {
			fd, err := bindUnix("l", unix.SOCK_SEQPACKET)
			socktest.Check(t, err)
			t.Cleanup(func() { unix.Close(fd) })
			socktest.Check(t, unix.Listen(fd, 0))
			for {
				c, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
				socktest.Check(t, err)
				t.Cleanup(func() { unix.Close(c) })
				if err := unix.Connect(c, &unix.SockaddrUnix{Name: "l"}); err == unix.EAGAIN {
					break
				} else {
					socktest.Check(t, err)
				}
			}
		}, syscall.EADDRINUSE},
		{"receiving", func(t *testing.T, _ int) {
			fd, err := bindUnix("l", unix.SOCK_DGRAM)
			socktest.Check(t, err)
			t.Cleanup(func() { unix.Close(fd) })
		}, syscall.EADDRINUSE},
		{"no directory", func(t *testing.T, _ int) {
			dir, err := os.Getwd()
			socktest.Check(t, err)
			socktest.Check(t, os.Remove(dir))
		}, fs.ErrNotExist},
	} {
		for network, typ := range types {
			t.Run(tt.name+"/"+network, func(t *testing.T) {
				t.Chdir(socktest.ShortDir(t))
				tt.make(t, typ)
				c, err := listenAny(&sockets.ListenConfig{ReplaceStale: true}, network, "l")
				if !errors.Is(err, tt.want) {
					t.Fatalf("error %v, want %v", err, tt.want)
				}
				if tt.want == fs.ErrNotExist {
					return
				}
				if diff := cmp.Diff([]string{"l S---------"}, names(t)); diff != "" {
					t.Errorf("files (-want +got):\n%s", diff)
				}
				if err == nil {
					client, err := net.Dial(network, "l")
					socktest.Check(t, err)
					client.Close()
					c.Close()
				}
			})
		}
	}
	// It is no matter of networks without files.
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": "@sockets-stale", "udp": "127.0.0.1:0"} {
		c, err := listenAny(&sockets.ListenConfig{ReplaceStale: true}, network, address)
		socktest.Check(t, err)
		c.Close()
	}
}

// TestReplaceStaleAtOnce has many start at once where a stale socket is: one listens, and
// keeps its path.
func TestReplaceStaleAtOnce(t *testing.T) {
	t.Chdir(socktest.ShortDir(t))
	for range 50 {
		makeStale(t, "l", unix.SOCK_STREAM)
		var listening atomic.Int32
		var l net.Listener
		start := make(chan struct{})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				<-start
				one, err := (&sockets.ListenConfig{ReplaceStale: true, UnixMode: 0o600}).Listen(t.Context(), "unix", "l")
				switch {
				case err == nil:
					listening.Add(1)
					l = one
				case !errors.Is(err, syscall.EADDRINUSE):
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		if n := listening.Load(); n != 1 {
			t.Fatalf("%d listen, want 1", n)
		}
		c, err := net.Dial("unix", "l")
		socktest.Check(t, err)
		c.Close()
		l.Close()
		if got := names(t); len(got) > 0 {
			t.Fatalf("%v are left", got)
		}
	}
}

func init() {
	socktest.Children["starts again and again"] = func() error {
		for {
			l, err := (&sockets.ListenConfig{ReplaceStale: true, UnixMode: 0o600}).Listen(context.Background(), "unix", "l")
			switch {
			case err == nil:
				l.Close()
			case !errors.Is(err, syscall.EADDRINUSE):
				return err
			}
		}
	}
}

// TestReplaceStaleKilled kills processes that start at once, wherever they are. One that
// starts afterwards listens, and cleans up.
func TestReplaceStaleKilled(t *testing.T) {
	t.Chdir(socktest.ShortDir(t))
	left := make(map[string]int)
	for range 15 {
		var children []*exec.Cmd
		for range 4 {
			cmd := socktest.ChildCommand(t, "starts again and again")
			cmd.Stderr = os.Stderr
			socktest.Check(t, cmd.Start())
			children = append(children, cmd)
		}
		socktest.WaitUntil(func() bool { return lstat("l") == "socket" })
		for _, cmd := range children {
			cmd.Process.Kill()
			cmd.Wait()
			if status := cmd.ProcessState.String(); status != "signal: killed" {
				t.Fatal(status)
			}
		}
		left[fmt.Sprint(names(t))]++
		l, err := (&sockets.ListenConfig{ReplaceStale: true, UnixMode: 0o600}).Listen(t.Context(), "unix", "l")
		socktest.Check(t, err)
		if diff := cmp.Diff([]string{"l S---------"}, names(t)); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
		l.Close()
	}
	t.Log("left by the kills: ", left)
}

// TestReplaceStaleLeavesFiles starts beside files whose names are those of locks.
func TestReplaceStaleLeavesFiles(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(name string) error
		want error // if the name is the lock's
	}{
		{"file", func(name string) error { return os.WriteFile(name, []byte("42"), 0o600) }, fs.ErrExist},
		{"pipe", func(name string) error { return unix.Mkfifo(name, 0o600) }, fs.ErrExist},
		{"directory", func(name string) error { return os.Mkdir(name, 0o700) }, syscall.EISDIR},
		{"link", func(name string) error { return os.Symlink("target", name) }, syscall.ELOOP},
	} {
		for _, name := range []string{"l.lock", "l.starting"} {
			t.Run(tt.name+" "+name, func(t *testing.T) {
				t.Chdir(socktest.ShortDir(t))
				makeStale(t, "l", unix.SOCK_STREAM)
				socktest.Check(t, tt.make(name))
				before := names(t)
				l, err := (&sockets.ListenConfig{ReplaceStale: true}).Listen(t.Context(), "unix", "l")
				if diff := cmp.Diff(before, names(t)); diff != "" {
					t.Errorf("files (-before +after):\n%s", diff)
				}
				if err == nil {
					l.Close()
				}
				if name == "l.lock" {
					socktest.Check(t, err)
				} else {
					socktest.WantError(t, err, "listen", tt.want)
				}
			})
		}
	}
}

// TestReplaceStaleGivesUp waits for the lock of a process that is stuck.
func TestReplaceStaleGivesUp(t *testing.T) {
	t.Chdir(socktest.ShortDir(t))
	makeStale(t, "l", unix.SOCK_STREAM)
	lock, err := os.Create("l.starting")
	socktest.Check(t, err)
	defer lock.Close()
	socktest.Check(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	lc := &sockets.ListenConfig{ReplaceStale: true}
	_, err = lc.Listen(ctx, "unix", "l")
	socktest.WantError(t, err, "listen", context.DeadlineExceeded)
	if diff := cmp.Diff([]string{"l S---------", "l.starting ----------"}, names(t)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	// Once the lock is free, it goes on.
	time.AfterFunc(5*time.Millisecond, func() { lock.Close() })
	l, err := lc.Listen(t.Context(), "unix", "l")
	socktest.Check(t, err)
	l.Close()
}
