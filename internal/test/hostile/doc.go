// Package hostile has package sockets copy and receive from peers that do whatever the
// kernel lets them do: what is lost, changed, leaked or hung fails the tests.
package hostile
