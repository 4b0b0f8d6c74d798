// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
)

// grpcService answers unary calls with their payload, or an error when it is
// empty, and full-duplex calls message by message.
type grpcService struct {
	grpc_testing.UnimplementedTestServiceServer
}

func (grpcService) UnaryCall(ctx context.Context, in *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	if want := in.GetResponseStatus(); want != nil {
		return nil, status.Error(codes.Code(want.GetCode()), want.GetMessage())
	}
	if len(in.GetPayload().GetBody()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "the payload is empty")
	}
	if err := grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", "1")); err != nil {
		return nil, err
	}
	return &grpc_testing.SimpleResponse{Payload: in.GetPayload()}, nil
}

func (grpcService) FullDuplexCall(stream grpc.BidiStreamingServer[grpc_testing.StreamingOutputCallRequest, grpc_testing.StreamingOutputCallResponse]) error {
	if len(metadata.ValueFromIncomingContext(stream.Context(), "begin")) > 0 {
		if err := stream.SendHeader(nil); err != nil {
			return err
		}
	}
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&grpc_testing.StreamingOutputCallResponse{Payload: in.GetPayload()}); err != nil {
			return err
		}
	}
}

func grpcBackend(t *testing.T) proxy.Target {
	t.Helper()
	return grpcBackendAt(t, listen(t))
}

func grpcBackendAt(t *testing.T, ln net.Listener) proxy.Target {
	t.Helper()
	server := grpc.NewServer()
	grpc_testing.RegisterTestServiceServer(server, grpcService{})
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil {
			t.Errorf("serve gRPC: %v", err)
		}
	})
	return proxy.Target{Addr: ln.Addr().String(), Revision: "iris-predictor-00001"}
}

func grpcClient(t *testing.T, addr string) grpc_testing.TestServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // nothing is in flight
	return grpc_testing.NewTestServiceClient(conn)
}

func payload(text string) *grpc_testing.Payload { return &grpc_testing.Payload{Body: []byte(text)} }

func TestGRPC(t *testing.T) {
	for _, detect := range []bool{false, true} {
		policy := &fixed{targets: []proxy.Target{grpcBackend(t)}}
		addr, _ := start(t, proxy.Config{Policy: policy, DetectH2: detect})
		c := grpcClient(t, addr)

		var header, trailer metadata.MD
		out, err := c.UnaryCall(t.Context(), &grpc_testing.SimpleRequest{Payload: payload("hello")}, grpc.Header(&header), grpc.Trailer(&trailer))
		if err != nil || string(out.GetPayload().GetBody()) != "hello" {
			t.Fatalf("unary: %v, %v", out, err)
		}
		if got := header.Get("serin-revision"); len(got) != 1 || got[0] != "iris-predictor-00001" {
			t.Errorf("the header has revisions %v", got)
		}
		if got := trailer.Get("x-trailer"); len(got) != 1 {
			t.Errorf("the trailer is %v", trailer)
		}
		_, err = c.UnaryCall(t.Context(), &grpc_testing.SimpleRequest{})
		if got := status.Convert(err); got.Code() != codes.InvalidArgument || got.Message() != "the payload is empty" {
			t.Errorf("an error arrives as %v", err)
		}

		stream, err := c.FullDuplexCall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"one", strings.Repeat("two", 100000), "three"} { // each only after the answer to the one before
			if err := stream.Send(&grpc_testing.StreamingOutputCallRequest{Payload: payload(text)}); err != nil {
				t.Fatal(err)
			}
			if out, err := stream.Recv(); err != nil || string(out.GetPayload().GetBody()) != text {
				t.Fatalf("stream: %v", err)
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("the stream ended with %v", err)
		}
	}
}

