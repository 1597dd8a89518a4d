//go:build go1.27

package sockets

// wrapsEOF says that ReadFrom and its kin report the end of a stream as a
// *net.OpError. Those of package net return io.EOF as it is since Go 1.27.
const wrapsEOF = false
