package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/iolib-go/sockets"
)

// What compareDatagrams sends: windows of datagrams, each of which arrives before the
// next one is sent.
const (
	datagramSize = 1200
	windowSize   = 32
)

// compareDatagrams sends the same datagrams over loopback, one by one with package net and
// in batches with this package, in turns, and reports the ratio of the times.
func compareDatagrams(p *progress) error {
	single, err := newSingle()
	if err != nil {
		return err
	}
	defer single.close()
	plain, err := newBatch(false)
	if err != nil {
		return err
	}
	defer plain.close()
	merged, err := newBatch(true)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	ways := []mover{single, plain}
	if err == nil {
		defer merged.close()
		ways = append(ways, merged)
	}
	const rounds, windows = 9, 60
	ratios := make([][]float64, len(ways))
	for round := range rounds {
		if round%3 == 0 {
			p.dot()
		}
		var first time.Duration
		for i, way := range ways {
			began := time.Now()
			for range windows {
				if err := way.window(); err != nil {
					return err
				}
			}
			took := time.Since(began)
			if i == 0 {
				first = took
			}
			ratios[i] = append(ratios[i], first.Seconds()/took.Seconds())
		}
	}
	text := fmt.Sprintf("%.1f times as fast as one by one", median(ratios[1]))
	if len(ways) > 2 {
		text += fmt.Sprintf(", %.0f times with offload", median(ratios[2]))
	}
	p.result("%s", text)
	return nil
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// A mover sends a window of datagrams and receives it.
type mover interface {
	window() error
	close()
}

// singleMover moves datagrams one by one with package net.
type singleMover struct {
	from, to net.PacketConn
	b        []byte
}

func newSingle() (*singleMover, error) {
	from, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	to, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		from.Close()
		return nil, err
	}
	return &singleMover{from, to, make([]byte, datagramSize)}, nil
}

func (m *singleMover) window() error {
	for range windowSize {
		if _, err := m.from.WriteTo(m.b, m.to.LocalAddr()); err != nil {
			return err
		}
	}
	m.to.SetReadDeadline(time.Now().Add(time.Minute))
	for range windowSize {
		if n, _, err := m.to.ReadFrom(m.b); err != nil || n != datagramSize {
			return fmt.Errorf("%d bytes, %v", n, err)
		}
	}
	return nil
}

func (m *singleMover) close() {
	m.from.Close()
	m.to.Close()
}

// batchMover moves them in batches with this package.
type batchMover struct {
	from, to *sockets.UDPConn
	out, in  []sockets.Message
}

func newBatch(offload bool) (*batchMover, error) {
	lc := sockets.ListenConfig{Offload: offload}
	var conns [2]*sockets.UDPConn
	for i := range conns {
		c, err := lc.ListenPacket(context.Background(), "udp", "127.0.0.1:0")
		if err == nil {
			conns[i] = c.(*sockets.UDPConn)
			if offload {
				err = conns[i].SetOffload(true) // says so where the system cannot
			}
		}
		if err != nil {
			for _, c := range conns {
				if c != nil {
					c.Close()
				}
			}
			return nil, err
		}
	}
	m := &batchMover{from: conns[0], to: conns[1]}
	for range windowSize {
		m.out = append(m.out, sockets.Message{Buffers: [][]byte{make([]byte, datagramSize)}, Addr: m.to.LocalAddr()})
		m.in = append(m.in, sockets.Message{Buffers: [][]byte{make([]byte, datagramSize)}})
	}
	return m, nil
}

func (m *batchMover) window() error {
	for sent := 0; sent < windowSize; {
		n, err := m.from.WriteBatch(m.out[sent:], 0)
		if err != nil {
			return err
		}
		sent += n
	}
	m.to.SetReadDeadline(time.Now().Add(time.Minute))
	for got := 0; got < windowSize; {
		n, err := m.to.ReadBatch(m.in[got:], 0)
		if err != nil {
			return err
		}
		for _, message := range m.in[got : got+n] {
			if message.N != datagramSize {
				return fmt.Errorf("a datagram of %d bytes", message.N)
			}
		}
		got += n
	}
	return nil
}

func (m *batchMover) close() {
	m.from.Close()
	m.to.Close()
}
