package compat_test

import (
	"os"
	"testing"

	"github.com/iolib-go/sockets/internal/socktest"
)

func TestMain(m *testing.M) { os.Exit(socktest.Run(m)) }
