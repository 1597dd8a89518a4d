//go:build !linux

package socktest

import "testing"

// Only Linux runs the tests that need these.

func NeedOption(testing.TB, string) {}
func NeedSizes(testing.TB)          {}
