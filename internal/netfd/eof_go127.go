//go:build go1.27

package netfd

// WrapsEOF says that ReadFrom and its kin are to report the end of a stream as a
// *net.OpError. Those of package net return io.EOF as it is since Go 1.27.
const WrapsEOF = false