// A call of which gRPC says that it failed must not count as answered well.
func TestGRPCStatusOfACallIsCounted(t *testing.T) {
	policy := &fixed{targets: []proxy.Target{grpcBackend(t)}, done: make(chan struct{}, 1)}
	addr, _ := start(t, proxy.Config{Policy: policy})
	c := grpcClient(t, addr)
	want := []int{200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401, 500}
	var got []int
	for code := range want {
		request := &grpc_testing.SimpleRequest{Payload: payload("hello")}
		if code > 0 {
			request.ResponseStatus = &grpc_testing.EchoStatus{Code: int32(code)}
		}
		_, err := c.UnaryCall(t.Context(), request)
		if got := status.Code(err); got != codes.Code(code) {
			t.Errorf("code %d arrives as %v", code, got)
		}
		<-policy.done
		got = append(got, policy.seen[code].Status)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

func TestRefusedGRPCCallHasGRPCStatus(t *testing.T) {
	for _, c := range []struct {
		name    string
		policy  *fixed
		code    codes.Code
		message string
	}{
		{"no such host", &fixed{refuse: &proxy.Refusal{Status: 404, Text: "no 100% such host \"ä\""}}, codes.Unimplemented, "no 100% such host \"ä\""},
		{"no Pod", &fixed{refuse: &proxy.Refusal{Status: 503, Text: "no Pod"}}, codes.Unavailable, "no Pod"},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr, _ := start(t, proxy.Config{Policy: c.policy})
			_, err := grpcClient(t, addr).UnaryCall(t.Context(), &grpc_testing.SimpleRequest{})
			if got := status.Convert(err); got.Code() != c.code || got.Message() != c.message {
				t.Errorf("got %v", err)
			}
		})
	}
}

// first gives the first connection to a function.
type first struct {
	net.Listener

	once sync.Once
	take func(net.Conn)
}

func (l *first) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	taken := false
	if err == nil {
		l.once.Do(func() { taken = true })
	}
	if !taken {
		return conn, err
	}
	l.take(conn)
	return l.Listener.Accept()
}

// A server that does not answer while it starts may speak HTTP/2.
func TestHTTP2DetectionIsRepeatedForStartingServer(t *testing.T) {
	for name, take := range map[string]func(net.Conn){
		"closed":     func(c net.Conn) { _ = c.Close() },
		"unanswered": func(c net.Conn) { t.Cleanup(func() { _ = c.Close() }) },
	} {
		t.Run(name, func(t *testing.T) {
			policy := &fixed{targets: []proxy.Target{grpcBackendAt(t, &first{Listener: listen(t), take: take})}}
			addr, _ := start(t, proxy.Config{Policy: policy, DetectH2: true})
			c := grpcClient(t, addr)
			hello := &grpc_testing.SimpleRequest{Payload: payload("hello")}
			_, _ = c.UnaryCall(t.Context(), hello) // it may fail
			if _, err := c.UnaryCall(t.Context(), hello); err != nil {
				t.Errorf("the second call: %v", err)
			}
		})
	}
}

func TestHTTP2RequestReachesHTTP1Target(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(server.Close)
	policy := &fixed{targets: []proxy.Target{{Addr: server.Listener.Addr().String()}}}
	addr, _ := start(t, proxy.Config{Policy: policy, DetectH2: true})
	for range 2 {
		response := post(t, client(t, true), "http://"+addr+"/p", strings.NewReader("hello"))
		body, err := io.ReadAll(response.Body)
		if want := "POST " + addr + " /p hello"; string(body) != want || err != nil || response.ProtoMajor != 2 {
			t.Errorf("%s %s %q, %v", response.Proto, response.Status, body, err)
		}
	}
}

// A gRPC client may be silent before its first message, if the server sends first,
// and between two messages.
func TestSilentGRPCStreamIsKept(t *testing.T) {
	t.Parallel()
	limits := quick
	limits.StreamIdle = time.Minute
	policy := &fixed{targets: []proxy.Target{grpcBackend(t)}}
	addr, _ := start(t, proxy.Config{Policy: policy, DetectH2: true, Limits: limits})
	c := grpcClient(t, addr)
	for _, ctx := range []context.Context{t.Context(), metadata.AppendToOutgoingContext(t.Context(), "begin", "1")} {
		stream, err := c.FullDuplexCall(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := metadata.FromOutgoingContext(ctx); ok {
			if _, err := stream.Header(); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			if err := stream.Send(&grpc_testing.StreamingOutputCallRequest{Payload: payload("hello")}); err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * quick.RateGrace)
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("the end is %v", err)
		}
	}
}
