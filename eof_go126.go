//go:build !go1.27

package sockets

// wrapsEOF says that ReadFrom and its kin report the end of a stream as a
// *net.OpError, as those of package net did up to Go 1.26.
const wrapsEOF = true
