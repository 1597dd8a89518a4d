//go:build !unix

package sys

import "os"

// ConcernsOneProcess is never asked.
func ConcernsOneProcess(os.Signal) bool { return false }
