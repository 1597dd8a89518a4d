package upgrade

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/sockopt"
)

// Over the socket at Control, the process that serves sends frames: a length of four
// bytes, big-endian, then names in JSON, each with its descriptor. After the last frame,
// the two speak as predecessor and successor.
type frame struct {
	Names []string
	Owned []bool // see ownedVar
	More  bool
}

// maxFrame bounds what a frame may claim to be, in bytes: names have 255 at most.
const maxFrame = 1 << 20

// takeOverTimeout bounds the exchange of frames.
const takeOverTimeout = 10 * time.Second

// checkPeer returns an error unless the process at the other end of c may be trusted.
func (u *Upgrader) checkPeer(c *sockets.UnixConn) error {
	cred, err := sockopt.PeerCred.Get(c)
	if err != nil {
		return err
	}
	if u.config.AllowControl != nil {
		return u.config.AllowControl(cred)
	}
	if int(cred.UID) != os.Geteuid() {
		return fmt.Errorf("sockets: process %d of user %d: %w", cred.PID, cred.UID, fs.ErrPermission)
	}
	return nil
}

// takeOver gets the sockets of the process at Control, if there is one.
func (u *Upgrader) takeOver() error {
	c, err := sockets.DialUnix("unix", nil, &net.UnixAddr{Name: u.config.Control, Net: "unix"})
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil // a first process, or one after a crash
	case err != nil:
		return err
	}
	if err := u.checkPeer(c); err != nil {
		c.Close()
		return err
	}
	c.SetDeadline(time.Now().Add(takeOverTimeout))
	for {
		f, files, err := receiveFrame(c)
		if err != nil {
			c.Close()
			return fmt.Errorf("sockets: taking over from the process at %s: %w", u.config.Control, err)
		}
		for i, name := range f.Names {
			u.owned[name] = f.Owned[i]
		}
		err = u.addFiles(f.Names, files)
		if err != nil {
			c.Close()
			return err
		}
		if !f.More {
			break
		}
	}
	c.SetDeadline(time.Time{})
	io, err := takeStdio()
	if err != nil {
		c.Close()
		return err
	}
	u.pre = watchPredecessor(c, bufio.NewReader(c), io)
	return nil
}

func (u *Upgrader) addFiles(names []string, files []*os.File) (err error) {
	for i, f := range files {
		s := activation.Descriptor{Name: names[i], File: f}
		if err == nil {
			var sock *sockets.Socket
			if sock, err = sockets.FromFile(f); err == nil {
				f.Close()
				s.File, s.Socket = nil, sock
			} else if errors.Is(err, syscall.ENOTSOCK) {
				err = nil
			}
		}
		if err != nil {
			s.Close()
			continue
		}
		err = u.addInherited(s)
	}
	return err
}

// receiveFrame receives a frame and its descriptors.
func receiveFrame(c *sockets.UnixConn) (f frame, files []*os.File, err error) {
	defer func() {
		if err != nil {
			for _, f := range files {
				f.Close()
			}
		}
	}()
	var length [4]byte
	// The descriptors come with the first byte.
	n, files, err := c.ReceiveFDs(length[:], sockets.MaxDescriptors)
	if errors.Is(err, sockets.ErrNoDescriptor) {
		err = nil // a frame without sockets
	}
	if err == nil {
		_, err = io.ReadFull(c, length[n:])
	}
	if err != nil {
		if err == io.EOF {
			err = ErrRefused
		}
		return f, files, err
	}
	size := binary.BigEndian.Uint32(length[:])
	if size > maxFrame {
		return f, files, fmt.Errorf("sockets: a message of %d bytes", size)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(c, b); err != nil {
		return f, files, err
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, files, err
	}
	if len(f.Names) != len(files) || len(f.Owned) != len(files) {
		return f, files, fmt.Errorf("sockets: %d names for %d descriptors", len(f.Names), len(files))
	}
	return f, files, nil
}

// sendFrames sends what a successor gets.
func sendFrames(c *sockets.UnixConn, held []holding) error {
	for {
		n := min(len(held), sockets.MaxDescriptors)
		f := frame{Names: []string{}, More: n < len(held)}
		var fds []syscall.Conn
		for _, h := range held[:n] {
			f.Names, f.Owned, fds = append(f.Names, h.Name), append(f.Owned, h.owned != nil), append(fds, h.Conn.(syscall.Conn))
		}
		held = held[n:]
		b, err := json.Marshal(f)
		if err != nil {
			return err
		}
		b = append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
		if len(fds) > 0 {
			_, err = c.SendFDs(b, fds...)
			// The kernel counts what all processes of the user have in flight.
			for end := time.Now().Add(takeOverTimeout); errors.Is(err, syscall.ETOOMANYREFS) && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond)
				_, err = c.SendFDs(b, fds...)
			}
		} else {
			_, err = c.Write(b)
		}
		if err != nil || !f.More {
			return err
		}
	}
}

