package sockets

import (
	"context"
	"net"
	"reflect"
	"sync"
)

// A connectTrace is what a trace of net/http/httptrace wants to know of connections.
// Either hook may be nil.
//
// That package is not imported, since it links crypto/tls into every program. It leaves
// its hooks for package net in the context as well, and there they are found: under the
// key that net itself asks a context for.
type connectTrace struct {
	start func(network, addr string)
	done  func(network, addr string, err error)
}

// traceIn returns the trace in ctx.
func traceIn(ctx context.Context) (t connectTrace) {
	v := ctx.Value(traceKey())
	t.start, _ = hook(v, "ConnectStart").(func(network, addr string))
	t.done, _ = hook(v, "ConnectDone").(func(network, addr string, err error))
	return t
}

// hook returns the hook of that name, or nil.
func hook(hooks any, name string) any {
	if v := reflect.Indirect(reflect.ValueOf(hooks)); v.Kind() == reflect.Struct {
		if f := v.FieldByName(name); f.IsValid() {
			return f.Interface()
		}
	}
	return nil
}

// traceKey returns the key of the hooks for package net. A Dialer asks for them before
// it finds that there is nothing to dial.
var traceKey = sync.OnceValue(func() any {
	asked := keySeeker{Context: context.Background()}
	new(net.Dialer).DialContext(&asked, "", "")
	return asked.key
})

// keySeeker is a context that remembers the key of the hooks for package net.
type keySeeker struct {
	context.Context
	key any
}

func (ctx *keySeeker) Value(key any) any {
	if reflect.TypeOf(key).String() == "nettrace.TraceKey" {
		ctx.key = key
	}
	return nil
}

// dnsOnly returns a context for lookups: its trace reports DNS events, and not the
// connections to name servers.
func dnsOnly(ctx context.Context) context.Context {
	v := reflect.ValueOf(ctx.Value(traceKey()))
	if v.Kind() != reflect.Pointer {
		return ctx
	}
	hooks := reflect.New(v.Type().Elem())
	hooks.Elem().Set(v.Elem())
	for _, name := range []string{"ConnectStart", "ConnectDone"} {
		if f := reflect.Indirect(hooks).FieldByName(name); f.IsValid() {
			f.SetZero()
		}
	}
	return context.WithValue(ctx, traceKey(), hooks.Interface())
}
