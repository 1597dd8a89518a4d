// Privsep separates privileges: a broker that may open files passes their descriptors to
// processes that may not, if the kernel confirms that they run as the right user.
//
//	sudo privsep -broker -dir /var/log -uid 1000 &
//	privsep -file syslog
//
// The client can then read a file that it has no permission to open.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/examples/internal/cli"
	"github.com/iolib-go/sockets/sockopt"
)

func main() {
	path := flag.String("socket", "/tmp/privsep.sock", "`path` of the broker's socket")
	broker := flag.Bool("broker", false, "run the broker")
	dir := flag.String("dir", ".", "`directory` with the files")
	uid := flag.Int("uid", os.Getuid(), "`ID` of the user that may have them")
	name := flag.String("file", "", "`name` of the file to ask for and print")
	cli.Parse("-broker [-socket path] [-dir directory] [-uid ID] | [-socket path] -file name\n\nA broker that opens files for processes of another user, which it identifies by\ntheir credentials (PeerCred).")
	switch {
	case *broker && *name != "":
		cli.Misused(errors.New("-broker cannot be combined with -file"))
	case !*broker && cli.Given("dir", "uid") != "":
		cli.Misused(fmt.Errorf("-%s requires -broker", cli.Given("dir", "uid")))
	case *broker:
		cli.Check(serve(*path, *dir, uint32(*uid)))
	case *name == "":
		cli.Misused(errors.New("either -broker or -file is required"))
	default:
		cli.Check(fetch(*path, *name, os.Stdout))
	}
}

// serve is the broker.
func serve(path, dir string, uid uint32) error {
	root, err := os.OpenRoot(dir) // no name leads out of it
	if err != nil {
		return err
	}
	defer root.Close()
	// Anyone may connect; whom to serve is decided by credentials.
	lc := sockets.ListenConfig{UnixMode: 0o666, ReplaceStale: true}
	l, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println("listening on", l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			conn := c.(*sockets.UnixConn)
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			if err := handOut(conn, root, uid); err != nil {
				fmt.Fprintln(conn, err)
			}
		}()
	}
}

// handOut answers one request: with a descriptor, or with an error as text.
func handOut(c *sockets.UnixConn, root *os.Root, uid uint32) error {
	name, err := bufio.NewReader(io.LimitReader(c, 4096)).ReadString('\n')
	if err != nil {
		return err
	}
	peer, err := sockopt.PeerCred.Get(c)
	if err != nil {
		return err
	}
	if peer.UID != uid {
		return fmt.Errorf("not for user %d", peer.UID)
	}
	f, err := root.Open(strings.TrimSuffix(name, "\n"))
	if err != nil {
		return err
	}
	defer f.Close()
	return c.SendFD(f)
}

// fetch asks the broker for a file and copies it to out.
func fetch(path, name string, out io.Writer) error {
	c, err := sockets.DialTimeout("unix", path, 10*time.Second)
	if err != nil {
		return err
	}
	conn := c.(*sockets.UnixConn)
	defer conn.Close()
	if _, err := fmt.Fprintln(conn, name); err != nil {
		return err
	}
	f, err := conn.ReceiveFD()
	if errors.Is(err, sockets.ErrNoDescriptor) {
		why, err := io.ReadAll(io.LimitReader(conn, 4096)) // what came instead
		return errors.Join(errors.New("the broker says: "+strings.TrimSpace(string(why))), err)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(out, f)
	return err
}
