package sys

import "unsafe"

// Mmsgs is a row of messages to be received or sent by one call. The caller keeps
// it, so that a call allocates nothing; Reset comes first.
type Mmsgs = mmsgs

// Adjacent reports whether b begins in memory where a ends, and neither is empty.
func Adjacent(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	return uintptr(unsafe.Pointer(unsafe.SliceData(a)))+uintptr(len(a)) == uintptr(unsafe.Pointer(unsafe.SliceData(b)))
}
