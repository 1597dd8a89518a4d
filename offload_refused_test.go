//go:build linux

package sockets_test

import (
	"fmt"
	"net"
	"testing"

	. "github.com/iolib-go/sockets"
)

// sentJoined sends three datagrams to b and reports whether they went out as one.
func sentJoined(t *testing.T, a, b *UDPConn, size int) bool {
	t.Helper()
	sendBatch(t, a, numbered(b.LocalAddr(), equalSizes(3, size)...))
	n, segment := rawReceive(t, b)
	switch {
	case n == size && segment == 0:
		rawReceive(t, b)
		rawReceive(t, b)
		return false
	case n == 3*size && segment == size:
		return true
	}
	t.Fatalf("sent %d octets in parts of %d", n, segment)
	return false
}

// A size of segments that the path to a peer refused is not tried again, nor is a
// larger one, until offload is turned on once more: not even when the path has become
// wider, which tells this apart from finding out each time.
func TestOffloadRemembersRefusedSizes(t *testing.T) {
	here, there := vethNamespaces(t, 1500)
	lc := &ListenConfig{Offload: true}
	a, b := here.listen(t, lc, "udp4", "10.9.0.1:0"), there.listen(t, lc, "udp4", "10.9.0.2:0")
	other := there.listen(t, lc, "udp4", "10.9.0.2:0")
	try := func(when string, to *UDPConn, size int, want bool) {
		t.Helper()
		if got := sentJoined(t, a, to, size); got != want {
			t.Errorf("%s: %d octets joined %v, want %v", when, size, got, want)
		}
	}
	widen := func(mtu int) {
		for _, ns := range []*netns{here, there} {
			ns.ip(t, fmt.Sprintf("link set v mtu %d", mtu))
		}
	}
	for _, size := range []int{5000, 3000, 4000} {
		try("narrow path", b, size, false)
	}
	widen(9000)
	for _, size := range []int{3000, 4000, 5000} {
		try("refused before", b, size, false)
	}
	try("below what was refused", b, 2999, true)
	try("another peer", other, 3000, true)

	if err := a.SetOffload(true); err != nil {
		t.Fatal(err)
	}
	try("turned on again", b, 3000, true)
	try("turned on again, too long", b, 9000, false)
	try("turned on again, one was too long", b, 3000, true)
}

// What is remembered of many peers does not grow for ever.
func TestOffloadForgetsRefusedSizes(t *testing.T) {
	here, there := vethNamespaces(t, 1500)
	lc := &ListenConfig{Offload: true}
	a, b := here.listen(t, lc, "udp4", "10.9.0.1:0"), there.listen(t, lc, "udp4", "10.9.0.2:0")
	if sentJoined(t, a, b, 3000) {
		t.Error("3000 octets were joined on a path for 1500")
	}
	for port := range 1000 {
		to := &net.UDPAddr{IP: net.IPv4(10, 9, 0, 2), Port: 10000 + port}
		sendBatch(t, a, numbered(to, 3000, 3000))
	}
	for _, ns := range []*netns{here, there} {
		ns.ip(t, "link set v mtu 9000")
	}
	if !sentJoined(t, a, b, 3000) {
		t.Error("a peer is remembered behind 1000 others")
	}
}
