package thirdparty_test

import (
	"errors"
	"net/rpc"
	"net/rpc/jsonrpc"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Arith is the service of the tests.
type Arith struct{}

// Multiply is called remotely; its errors arrive as text.
func (Arith) Multiply(args [2]int, product *int) error {
	if args[0] == 0 {
		return errors.New("zero")
	}
	*product = args[0] * args[1]
	return nil
}

func TestRPC(t *testing.T) {
	l := listen(t, "tcp")
	server := rpc.NewServer()
	if err := server.Register(Arith{}); err != nil {
		t.Fatal(err)
	}
	inBackground(t, func() error { server.Accept(l); return nil })
	t.Cleanup(func() { l.Close() })
	callArith(t, rpc.NewClient(dial(t, l.Addr())))
}

func TestJSONRPC(t *testing.T) {
	l := listen(t, "unix")
	server := rpc.NewServer()
	if err := server.Register(Arith{}); err != nil {
		t.Fatal(err)
	}
	inBackground(t, func() error {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		server.ServeCodec(jsonrpc.NewServerCodec(c))
		return nil
	})
	callArith(t, jsonrpc.NewClient(dial(t, l.Addr())))
}

// callArith sends many calls before it waits for the first answer.
func callArith(t *testing.T, client *rpc.Client) {
	t.Helper()
	defer client.Close()
	var want, got []int
	var calls []*rpc.Call
	for i := 1; i <= 100; i++ {
		want = append(want, i*(i+1))
		calls = append(calls, client.Go("Arith.Multiply", [2]int{i, i + 1}, new(int), nil))
	}
	for _, call := range calls {
		if <-call.Done; call.Error != nil {
			t.Fatal(call.Error)
		}
		got = append(got, *call.Reply.(*int))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("products mismatch (-want +got):\n%s", diff)
	}
	if err := client.Call("Arith.Multiply", [2]int{}, new(int)); err != rpc.ServerError("zero") {
		t.Errorf("product with zero: %v", err)
	}
}
