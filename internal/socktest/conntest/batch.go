//go:build linux

package conntest

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/iolib-go/sockets"
)

// MessageTo is a Message with one buffer.
func MessageTo(b []byte, addr net.Addr) sockets.Message {
	return sockets.Message{Buffers: [][]byte{b}, Addr: addr}
}

// RoomFor returns n messages with room for size bytes.
func RoomFor(n, size int) []sockets.Message {
	ms := make([]sockets.Message, n)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, size)}
	}
	return ms
}

// A BatchWriter sends many messages at once.
type BatchWriter interface {
	WriteBatch([]sockets.Message, int) (int, error)
}

// A BatchReader receives many messages at once.
type BatchReader interface {
	ReadBatch([]sockets.Message, int) (int, error)
}

// SendBatch sends ms to the last.
func SendBatch(t testing.TB, c BatchWriter, ms []sockets.Message) {
	t.Helper()
	for len(ms) > 0 {
		n, err := c.WriteBatch(ms, 0)
		if err != nil {
			t.Fatal(err)
		}
		ms = ms[n:]
	}
}

// ReceiveBatch receives until ms is full.
func ReceiveBatch(t testing.TB, c BatchReader, ms []sockets.Message) {
	t.Helper()
	for len(ms) > 0 {
		n, err := c.ReadBatch(ms, 0)
		if err != nil {
			t.Fatal(err)
		}
		ms = ms[n:]
	}
}

// TextOf returns the data of a received message.
func TextOf(m sockets.Message) string {
	var b []byte
	for _, p := range m.Buffers {
		b = append(b, p...)
	}
	return string(b[:m.N])
}

// TextsOf returns the data of received messages.
func TextsOf(ms []sockets.Message) (s []string) {
	for _, m := range ms {
		s = append(s, TextOf(m))
	}
	return s
}

// Numbered returns messages to one address that are told apart by their first
// bytes, of the given sizes.
func Numbered(to net.Addr, sizes ...int) []sockets.Message {
	ms := make([]sockets.Message, len(sizes))
	for i, size := range sizes {
		b := bytes.Repeat([]byte{byte('a' + i%26)}, size)
		copy(b, fmt.Sprintf("%d:", i))
		ms[i] = MessageTo(b, to)
	}
	return ms
}

// EqualSizes returns size n times.
func EqualSizes(n, size int) []int { return slices.Repeat([]int{size}, n) }

// DataOf returns what is sent in one buffer per message.
func DataOf(ms []sockets.Message) (s []string) {
	for _, m := range ms {
		s = append(s, string(m.Buffers[0]))
	}
	return s
}

// CutUp returns the parts of b of the given size; the last may be shorter.
func CutUp(b []byte, size int) (parts []string) {
	for len(b) > size {
		parts, b = append(parts, string(b[:size])), b[size:]
	}
	return append(parts, string(b))
}
