//go:build !linux

package socktest

import "testing"

// Only Linux is emulated.

func PacketInfo() error             { return nil }
func NeedPacketInfo(testing.TB)     {}
func NeedMPTCPInfo(testing.TB)      {}
func NeedBadControl(testing.TB)     {}
func NeedOption(testing.TB, string) {}
func UseOption(string) func() error { return PacketInfo }
