//go:build linux

package thirdparty_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdnet "net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/iolib-go/sockets"
)

// BenchmarkQUIC sends 64 MB over quic-go, whose two ends have sockets of package
// net, of package sockets, and of package sockets with segmentation offload. They
// take turns, so that all get their share of what else the machine does. An
// operation is a turn of each.
//
// For each kind of sockets it reports the median of the rates, and of the processor
// time; and for those of package sockets how many times package net's they are: the
// medians of the ratios of each turn.
func BenchmarkQUIC(b *testing.B) {
	const size = 64 << 20
	kinds := []struct {
		name   string
		listen func() (stdnet.PacketConn, error)
	}{
		{"net", func() (stdnet.PacketConn, error) { return stdnet.ListenUDP("udp4", quicBenchAddr) }},
		{"sockets", func() (stdnet.PacketConn, error) { return sockets.ListenUDP("udp4", quicBenchAddr) }},
		{"offload", func() (stdnet.PacketConn, error) {
			lc := sockets.ListenConfig{Offload: true}
			return lc.ListenPacket(context.Background(), "udp4", quicBenchAddr.String())
		}},
	}
	transfers := make([]func() error, len(kinds))
	for i, k := range kinds {
		transfers[i] = quicBenchTransfer(b, size, k.listen)
	}
	wall, cpu := make([][]float64, len(kinds)), make([][]float64, len(kinds))
	turn := 0
	for b.Loop() {
		for i := range kinds {
			i = (i + turn) % len(kinds) // none is always behind the same one
			usage, start := quicBenchCPU(b), time.Now()
			if err := transfers[i](); err != nil {
				b.Fatalf("%s: %v", kinds[i].name, err)
			}
			wall[i] = append(wall[i], time.Since(start).Seconds())
			cpu[i] = append(cpu[i], (quicBenchCPU(b) - usage).Seconds())
		}
		turn++
	}
	b.ReportMetric(0, "ns/op") // of three different things together
	for i, k := range kinds {
		b.ReportMetric(size/1e6/quicBenchMedian(wall[i]), k.name+"-MB/s")
		b.ReportMetric(1e3*quicBenchMedian(cpu[i]), k.name+"-cpu-ms")
		if i > 0 {
			b.ReportMetric(quicBenchRatio(wall[0], wall[i]), k.name+"-times-net")
			b.ReportMetric(quicBenchRatio(cpu[0], cpu[i]), k.name+"-cpu-times-net")
		}
	}
}

var quicBenchAddr = &stdnet.UDPAddr{IP: stdnet.IPv4(127, 0, 0, 1)}

// quicBenchTransfer connects two sockets by quic-go and returns a function that
// sends size bytes from one to the other, and returns when all have arrived.
func quicBenchTransfer(b *testing.B, size int64, listen func() (stdnet.PacketConn, error)) func() error {
	transport := func() *quic.Transport {
		c, err := listen()
		if err != nil {
			b.Fatal(err)
		}
		t := &quic.Transport{Conn: c}
		b.Cleanup(func() { t.Close(); c.Close() })
		return t
	}
	serverConfig, clientConfig := tlsConfigs(b)
	serverConfig.NextProtos, clientConfig.NextProtos = []string{"bench"}, []string{"bench"}
	server := transport()
	l, err := server.Listen(serverConfig, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	ctx := b.Context()
	client, err := transport().Dial(ctx, server.Conn.LocalAddr(), clientConfig, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.CloseWithError(0, "") })
	sink, err := l.Accept(ctx)
	if err != nil {
		b.Fatal(err)
	}
	block := payload(1 << 20)
	return func() error {
		sent := make(chan error, 1)
		go func() {
			sent <- func() error {
				s, err := client.OpenUniStreamSync(ctx)
				if err != nil {
					return err
				}
				for left := size; left > 0; left -= int64(len(block)) {
					if _, err := s.Write(block); err != nil {
						return err
					}
				}
				return s.Close()
			}()
		}()
		s, err := sink.AcceptUniStream(ctx)
		if err != nil {
			return errors.Join(err, <-sent)
		}
		n, err := io.Copy(io.Discard, s)
		if err == nil && n != size {
			err = fmt.Errorf("%d bytes arrive of %d", n, size)
		}
		return errors.Join(err, <-sent)
	}
}

// quicBenchCPU returns how much processor time this process has used.
func quicBenchCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// quicBenchRatio returns the median of the ratios of what was measured together.
func quicBenchRatio(of, to []float64) float64 {
	ratios := make([]float64, len(to))
	for i := range to {
		ratios[i] = of[i] / to[i]
	}
	return quicBenchMedian(ratios)
}

func quicBenchMedian(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
