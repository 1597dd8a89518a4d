//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package sys

import "syscall"

type mmsgs struct{ name Sockaddr }

func (m *mmsgs) Reset(messages int)                      {}
func (m *mmsgs) Forget()                                 {}
func (m *mmsgs) Len() int                                { return 0 }
func (m *mmsgs) Add() *Sockaddr                          { return &m.name }
func (m *mmsgs) Drop()                                   {}
func (m *mmsgs) Buffer(b []byte)                         {}
func (m *mmsgs) Lengthen(int)                            {}
func (m *mmsgs) Control(oob []byte)                      {}
func (m *mmsgs) Name(i int) *Sockaddr                    { return &m.name }
func (m *mmsgs) Result(i int) (n, oobn, flags int)       { return 0, 0, 0 }
func Recvmmsg(uintptr, *Mmsgs, int) (int, syscall.Errno) { return 0, none }
func Sendmmsg(fd uintptr, m *Mmsgs, from, max, flags int) (int, syscall.Errno) {
	return 0, none
}
