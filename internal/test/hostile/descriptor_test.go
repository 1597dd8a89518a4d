//go:build linux

package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
)

// A message is what a sender has sent in one call.
type message struct {
	data  []byte
	files []int // the sizes of the files whose descriptors go with it
}

// A mailbox is one end of a unix socket, with what has been sent to it and not received.
type mailbox struct {
	c      *sockets.UnixConn
	stream bool
	packet bool // which end as streams do
	queue  []message
	closed bool // by the sender
}

// A sender sends what the kernel takes.
type sender struct {
	fd    int
	files []*os.File // of one byte, two bytes ...
	sent  byte
}

// newSender returns a sender to a mailbox.
func newSender(s *script, network string) (*sender, *mailbox, error) {
	typ := map[string]int{"unix": unix.SOCK_STREAM, "unixpacket": unix.SOCK_SEQPACKET, "unixgram": unix.SOCK_DGRAM}[network]
	fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	f := os.NewFile(uintptr(fds[1]), network)
	c, err := sockets.FileConn(f)
	f.Close()
	snd := &sender{fd: fds[0]}
	s.later(snd.close)
	if err != nil {
		return nil, nil, err
	}
	s.later(func() { c.Close() })
	for i := range 4 {
		f, err := s.file()
		if err == nil {
			err = f.Truncate(int64(i + 1))
		}
		if err != nil {
			return nil, nil, err
		}
		snd.files = append(snd.files, f)
	}
	return snd, &mailbox{c: c.(*sockets.UnixConn), stream: typ == unix.SOCK_STREAM, packet: typ == unix.SOCK_SEQPACKET}, nil
}

func (snd *sender) close() {
	if snd.fd >= 0 {
		unix.Close(snd.fd)
		snd.fd = -1
	}
}

// send sends a message of any kind. What the kernel refuses is not sent.
func (snd *sender) send(s *script, box *mailbox) {
	if snd.fd < 0 {
		return
	}
	var m message
	m.data = make([]byte, of(s, 1, 0, 2, 100, 5000, 1, 1))
	for i := range m.data {
		snd.sent++
		m.data[i] = snd.sent
	}
	var oob []byte
	kinds := ""
	kind := ""
	for range of(s, 0, 1, 1, 1, 2, 3) {
		if kind == "cut" {
			break // the kernel takes what is behind for the rest of it, which may name any file
		}
		kind = of(s, "one", "two", "many", "too many", "credentials", "socket", "none", "cut")
		kinds += " " + kind
		switch kind {
		case "one", "two", "many", "too many":
			n := map[string]int{"one": 1, "two": 2, "many": 253, "too many": 254}[kind]
			first := s.pick(len(snd.files))
			var fds []int
			for i := range n {
				f := (first + i) % len(snd.files)
				fds, m.files = append(fds, int(snd.files[f].Fd())), append(m.files, f+1)
			}
			oob = append(oob, unix.UnixRights(fds...)...)
		case "socket":
			oob = append(oob, unix.UnixRights(snd.fd)...)
			m.files = append(m.files, 0)
		case "credentials":
			oob = append(oob, unix.UnixCredentials(&unix.Ucred{Pid: int32(os.Getpid()), Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())})...)
		case "none":
			oob = append(oob, unix.UnixRights()...)
		case "cut":
			oob = append(oob, unix.UnixRights(int(snd.files[0].Fd()))[:unix.CmsgLen(0)+of(s, 2, 0, 3)]...)
		}
	}
	_, errno := sys.Sendmsg(uintptr(snd.fd), m.data, oob, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
	s.note("send %d%s: %v", len(m.data), kinds, errno)
	if errno == 0 && (len(m.data) > 0 || !box.stream) {
		box.queue = append(box.queue, m)
	}
}

// take removes what a call has received that had room for so many bytes: b of them. It
// returns the files that belong to them, and whether all of the message fitted.
func (box *mailbox) take(b []byte, room int) (files []int, whole bool, err error) {
	if len(box.queue) == 0 {
		return nil, false, fmt.Errorf("%d bytes came, and none were sent", len(b))
	}
	if !box.stream {
		m := box.queue[0]
		box.queue = box.queue[1:]
		if len(b) != min(room, len(m.data)) || !bytes.HasPrefix(m.data, b) {
			return nil, false, fmt.Errorf("%d bytes came of a message of %d, or others", len(b), len(m.data))
		}
		return m.files, len(m.data) <= room, nil
	}
	for len(b) > 0 && len(box.queue) > 0 {
		m := &box.queue[0]
		n := min(len(b), len(m.data))
		if !bytes.HasPrefix(m.data, b[:n]) {
			return nil, false, errors.New("other bytes came than those that were sent")
		}
		if len(files) > 0 && len(m.files) > 0 {
			return nil, false, errors.New("descriptors of two messages came as one")
		}
		files, m.files = append(files, m.files...), nil
		if b, m.data = b[n:], m.data[n:]; len(m.data) == 0 {
			box.queue = box.queue[1:]
		}
	}
	if len(b) > 0 {
		return nil, false, fmt.Errorf("%d bytes too many came", len(b))
	}
	return files, true, nil
}

