package codec

import "bytes"

// The commands of Telnet that this package must know, RFC 854 and 855.
const (
	telnetSE   = 240 // end of a subnegotiation
	telnetSB   = 250 // its beginning
	telnetWILL = 251 // the first of four that have an option
	iac        = 255 // interpret as command
)

// Command is a command of Telnet in the incoming bytes.
type Command struct {
	Code   byte
	Option byte   // of WILL, WONT, DO, DONT and SB
	Data   []byte // of a subnegotiation, with each IAC once; valid during the call
}

// telnet takes the commands out of the bytes of an NVT format.
type telnet struct {
	hook func(Command) // nil skips them
	sub  subState
	// Of the subnegotiation that is coming in: the option and the data, but no
	// more than maxSub bytes.
	data []byte
}

type subState uint8

const (
	noSub subState = iota
	inSub
	tooLong // for the hook
)

// maxSub bounds a subnegotiation that is kept for the hook. Longer ones are
// skipped.
const maxSub = 4096

// take takes the command, or the next part of a subnegotiation, at the front of
// b. It returns 0 if b is empty, if it begins with text, or if the command is
// unfinished, which short says.
func (t *telnet) take(b []byte) (n int, short bool) {
	if t.sub != noSub {
		return t.takeSub(b)
	}
	if len(b) == 0 || b[0] != iac {
		return 0, false
	}
	switch {
	case len(b) == 1:
		return 0, true
	case b[1] == iac: // text
		return 0, false
	case b[1] == telnetSB:
		t.sub, t.data = inSub, t.data[:0]
		return 2, false
	case b[1] < telnetWILL:
		t.report(Command{Code: b[1]})
		return 2, false
	case len(b) == 2:
		return 0, true
	}
	t.report(Command{Code: b[1], Option: b[2]})
	return 3, false
}

func (t *telnet) takeSub(b []byte) (n int, short bool) {
	for n < len(b) {
		i := bytes.IndexByte(b[n:], iac)
		if i < 0 {
			t.keep(b[n:]...)
			return len(b), false
		}
		t.keep(b[n : n+i]...)
		n += i
		if n+1 == len(b) {
			return n, n == 0
		}
		if b[n+1] == iac {
			t.keep(iac)
			n += 2
			continue
		}
		// SE ends it, and so does, without being part of it, any other command.
		if b[n+1] == telnetSE {
			n += 2
		}
		if t.sub == inSub && len(t.data) > 0 {
			t.report(Command{Code: telnetSB, Option: t.data[0], Data: t.data[1:]})
		}
		t.sub = noSub
		if n == 0 {
			return t.take(b)
		}
		return n, false
	}
	return n, false
}

func (t *telnet) keep(b ...byte) {
	switch {
	case t.hook == nil || t.sub == tooLong:
	case len(t.data)+len(b) > maxSub:
		t.sub, t.data = tooLong, nil
	default:
		t.data = append(t.data, b...)
	}
}

func (t *telnet) report(c Command) {
	if t.hook != nil {
		t.hook(c)
	}
}

// commandLen returns the length of the command at the front of b, which begins
// with IAC and another byte than IAC, or 0 if it is unfinished.
func commandLen(b []byte) int {
	switch {
	case len(b) < 2:
		return 0
	case b[1] == telnetSB:
		for i := 2; i+1 < len(b); i++ {
			if b[i] == iac {
				if b[i+1] == telnetSE {
					return i + 2
				}
				if b[i+1] != iac {
					return i
				}
				i++
			}
		}
		return 0
	case b[1] < telnetWILL:
		return 2
	case len(b) == 2:
		return 0
	}
	return 3
}

// SetHook makes hook the function that Decode calls with each command of an NVT
// format.
func (d *Decoder) SetHook(hook func(Command)) {
	if d.telnet == nil {
		d.telnet = new(telnet)
	}
	d.telnet.hook = hook
}

