package socktest

import (
	"runtime/debug"
	"slices"
)

// Race reports whether the race detector is on. With it sync.Pool drops things at
// random, so that allocations cannot be counted.
var Race = func() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}()