// sizeOf tells which file fd is, as the messages have it, and closes it.
func sizeOf(fd int) int {
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1
	}
	return int(st.Size)
}

// fileSize is sizeOf for a file.
func fileSize(f *os.File) int {
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return -1
	}
	return int(info.Size())
}

// control closes the descriptors in control data, and tells which they were.
func control(oob []byte) (files []int, err error) {
	ms, err := unix.ParseSocketControlMessage(oob)
	for _, m := range ms {
		if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SCM_RIGHTS && m.Header.Type != unix.SCM_PIDFD {
			continue
		}
		fds, err := unix.ParseUnixRights(&unix.SocketControlMessage{Header: unix.Cmsghdr{Level: unix.SOL_SOCKET, Type: unix.SCM_RIGHTS}, Data: m.Data})
		if err != nil {
			return files, err
		}
		for _, fd := range fds {
			if size := sizeOf(fd); m.Header.Type == unix.SCM_RIGHTS {
				files = append(files, size)
			}
		}
	}
	return files, err
}

// asControl compares what came by a call that returns control data.
func asControl(want, got []int, flags int) error {
	if flags&unix.MSG_CTRUNC == 0 && !slices.Equal(want, got) || len(got) > len(want) || !slices.Equal(want[:len(got)], got) {
		return fmt.Errorf("control data with the files %v, flags %#x, want %v", got, flags, want)
	}
	return nil
}

// read returns what a read that is for so many bytes should have returned, and takes
// that: the files which came, and whether the message was whole. ok is false if there
// was nothing to take, and err then what is wrong with n and rerr.
func (box *mailbox) read(b []byte, n int, rerr error) (files []int, whole, ok bool, err error) {
	switch {
	case errors.Is(rerr, os.ErrDeadlineExceeded) && len(box.queue) == 0 && (!box.closed || !box.stream && !box.packet):
		return nil, false, false, nil
	case errors.Is(rerr, io.EOF) && len(box.queue) == 0 && box.closed && (box.stream || box.packet):
		return nil, false, false, nil
	case errors.Is(rerr, io.EOF) && box.packet && len(box.queue) > 0 && len(box.queue[0].data) == 0:
		// Nothing tells an empty packet from the end.
	case rerr != nil && !receiveError(rerr):
		return nil, false, false, rerr
	}
	files, whole, err = box.take(b[:n], len(b))
	return files, whole, err == nil, err
}

// receiveError reports whether err is one of those that tell of a message.
func receiveError(err error) bool {
	return slices.ContainsFunc([]error{sockets.ErrTooManyDescriptors, sockets.ErrMessageTooLong, sockets.ErrUnknownControl,
		sockets.ErrNoCredentials, io.ErrShortBuffer}, func(e error) bool { return errors.Is(err, e) })
}

