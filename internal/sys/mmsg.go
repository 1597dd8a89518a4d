package sys

// Mmsgs is a row of messages to be received or sent by one call. The caller keeps
// it, so that a call allocates nothing; Reset comes first.
type Mmsgs = mmsgs
