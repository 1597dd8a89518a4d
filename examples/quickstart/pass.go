package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
)

// passFile sends an open file to another process, which reads it. The file has no name
// any more by then, so that there is no other way to it.
func passFile(p *progress) error {
	content := bytes.Repeat([]byte("Grüße aus einer Datei\n"), 1000)
	f, err := os.CreateTemp("", "quickstart")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}

	ours, theirs, err := sockets.Pair("unix")
	if err != nil {
		return err
	}
	defer ours.Close()
	reader, err := startPart("reader", activation.Named{Name: "files", Conn: theirs})
	theirs.Close()
	if err != nil {
		return err
	}
	sendErr := ours.SendFD(f)
	output, err := reader.end()
	if err := errors.Join(sendErr, err); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	if want := fmt.Sprintf("%x", sha256.Sum256(content)); string(output) != want {
		return fmt.Errorf("the other process read %s, want %s", output, want)
	}
	p.result("process %d read %d bytes: identical", reader.cmd.Process.Pid, len(content))
	return nil
}

// readPassedFile is the other process.
func readPassedFile() error {
	inherited, err := activation.Inherited()
	if err != nil {
		return err
	}
	defer inherited.Close()
	for _, d := range inherited {
		c, err := d.Socket.Conn()
		if err != nil {
			return err
		}
		defer c.Close()
		f, err := c.(*sockets.UnixConn).ReceiveFD()
		if err != nil {
			return err
		}
		defer f.Close()
		digest := sha256.New()
		if _, err := io.Copy(digest, f); err != nil {
			return err
		}
		fmt.Printf("%x", digest.Sum(nil))
	}
	return nil
}
