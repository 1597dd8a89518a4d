//go:build !linux

package main

// The others are compared on Linux alone.
var (
	mdlayher                     []network
	acceptingPeers, echoingPeers []eventServer
	idlePeers                    []idlePeer
)

var segmentsByHand = func(name string, size, window int, apart bool) []impl { return nil }
