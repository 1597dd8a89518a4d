//go:build !linux

package sys

import (
	"errors"

	"golang.org/x/net/bpf"
)

// AttachReusePort gives the group of a socket a program that chooses its members,
// which only Linux does.
func AttachReusePort(uintptr, []bpf.RawInstruction) error { return errors.ErrUnsupported }
