package sockets

import (
	"fmt"

	"github.com/iolib-go/sockets/internal/codec"
)

// Codes of Telnet commands, RFC 854. Those of 241 and above that are not here, such
// as NOP and AYT, have no option and need no special handling.
const (
	TelnetSB   = 250 // subnegotiation, with an option and data
	TelnetWILL = 251 // with an option, as the next three
	TelnetWONT = 252
	TelnetDO   = 253
	TelnetDONT = 254
)

// TelnetCommand is a command of the Telnet protocol, RFC 854: IAC and what
// follows it.
type TelnetCommand struct {
	// Code is the byte behind IAC, 240 to 254.
	Code byte

	// Option is the option of WILL, WONT, DO, DONT and SB.
	Option byte

	// Data is what a subnegotiation has behind the option, without the final
	// IAC SE and with each byte FF once.
	Data []byte
}

// SetCommandFunc makes f the function that Read calls with each Telnet command
// that comes in while the read format has the style NewlineNVT. Without one, or
// if f is nil, commands are skipped; they are never text. A subnegotiation of
// more than 4096 bytes is skipped as well. In other styles there are no commands.
//
// f is called in order, before Read returns text that the peer sent behind the
// command. It may call SendCommand and Write, but no method that reads from c or
// sets its read format. The Data of the command is valid only until f returns.
func (c *TextConn) SetCommandFunc(f func(TelnetCommand)) { c.r.setCommandFunc(f) }

// SetCommandFunc makes f the function that Read calls with each Telnet command, see
// TextConn.SetCommandFunc.
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

// SendCommand sends a Telnet command behind all text that c has accepted. It
// is an *ArgumentError if cmd.Code is not a command's, or if there are an
// option or data that the command does not have.
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
