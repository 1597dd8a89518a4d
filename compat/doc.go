// Package compat is package net with its connections, listeners and dialers
// replaced by those of package [sockets]. It has every exported name of net, so
// that a program switches by one import line:
//
//	import net "github.com/iolib-go/sockets/compat"
//
// Addresses, errors, interfaces, resolving and parsing are net's own, as aliases
// and forwards: an [OpError] of this package is a [net.OpError], and whatever
// takes a [net.Conn] takes what Dial and Accept return here.
//
// Variables are copies, so assigning to [DefaultResolver] does not change
// net's. Code outside the program that asserts *net.TCPConn does not see one.
//
// On systems that package sockets does not support, Windows among them, all of
// this package is net.
//
// [sockets]: https://pkg.go.dev/github.com/iolib-go/sockets
package compat

//go:generate go run ./internal/gen
