package socktest

import (
	"fmt"
	"math/rand/v2"
)

// Loopback returns an IPv4 address of the loopback interface for servers that must know
// their port before they listen. On 127.0.0.1 a connection may have the port that was free a
// moment ago, or thousands of them all ports: a connection to another address of 127/8
// comes from 127.0.0.1 as well.
func Loopback() string {
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
}
