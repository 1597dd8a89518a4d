package sockets

import (
	"net"
	"strconv"
	"sync"
	"time"
)

// zones translates between names and numbers of network interfaces, which IPv6
// addresses carry as zones, RFC 4007. Asking the system takes tens of
// microseconds, so answers are kept for a minute, as package net does.
var zones struct {
	sync.RWMutex
	asked time.Time
	name  map[uint32]string
	index map[string]uint32
}

const zonesKept = 60 * time.Second

// zoneName returns the name of interface index, its number if it has none.
func zoneName(index uint32) string {
	if index == 0 {
		return ""
	}
	zones.RLock()
	name, ok := zones.name[index]
	fresh := time.Since(zones.asked) < zonesKept
	zones.RUnlock()
	if !ok || !fresh {
		if askZones(!ok) {
			zones.RLock()
			name, ok = zones.name[index]
			zones.RUnlock()
		}
	}
	if !ok {
		return strconv.FormatUint(uint64(index), 10)
	}
	return name
}

// zoneIndex returns the number of the interface called name, or the number that
// name spells, or 0.
func zoneIndex(name string) uint32 {
	if name == "" {
		return 0
	}
	zones.RLock()
	index, ok := zones.index[name]
	fresh := time.Since(zones.asked) < zonesKept
	zones.RUnlock()
	if !ok || !fresh {
		if askZones(!ok) {
			zones.RLock()
			index, ok = zones.index[name]
			zones.RUnlock()
		}
	}
	if !ok {
		n, err := strconv.ParseUint(name, 10, 32)
		if err != nil {
			return 0
		}
		return uint32(n)
	}
	return index
}

// askZones asks the system for its interfaces if the last answer is old, or if
// force says that a new interface is looked for. It reports whether it asked.
func askZones(force bool) bool {
	zones.Lock()
	defer zones.Unlock()
	if !force && time.Since(zones.asked) < zonesKept {
		return false
	}
	ifis, err := net.Interfaces()
	if err != nil {
		return false
	}
	zones.asked = time.Now()
	zones.name = make(map[uint32]string, len(ifis))
	zones.index = make(map[string]uint32, len(ifis))
	for _, ifi := range ifis {
		zones.name[uint32(ifi.Index)] = ifi.Name
		if _, ok := zones.index[ifi.Name]; !ok {
			zones.index[ifi.Name] = uint32(ifi.Index)
		}
	}
	return true
}