// control listens at Control.
type control struct {
	l         *sockets.UnixListener
	path      string
	temporary string // where it is bound, until serve
	info      fs.FileInfo
}

// maxControl is how long Control may be: with a process ID of seven digits behind it, and
// a NUL, it fits sun_path of every system, which has 104 bytes at least; see unix(7).
const maxControl = 104 - len(".4194304") - 1

// prepareControl binds the control socket beside its path, where the predecessor's is.
func (u *Upgrader) prepareControl() (*control, error) {
	path := u.config.Control
	if path == "" {
		return nil, nil
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, &sockets.ArgumentError{Arg: "Control", Value: path, Why: "is a file that is not a socket"}
	}
	own := fmt.Sprintf("%s.%d", path, os.Getpid())
	// A process that had this number may have been killed.
	stale := &sockets.ListenConfig{ReplaceStale: true}
	l, err := stale.Listen(context.Background(), "unix", own)
	if err != nil {
		return nil, err
	}
	c := &control{l: l.(*sockets.UnixListener), path: absolute(path), temporary: absolute(own)}
	c.l.SetUnlinkOnClose(false)
	if c.info, err = os.Lstat(own); err != nil {
		c.close(true)
		return nil, err
	}
	return c, nil
}

// absolute returns path as it is after a change of the working directory.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// serve takes the path from the predecessor in one step, so that there is always
// a process to connect to, and gives the sockets to processes that connect.
func (c *control) serve(u *Upgrader) error {
	if err := os.Rename(c.temporary, c.path); err != nil {
		c.close(true)
		return err
	}
	c.temporary = ""
	go func() {
		for {
			conn, err := c.l.AcceptUnix()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				// Such as a lack of descriptors.
				u.config.Logf("upgrade: %v", err)
				time.Sleep(maxAcceptDelay)
				continue
			}
			if err := u.checkPeer(conn); err != nil {
				u.config.Logf("upgrade: refused at %s: %v", c.path, err)
				conn.Close()
				continue
			}
			if err := u.replace(context.Background(), stranger(conn)); err != nil {
				conn.Close()
				u.config.Logf("upgrade: %v", err)
			}
		}
	}()
	return nil
}

// stranger returns a function that makes the process behind c the successor.
func stranger(c *sockets.UnixConn) func([]holding) (*successor, error) {
	return func(held []holding) (*successor, error) {
		c.SetDeadline(time.Now().Add(takeOverTimeout))
		if err := sendFrames(c, held); err != nil {
			return nil, err
		}
		c.SetDeadline(time.Time{})
		s := &successor{link: c}
		if cred, err := sockopt.PeerCred.Get(c); err == nil && cred.PID > 0 {
			// If another process had got the number since, this one could not become
			// ready.
			s.process, _ = os.FindProcess(int(cred.PID))
		}
		return s, nil
	}
}

// close stops listening. If remove is set it removes the socket's file, unless another
// process has replaced that.
func (c *control) close(remove bool) {
	if c == nil {
		return
	}
	if c.temporary != "" {
		os.Remove(c.temporary)
	} else if now, err := os.Lstat(c.path); remove && err == nil && os.SameFile(now, c.info) {
		os.Remove(c.path)
	}
	c.l.Close()
}
