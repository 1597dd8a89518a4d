package codec

// bytesMachine passes bytes. Its characters are bytes, so nothing is malformed.
type bytesMachine struct{}

func (bytesMachine) start(*state)                 {}
func (bytesMachine) plain(_ *state, b []byte) int { return len(b) }
func (bytesMachine) finish(*state, []byte) int    { return 0 }
func (bytesMachine) unit() int                    { return 1 }

func (bytesMachine) decodeRun(_ *state, dst, src []byte) (int, int) {
	n := copy(dst, src)
	return n, n
}

func (bytesMachine) encodeRun(_ *state, dst, src []byte) (int, int) {
	n := copy(dst, src)
	return n, n
}

func (bytesMachine) decodeChar(_ *state, src []byte) char {
	// Only CR, LF and NUL need a character; decodeRun takes the others.
	return char{r: rune(src[0]), size: 1}
}

func (bytesMachine) encodeRune(_ *state, dst []byte, r rune) int {
	dst[0] = byte(r)
	return 1
}
