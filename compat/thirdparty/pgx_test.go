//go:build linux

package thirdparty_test

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestPGX(t *testing.T) {
	dir, port := startPostgres(t)
	for network, host := range map[string]string{"tcp": "127.0.0.1", "unix": dir} {
		t.Run(network, func(t *testing.T) {
			ctx := within(t)
			config, err := pgx.ParseConfig("user=postgres dbname=postgres sslmode=disable host=" + host + " port=" + port)
			if err != nil {
				t.Fatal(err)
			}
			config.DialFunc = dialer(t)
			notices := make(chan struct{}, 1)
			config.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) { notices <- struct{}{} }
			connect := func() *pgx.Conn {
				conn, err := pgx.ConnectConfig(ctx, config)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close(context.Background()) })
				ours(t, conn.PgConn().Conn())
				return conn
			}
			conn, other := connect(), connect()
			t.Run("large value", func(t *testing.T) { pgxLargeValue(t, ctx, conn) })
			t.Run("copy", func(t *testing.T) { pgxCopy(t, ctx, conn) })
			t.Run("notification", func(t *testing.T) { pgxNotification(t, ctx, conn, other) })
			t.Run("cancel", func(t *testing.T) { pgxCancel(t, ctx, conn, notices) })
		})
	}
}

func pgxLargeValue(t *testing.T, ctx context.Context, conn *pgx.Conn) {
	want := payload(4 << 20)
	var got []byte
	if err := conn.QueryRow(ctx, "select $1::bytea", want).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("sent %d bytes, got %d others", len(want), len(got))
	}
}

func pgxCopy(t *testing.T, ctx context.Context, conn *pgx.Conn) {
	if _, err := conn.Exec(ctx, "create temporary table numbers (n int)"); err != nil {
		t.Fatal(err)
	}
	const rows = 50_000
	n, err := conn.CopyFrom(ctx, pgx.Identifier{"numbers"}, []string{"n"},
		pgx.CopyFromSlice(rows, func(i int) ([]any, error) { return []any{i}, nil }))
	if n != rows || err != nil {
		t.Fatalf("CopyFrom: %d, %v", n, err)
	}
	result, err := conn.Query(ctx, "select n from numbers order by n")
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(result, pgx.RowTo[int])
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range got {
		if i != n {
			t.Fatalf("row %d is %d", i, n)
		}
	}
	if len(got) != rows {
		t.Errorf("%d rows, want %d", len(got), rows)
	}
}

// pgxNotification waits in vain first, which ends by a read deadline in the
// past that must leave the connection as it was.
func pgxNotification(t *testing.T, ctx context.Context, conn, other *pgx.Conn) {
	if _, err := conn.Exec(ctx, "listen news"); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if _, err := conn.WaitForNotification(short); !pgconn.Timeout(err) {
		t.Fatalf("without news: %v, want a timeout", err)
	}
	if _, err := other.Exec(ctx, "notify news, 'good'"); err != nil {
		t.Fatal(err)
	}
	n, err := conn.WaitForNotification(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n.Payload != "good" {
		t.Errorf("the news is %q", n.Payload)
	}
}

// pgxCancel asks the server, over another connection, to give up what it runs.
// A notice tells that it does run.
func pgxCancel(t *testing.T, ctx context.Context, conn *pgx.Conn, notices <-chan struct{}) {
	canceled := make(chan error, 1)
	go func() {
		<-notices
		canceled <- conn.PgConn().CancelRequest(ctx)
	}()
	_, err := conn.Exec(ctx, "do $$ begin raise notice 'running'; perform pg_sleep(60); end $$")
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "57014" {
		t.Errorf("canceled query: %v, want query_canceled", err)
	}
	if err := <-canceled; err != nil {
		t.Error(err)
	}
	if err := conn.Ping(ctx); err != nil {
		t.Errorf("after the cancellation: %v", err)
	}
}

// startPostgres runs a server until the test has ended and returns its folder,
// which has its unix socket, and its port.
func startPostgres(t *testing.T) (dir, port string) {
	t.Helper()
	const debian = "/usr/lib/postgresql/*/bin"
	initdb, postgres := program(t, "initdb", debian), program(t, "postgres", debian)
	dir = shortDir(t)
	data := filepath.Join(dir, "data")
	out, err := serverCommand(t, dir, initdb, "-D", data, "-U", "postgres", "-A", "trust", "--no-sync").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	port = start(t, "ready to accept connections", func(port string) *exec.Cmd {
		return serverCommand(t, dir, postgres, "-D", data, "-F", "-h", "127.0.0.1", "-k", dir, "-p", port)
	})
	return dir, port
}
