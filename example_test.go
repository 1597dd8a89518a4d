//go:build linux

package sockets_test

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets/internal/socktest"
)

// Examples cannot skip themselves: these need what a system may lack.
func init() {
	socktest.Examples["ExampleDialer_netNS"] = socktest.Proc
	socktest.Examples["ExampleListenConfig"] = socktest.Option("SO_BINDTODEVICE")
	socktest.Examples["ExampleNewRaw"] = socktest.Netlink
	socktest.Examples["ExamplePacketInfo"] = socktest.PacketInfo
	socktest.Examples["ExampleReadOnlyOption_Get"] = socktest.Option("TCP_INFO")
	socktest.Examples["ExampleUDPConn_SendTo"] = func() error {
		return errors.Join(socktest.SendFlag(unix.MSG_MORE|unix.MSG_DONTROUTE)(), socktest.SendFlag(unix.MSG_CONFIRM)())
	}
	socktest.Examples["ExampleUDPConn_WriteBatch"] = socktest.Sizes
	socktest.Examples["ExampleUDPConn_WriteSegments"] = socktest.Sizes
}
