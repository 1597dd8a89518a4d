package sockets_test

import (
	"os"
	"testing"

	"github.com/iolib-go/sockets/internal/socktest"
)

func init() { socktest.Examples["ExampleDialer_netNS"] = socktest.Proc }

func TestMain(m *testing.M) { os.Exit(socktest.Run(m)) }
