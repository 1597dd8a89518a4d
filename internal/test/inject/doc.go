// Package inject has system calls fail, and do less than they were asked for, while
// package sockets works: what is lost, leaked or hung fails the tests.
package inject
