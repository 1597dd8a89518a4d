package sys

import "sort"

// An Opt is what one kernel knows a socket option by.
type Opt struct {
	Name  string // as in the headers of Linux, also where this system's differs
	Level int
	Num   int

	// Byte says that the value is an unsigned char here and an int elsewhere.
	Byte bool
	// Fixed says that the kernel reports the value and refuses to change it.
	Fixed bool
}

// OptFind returns the option called name; ok is false if this system has none.
func OptFind(name string) (o Opt, ok bool) {
	i := sort.Search(len(opts), func(i int) bool { return opts[i].Name >= name })
	if i == len(opts) || opts[i].Name != name {
		return Opt{}, false
	}
	return opts[i], true
}
