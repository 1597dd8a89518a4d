//go:build !go1.27

package netfd

// WrapsEOF says that ReadFrom and its kin are to report the end of a stream as a
// *net.OpError, as those of package net did up to Go 1.26.
const WrapsEOF = true
