package sys

import "unsafe"

// Mmsgs is a row of messages to be received or sent by one call. The caller keeps
// it, so that a call allocates nothing; Reset comes first.
type Mmsgs = mmsgs

// Address returns where b begins in memory, for comparison alone.
func Address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
