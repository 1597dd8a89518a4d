package thirdparty_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	net "github.com/iolib-go/sockets/compat"
)

// grpcService echoes, and keeps EmptyCall waiting until the client gives up.
type grpcService struct {
	grpc_testing.UnimplementedTestServiceServer
	gaveUp chan error
}

func (s *grpcService) UnaryCall(_ context.Context, req *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	return &grpc_testing.SimpleResponse{Payload: req.Payload}, nil
}

func (s *grpcService) FullDuplexCall(stream grpc_testing.TestService_FullDuplexCallServer) error {
	for {
		req, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&grpc_testing.StreamingOutputCallResponse{Payload: req.Payload}); err != nil {
			return err
		}
	}
}

func (s *grpcService) EmptyCall(ctx context.Context, _ *grpc_testing.Empty) (*grpc_testing.Empty, error) {
	<-ctx.Done()
	s.gaveUp <- ctx.Err()
	return nil, ctx.Err()
}

func TestGRPC(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			l := listen(t, network)
			service := &grpcService{gaveUp: make(chan error, 10)}
			server := grpc.NewServer()
			grpc_testing.RegisterTestServiceServer(server, service)
			inBackground(t, func() error { return server.Serve(l) })
			t.Cleanup(server.Stop)

			dial := dialer(t)
			conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(),
				grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
					return dial(ctx, network, address)
				}))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			client := grpc_testing.NewTestServiceClient(conn)

			t.Run("unary", func(t *testing.T) { grpcUnary(t, client) })
			t.Run("deadline", func(t *testing.T) { grpcDeadline(t, client, service) })
			t.Run("stream and GOAWAY", func(t *testing.T) { grpcGoAway(t, conn, client, server) })
		})
	}
}

func grpcUnary(t *testing.T, client grpc_testing.TestServiceClient) {
	want := payload(1 << 20)
	resp, err := client.UnaryCall(within(t), &grpc_testing.SimpleRequest{Payload: &grpc_testing.Payload{Body: want}})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, resp.GetPayload().GetBody()) {
		t.Error("the echo is not what was sent")
	}
}

// grpcDeadline lets a call run out of time, which both sides have to notice. The
// time has to suffice for the call to reach the server.
func grpcDeadline(t *testing.T, client grpc_testing.TestServiceClient, service *grpcService) {
	for timeout := 100 * time.Millisecond; timeout < time.Minute; timeout *= 2 {
		ctx, cancel := context.WithTimeout(within(t), timeout)
		defer cancel()
		if _, err := client.EmptyCall(ctx, &grpc_testing.Empty{}); status.Code(err) != codes.DeadlineExceeded {
			t.Fatalf("EmptyCall: %v, want DeadlineExceeded", err)
		}
		select {
		case err := <-service.gaveUp:
			if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
				t.Errorf("the server sees %v", err)
			}
			return
		case <-time.After(timeout):
		}
	}
	t.Error("the server does not notice the deadline")
}

// grpcGoAway stops the server gracefully: an open stream goes on, a new call
// finds no server.
func grpcGoAway(t *testing.T, conn *grpc.ClientConn, client grpc_testing.TestServiceClient, server *grpc.Server) {
	ctx := within(t)
	stream, err := client.FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	echo := func(n int) {
		t.Helper()
		want := payload(n)
		if err := stream.Send(&grpc_testing.StreamingOutputCallRequest{Payload: &grpc_testing.Payload{Body: want}}); err != nil {
			t.Fatal(err)
		}
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, resp.GetPayload().GetBody()) {
			t.Fatal("the echo is not what was sent")
		}
	}
	for i := range 100 {
		echo(i * 100)
	}

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		server.GracefulStop()
	}()
	if !conn.WaitForStateChange(ctx, connectivity.Ready) {
		t.Fatal("GOAWAY does not arrive")
	}
	if _, err := client.UnaryCall(ctx, &grpc_testing.SimpleRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("new call after GOAWAY: %v, want Unavailable", err)
	}
	echo(1 << 16)
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Errorf("end of the stream: %v, want io.EOF", err)
	}
	select {
	case <-stopped:
	case <-ctx.Done():
		t.Error("GracefulStop does not end")
	}
}