// receive calls a method, and compares what it returns with what was sent.
func (box *mailbox) receive(s *script) error {
	box.c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if len(box.queue) == 0 && !(box.closed && (box.stream || box.packet)) {
		box.c.SetReadDeadline(time.Now())
	}
	how := of(s, "ReceiveFDs", "ReceiveRawFDs", "ReceiveFD", "ReceiveSocket", "ReceiveCred", "ReadMsgUnix", "Read", "ReadFrom", "peek", "ReadBatch", "ReadBuffers")
	b := make([]byte, of(s, 6000, 1, 2, 50, 6000))
	s.note("%s of %d", how, len(b))
	switch how {
	case "ReceiveFDs", "ReceiveRawFDs":
		return box.receiveFDs(b, of(s, 253, 0, 1, 2), how == "ReceiveRawFDs")
	case "ReceiveFD", "ReceiveSocket":
		return box.receiveFD(how == "ReceiveSocket")
	case "ReceiveCred":
		n, cred, err := box.c.ReceiveCred(b)
		want, whole, ok, rerr := box.read(b, n, err)
		if ok && err == nil && (cred.PID != os.Getpid() && cred.PID != 0 || // of what was sent before PassCred was on
			!whole || len(want) > 0) {
			return fmt.Errorf("credentials %+v of a message with %d files, whole %t", cred, len(want), whole)
		}
		return rerr
	case "ReadMsgUnix":
		oob := make([]byte, of(s, 2000, 0, 16, 24, 60))
		n, oobn, flags, _, err := box.c.ReadMsgUnix(b, oob)
		got, cerr := control(oob[:oobn])
		want, _, ok, rerr := box.read(b, n, err)
		if !ok || cerr != nil {
			return errors.Join(rerr, cerr)
		}
		return asControl(want, got, flags)
	case "ReadBatch":
		if box.stream {
			return nil // which has none
		}
		return box.receiveBatch(s, b)
	case "peek":
		n, _, err := box.c.ReceiveFrom(b, sockets.MsgPeek)
		queue := slices.Clone(box.queue)
		_, _, _, err = box.read(b, n, err)
		box.queue = queue
		return err
	case "ReadBuffers":
		n, err := box.c.ReadBuffers(net.Buffers{b[:len(b)/2], b[len(b)/2:]})
		_, _, _, err = box.read(b, int(n), err)
		return err
	case "ReadFrom":
		n, _, err := box.c.ReadFrom(b)
		_, _, _, err = box.read(b, n, err)
		return err
	}
	n, err := box.c.Read(b)
	_, _, _, err = box.read(b, n, err)
	return err
}

// receiveFDs receives up to so many descriptors.
func (box *mailbox) receiveFDs(b []byte, most int, raw bool) error {
	var (
		n, k  int
		fds   = make([]int, most)
		files []*os.File
		got   []int
		err   error
	)
	if raw {
		n, k, err = box.c.ReceiveRawFDs(b, fds)
	} else {
		n, files, err = box.c.ReceiveFDs(b, most)
	}
	for _, fd := range fds[:k] {
		got = append(got, sizeOf(fd))
	}
	for _, f := range files {
		got = append(got, fileSize(f))
	}
	want, whole, ok, rerr := box.read(b, n, err)
	if !ok {
		return rerr
	}
	tooMany, tooLong := errors.Is(err, sockets.ErrTooManyDescriptors), errors.Is(err, sockets.ErrMessageTooLong)
	switch {
	case err == nil && !slices.Equal(want, got), err != nil && len(got) > 0:
		return fmt.Errorf("the files %v came of %v, %v", got, want, err)
	case !errors.Is(err, io.EOF) && !errors.Is(err, sockets.ErrUnknownControl) && tooMany != (len(want) > most), tooLong == whole:
		return fmt.Errorf("of %d files %d were asked for, whole %t: %v", len(want), most, whole, err)
	}
	return nil
}

// receiveFD receives one descriptor.
func (box *mailbox) receiveFD(socket bool) error {
	got, err := -1, error(nil)
	if socket {
		var c *sockets.Socket
		if c, err = box.c.ReceiveSocket(); err == nil {
			c.Close()
			got = 0
		}
	} else {
		var f *os.File
		if f, err = box.c.ReceiveFD(); err == nil {
			got = fileSize(f)
		}
	}
	var front message
	if len(box.queue) > 0 {
		front = box.queue[0]
	}
	none, long := errors.Is(err, sockets.ErrNoDescriptor), errors.Is(err, sockets.ErrMessageTooLong)
	switch one := len(front.files) == 1; {
	case len(box.queue) == 0, err == io.EOF && box.packet && len(front.data)+len(front.files) == 0:
		_, _, _, err = box.read(nil, 0, err)
		if err == nil && len(box.queue) == 0 && got >= 0 {
			return errors.New("a descriptor came that was not sent")
		}
		if front.data != nil {
			box.queue = append([]message{front}, box.queue...) // it was only looked at
		}
		return err
	case none && len(front.files) == 0, long && !box.stream && len(front.data) > 1:
		return nil // it is left
	case err == nil && one && got == front.files[0], one && socket && front.files[0] > 0 && errors.Is(err, syscall.ENOTSOCK),
		errors.Is(err, sockets.ErrTooManyDescriptors) && len(front.files) > 1, errors.Is(err, sockets.ErrUnknownControl):
		_, _, err = box.take(front.data[:min(1, len(front.data))], 1)
		return err
	}
	return fmt.Errorf("file %d came, %v, of a message of %d bytes with the files %v", got, err, len(front.data), front.files)
}

