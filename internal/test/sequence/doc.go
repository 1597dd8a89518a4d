// Package sequence does the same random sequences of operations on package net and on
// package sockets, and compares what they return.
package sequence
