package sys

import (
	"slices"
	"strings"
)

// An Opt is what one kernel knows a socket option by.
//
// Each system has its own in optTables, which are sorted by Name. They are slices
// rather than maps because those cost nothing at the start of every program.
type Opt struct {
	Name  string // as in the headers of Linux, also where this system's differs
	Level int
	Num   int

	// Byte says that the value is an unsigned char here and an int elsewhere.
	Byte bool
	// Fixed says that the kernel reports the value and refuses to change it.
	Fixed bool
	// GetNum is the number for reading the value, where that is another.
	GetNum int
	// Unit is the size of what the length of the value counts, where that is not
	// the byte.
	Unit int
}

// OptFind returns the option called name; ok is false if this system has none.
func OptFind(name string) (o Opt, ok bool) {
	for _, table := range optTables {
		i, ok := slices.BinarySearchFunc(table, name, func(o Opt, name string) int {
			return strings.Compare(o.Name, name)
		})
		if ok {
			return table[i], true
		}
	}
	return Opt{}, false
}

func (o *Opt) getNum() int {
	if o.GetNum != 0 {
		return o.GetNum
	}
	return o.Num
}