// receiveBatch receives several messages.
func (box *mailbox) receiveBatch(s *script, b []byte) error {
	ms := make([]sockets.Message, 1+s.pick(4))
	for i := range ms {
		ms[i].Buffers = [][]byte{bytes.Clone(b)}
		ms[i].OOB = make([]byte, of(s, 2000, 0, 16, 24))
	}
	n, err := box.c.ReadBatch(ms, 0)
	if n == 0 {
		_, _, _, err = box.read(nil, 0, err)
		return err
	}
	for i := range ms[:n] {
		m := &ms[i]
		got, cerr := control(m.OOB[:m.NN])
		if m.N == 0 && len(box.queue) == 0 && box.closed {
			continue // the end
		}
		want, _, rerr := box.take(m.Buffers[0][:m.N], len(b))
		if err := errors.Join(cerr, rerr); err != nil {
			return err
		}
		if err := asControl(want, got, m.Flags); err != nil {
			return err
		}
	}
	return err
}

// playDescriptors receives, by all methods, what a sender sends as it likes: no message
// is lost, changed or received twice, and no descriptor is, nor left open.
func playDescriptors(s *script) error {
	before := len(socktest.OpenFiles())
	err := receiveAll(s)
	s.end()
	if after := len(socktest.OpenFiles()); err == nil && after > before {
		err = fmt.Errorf("%d descriptors are open, %d were before", after, before)
	}
	return err
}

func receiveAll(s *script) error {
	network := of(s, socktest.UnixNetworks...)
	s.note("%s", network)
	snd, box, err := newSender(s, network)
	if err != nil {
		return err
	}
	for len(s.data) > 0 {
		switch act := of(s, "send", "send", "send", "receive", "receive", "receive", "receive", "option", "close"); act {
		case "send":
			snd.send(s, box)
		case "receive":
			err = box.receive(s)
		case "option":
			o := of(s, sockopt.PassCred, sockopt.PassCred, sockopt.PassPIDFD, sockopt.Timestamp)
			on := s.pick(2) == 0
			s.note("%v %t: %v", o, on, o.Set(box.c, on)) // not all have all of them
		case "close":
			if s.pick(4) == 0 {
				s.note("the sender closes")
				snd.close()
				box.closed = true
			}
		}
		if err != nil {
			return err
		}
	}
	for len(box.queue) > 0 {
		if err := box.receive(s); err != nil {
			return err
		}
	}
	return box.closeWhileReceiving(s)
}

// closeWhileReceiving closes the socket while a method waits, or before.
func (box *mailbox) closeWhileReceiving(s *script) error {
	if box.closed && (box.stream || box.packet) {
		return nil // nothing waits at the end
	}
	box.c.SetReadDeadline(time.Time{})
	how := of(s, "Read", "ReceiveFDs", "ReceiveFD", "ReadBatch")
	if how == "ReadBatch" && box.stream {
		how = "Read"
	}
	s.note("close while in %s", how)
	done := make(chan error, 1)
	go func() {
		var err error
		switch how {
		case "Read":
			_, err = box.c.Read(make([]byte, 1))
		case "ReceiveFDs":
			_, _, err = box.c.ReceiveFDs(make([]byte, 1), 1)
		case "ReceiveFD":
			_, err = box.c.ReceiveFD()
		case "ReadBatch":
			_, err = box.c.ReadBatch([]sockets.Message{{Buffers: [][]byte{make([]byte, 1)}}}, 0)
		}
		done <- err
	}()
	if s.pick(2) == 0 {
		time.Sleep(100 * time.Microsecond) // it waits by now, mostly
	}
	box.c.Close()
	select {
	case err := <-done:
		if !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("%s of a closed connection: %w", how, err)
		}
	case <-time.After(30 * time.Second):
		return fmt.Errorf("%s goes on after Close", how)
	}
	return nil
}

// needMessages skips the test unless messages come as the mailbox has them, and there are
// enough descriptors.
func needMessages(tb testing.TB) {
	tb.Helper()
	socktest.NeedFiles(tb, maxDescriptors)
	socktest.NeedEmptyDatagram(tb)
	socktest.NeedRightsApart(tb)
	socktest.NeedBadControl(tb)
}

// maxDescriptors is how many a script may have received and not closed yet.
const maxDescriptors = 4 * 253

func TestDescriptors(t *testing.T) {
	needMessages(t)
	play(playDescriptors).random(t)
}

func FuzzDescriptors(f *testing.F) {
	needMessages(f)
	play(playDescriptors).fuzz(f)
}
