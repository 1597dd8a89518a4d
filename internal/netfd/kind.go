package netfd

import (
	"sync"
)

// Kind is what all sockets of a kind have in common. They share one.
type Kind struct {
	// Family, Type and Proto are the arguments of socket(2).
	Family, Type, Proto int

	// Network is what errors and addresses call the socket.
	Network string
}

// kinds has those of which there were sockets: few, for the kernel knows no more.
var kinds struct {
	sync.RWMutex
	m map[Kind]*Kind
}

func (k Kind) shared() *Kind {
	kinds.RLock()
	one := kinds.m[k]
	kinds.RUnlock()
	if one != nil {
		return one
	}
	kinds.Lock()
	defer kinds.Unlock()
	if one = kinds.m[k]; one != nil {
		return one
	}
	if kinds.m == nil {
		kinds.m = make(map[Kind]*Kind)
	}
	one = new(Kind)
	*one = k
	kinds.m[k] = one
	return one
}

// SetKind changes what is known of the kind. No other goroutine may use fd yet.
func (fd *FD) SetKind(k Kind) { fd.Kind = k.shared() }
