// Package sockets makes sockets with raw system calls, waits for them in Go's
// runtime poller, and gives them back as net.Conn, net.Listener and
// net.PacketConn.
package sockets
