//go:build !unix

package main

import "time"

// processorTime is not told here; the time that passes is the best there is.
func processorTime() time.Duration { return time.Since(begin) }
