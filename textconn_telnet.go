package sockets

import (
	"fmt"

	"github.com/iolib-go/sockets/internal/codec"
)

// Codes of Telnet commands that have an option; see RFC 854. Commands without one, such
// as NOP (241) and AYT (246), need no special handling and have no constant.
const (
	TelnetSB   = 250 // subnegotiation; has an option and data
	TelnetWILL = 251 // has an option, like the next three
	TelnetWONT = 252
	TelnetDO   = 253
	TelnetDONT = 254
)

// TelnetCommand is a command of the Telnet protocol: IAC and what follows it. See RFC
// 854.
type TelnetCommand struct {
	// Code is the byte after IAC: 240 to 254, unless a peer sends what RFC 854 lacks.
	Code byte

	// Option is the option of WILL, WONT, DO, DONT and SB.
	Option byte

	// Data is what follows the option in a subnegotiation, without the final IAC SE. A
	// byte 0xFF in it is not doubled.
	Data []byte
}

// SetCommandFunc sets the function that Read calls for each Telnet command that it
// receives while the newline style of the read format is [NewlineNVT]. If f is nil, the
// initial value, commands are skipped; they are never part of the text. A
// subnegotiation of more than 4096 bytes is skipped as well. In other styles there are
// no commands.
//
// Calls are in order: f is called before Read returns text that the peer sent after the
// command. f may call SendCommand and Write, but no method that reads from c or sets
// its read format. The Data of the command is valid only until f returns.
func (c *TextConn) SetCommandFunc(f func(TelnetCommand)) { c.r.setCommandFunc(f) }

// SetCommandFunc sets the function that Read calls for each Telnet command. See
// [TextConn.SetCommandFunc].
func (t *TextReader) SetCommandFunc(f func(TelnetCommand)) { t.r.setCommandFunc(f) }

func (r *textReader) setCommandFunc(f func(TelnetCommand)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f == nil {
		r.dec.SetHook(nil)
		return
	}
	r.dec.SetHook(func(cmd codec.Command) { f(TelnetCommand(cmd)) })
}

// SendCommand sends a Telnet command after all text that c has accepted. It returns an
// [*ArgumentError] if cmd.Code is not that of a command, or if cmd has an option or
// data that the command does not have.
func (c *TextConn) SendCommand(cmd TelnetCommand) error {
	var why string
	switch {
	case cmd.Code <= 240 || cmd.Code == 255:
		why = "no command: codes are 241 to 254"
	case cmd.Code < TelnetSB && cmd.Option != 0:
		why = fmt.Sprintf("command %d has no option", cmd.Code)
	case cmd.Code != TelnetSB && len(cmd.Data) > 0:
		why = fmt.Sprintf("command %d has no data", cmd.Code)
	}
	if why != "" {
		return &ArgumentError{Arg: "cmd", Value: cmd, Why: why}
	}
	_, err := c.Raw().Write(codec.AppendCommand(nil, codec.Command(cmd)))
	return err
}
