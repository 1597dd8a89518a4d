//go:build linux

package thirdparty_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

func TestRedis(t *testing.T) {
	port, path := startRedis(t)
	for network, address := range map[string]string{"tcp": "127.0.0.1:" + port, "unix": path} {
		t.Run(network, func(t *testing.T) {
			ctx := within(t)
			client := redis.NewClient(&redis.Options{
				Network:               network,
				Addr:                  address,
				Dialer:                dialer(t),
				ContextTimeoutEnabled: true,
			})
			t.Cleanup(func() {
				if err := client.Close(); err != nil {
					t.Error(err)
				}
			})
			t.Run("large value", func(t *testing.T) { redisLargeValue(t, ctx, client) })
			t.Run("pipeline", func(t *testing.T) { redisPipeline(t, ctx, client) })
			t.Run("subscription", func(t *testing.T) { redisSubscription(t, ctx, client) })
			t.Run("deadline", func(t *testing.T) { redisDeadline(t, ctx, client) })
		})
	}
}

func redisLargeValue(t *testing.T, ctx context.Context, client *redis.Client) {
	want := payload(4 << 20)
	if err := client.Set(ctx, "large", want, 0).Err(); err != nil {
		t.Fatal(err)
	}
	got, err := client.Get(ctx, "large").Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("sent %d bytes, got %d others", len(want), len(got))
	}
}

func redisPipeline(t *testing.T, ctx context.Context, client *redis.Client) {
	if err := client.Del(ctx, "count").Err(); err != nil {
		t.Fatal(err)
	}
	var want, got []int64
	replies, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := range int64(1000) {
			want = append(want, i+1)
			pipe.Incr(ctx, "count")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, reply := range replies {
		got = append(got, reply.(*redis.IntCmd).Val())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts mismatch (-want +got):\n%s", diff)
	}
}

func redisSubscription(t *testing.T, ctx context.Context, client *redis.Client) {
	sub := client.Subscribe(ctx, "news")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	if err := client.Publish(ctx, "news", "good").Err(); err != nil {
		t.Fatal(err)
	}
	msg, err := sub.ReceiveMessage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if msg.Payload != "good" {
		t.Errorf("the news is %q", msg.Payload)
	}
}

// redisDeadline ends a command that blocks, and goes on with the next.
func redisDeadline(t *testing.T, ctx context.Context, client *redis.Client) {
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if err := client.BLPop(short, 0, "empty").Err(); !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("BLPop: %v, want a timeout", err)
	}
	if err := client.Ping(ctx).Err(); err != nil {
		t.Error(err)
	}
}

// startRedis runs a server until the test has ended and returns its port and
// the path of its unix socket.
func startRedis(t *testing.T) (port, path string) {
	t.Helper()
	server := program(t, "redis-server")
	dir := shortDir(t)
	path = filepath.Join(dir, "s")
	port = start(t, "ready to accept connections at "+path, func(port string) *exec.Cmd {
		return serverCommand(t, dir, server, "--bind", "127.0.0.1", "--port", port, "--unixsocket", path,
			"--save", "", "--appendonly", "no", "--daemonize", "no")
	})
	return port, path
}
