package thirdparty_test

import (
	"io"
	"sync"
	"testing"

	"github.com/hashicorp/yamux"
)

func TestYamux(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			l := listen(t, network)
			inBackground(t, func() error {
				c, err := l.Accept()
				if err != nil {
					return err
				}
				session, err := yamux.Server(c, quietYamux())
				if err != nil {
					t.Error(err)
					return err
				}
				defer session.Close()
				for {
					stream, err := session.AcceptStream()
					if err != nil {
						return err
					}
					go func() {
						io.Copy(stream, stream)
						stream.Close()
					}()
				}
			})

			session, err := yamux.Client(dial(t, l.Addr()), quietYamux())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { session.Close() })
			if _, err := session.Ping(); err != nil {
				t.Error(err)
			}
			var wg sync.WaitGroup
			for i := range 10 {
				stream, err := session.OpenStream()
				if err != nil {
					t.Fatal(err)
				}
				wg.Go(func() { roundTrip(t, stream, 100_000*i, stream.Close) })
			}
			wg.Wait()
		})
	}
}

// quietYamux is the default configuration without a log.
func quietYamux() *yamux.Config {
	config := yamux.DefaultConfig()
	config.LogOutput = io.Discard
	return config
}