// decodeTelnet is Decode for the NVT format.
func (d *Decoder) decodeTelnet(dst, src []byte, eof bool) (nDst, nSrc int, status Status) {
	for nSrc < len(src) {
		if nDst == len(dst) && nDst > 0 {
			return nDst, nSrc, Full
		}
		rest := src[nSrc:]
		n, short := d.telnet.take(rest)
		nSrc += n
		if n > 0 {
			continue
		}
		if short {
			break
		}
		// The bytes that may be needed; the rest of a long src is not searched
		// again and again for a short dst.
		rest = rest[:min(len(rest), 8*(len(dst)-nDst)+16*maxRune)]
		end := bytes.IndexByte(rest, iac)
		if end != 0 {
			var nd, ns int
			if end < 0 {
				end = len(rest)
			}
			nd, ns, status = d.decode(dst[nDst:], rest[:end], eof && nSrc+end == len(src))
			nDst += nd
			nSrc += ns
			if status != More || nSrc == len(src) {
				return nDst, nSrc, status
			}
			if ns > 0 {
				continue
			}
			if end == len(rest) {
				return nDst, nSrc, More
			}
		}
		nd, ns, status := d.decodeAcross(dst[nDst:], src[nSrc:], eof)
		nDst += nd
		nSrc += ns
		if ns == 0 {
			return nDst, nSrc, status
		}
	}
	// What Held counts, in front of a command that is unfinished.
	nd, _, status := d.decode(dst[nDst:], nil, eof)
	nDst += nd
	switch {
	case status != More || !eof || nSrc == len(src):
		return nDst, nSrc, status
	case d.strict:
		d.bad = len(src) - nSrc
		return nDst, nSrc, Truncated
	}
	return nDst, len(src), More // a command that never got its end is no text
}

// maxCommands bounds the bytes of commands between those of one character.
// With more of them the character is malformed, so that no part of the program has to keep any
// number of them.
const maxCommands = 24

// decodeAcross decodes characters that have an IAC or a command among their
// bytes.
func (d *Decoder) decodeAcross(dst, src []byte, eof bool) (nDst, nSrc int, status Status) {
	var text [foreignChar]byte // without them
	var ends [foreignChar]uint8
	n, i, commands := 0, 0, 0
	ended := false // no byte behind text can belong to it
	for i < len(src) && n < len(text) && i < 0xf0 {
		if src[i] != iac {
			text[n] = src[i]
			i++
		} else if len(src) > i+1 && src[i+1] == iac {
			text[n] = iac
			i += 2
		} else {
			size := commandLen(src[i:])
			if size == 0 {
				commands += len(src) - i
				ended = eof || commands > maxCommands
				break
			}
			if commands += size; commands > maxCommands {
				ended = true
				break
			}
			i += size
			continue
		}
		ends[n] = uint8(i)
		n++
	}
	ended = ended || eof && i == len(src)
	nDst, ns, status := d.decode(dst, text[:n], false)
	if ns == 0 && ended && status == More {
		nDst, ns, status = d.decode(dst, text[:n], true)
		if status == Truncated && commands > maxCommands {
			status = Malformed
		}
	}
	if ns == 0 {
		if status == Malformed || status == Truncated || status == NoMark {
			d.bad = int(ends[d.bad-1])
		}
		return nDst, 0, status
	}
	nSrc = int(ends[ns-1])
	for at := 0; at < nSrc; {
		if size, _ := d.telnet.take(src[at:nSrc]); size > 0 {
			at += size
		} else if src[at] == iac {
			at += 2
		} else {
			at++
		}
	}
	return nDst, nSrc, More
}

// doubleIAC doubles each IAC of the first n bytes of b, and returns the new
// length, or -1 if b is too short.
func doubleIAC(b []byte, n int) int {
	extra := bytes.Count(b[:n], []byte{iac})
	if extra == 0 {
		return n
	}
	if n+extra > len(b) {
		return -1
	}
	end := n + extra
	for i, j := n-1, end-1; i < j; i-- {
		b[j] = b[i]
		j--
		if b[i] == iac {
			b[j] = iac
			j--
		}
	}
	return end
}

// AppendCommand appends the bytes of a command to b.
func AppendCommand(b []byte, c Command) []byte {
	b = append(b, iac, c.Code)
	if c.Code < telnetSB || c.Code == iac {
		return b
	}
	b = append(b, c.Option)
	if c.Code != telnetSB {
		return b
	}
	if c.Option == iac {
		b = append(b, iac)
	}
	for _, x := range c.Data {
		b = append(b, x)
		if x == iac {
			b = append(b, iac)
		}
	}
	return append(b, iac, telnetSE)
}
