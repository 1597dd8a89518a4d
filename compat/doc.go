// Package compat is package net with its connections, listeners and dialers replaced by
// those of package sockets. It has every exported name of net, so a program switches by
// changing one import:
//
//	import net "github.com/iolib-go/sockets/compat"
//
// Addresses, errors, interfaces, name resolution and parsing are net's own, through
// aliases and forwarding functions: an OpError of this package is a net.OpError, and
// Dial and Accept return values that satisfy net.Conn.
//
// Variables are copies, so assigning to DefaultResolver does not change net's. Code
// outside of the program that asserts *net.TCPConn does not find it.
//
// On systems that package [sockets] does not support, such as Windows, all of this
// package is net.
package compat

//go:generate go run ./internal/gen
