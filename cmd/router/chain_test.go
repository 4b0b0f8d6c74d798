// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"

	"github.com/serin-dev/serin/internal/dataplane/queue"
	"github.com/serin-dev/serin/internal/dataplane/router"
	"github.com/serin-dev/serin/internal/dataplane/routing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	host     = "iris.default.example.com"
	revision = "iris-predictor-00001"
)

// chain starts a router, and a queue in front of the model server at target,
// and returns the router's address.
func chain(t *testing.T, target string) string {
	t.Helper()
	return chainOf(t, queue.Config{ModelServer: target})
}

func chainOf(t *testing.T, cfg queue.Config) string {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	queueLn, queueAdmin, routerLn := listenLocal(t), listenLocal(t), listenLocal(t)
	run := func(name string, run func(ctx context.Context) error) {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- run(ctx) }()
		t.Cleanup(func() {
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			case <-time.After(20 * time.Second):
				t.Errorf("the %s did not stop", name)
			}
		})
	}
	run("queue", func(ctx context.Context) error {
		cfg.Listener, cfg.Admin, cfg.Concurrency, cfg.Log = queueLn, queueAdmin, 10, log
		return queue.Run(ctx, cfg)
	})
	run("router", func(ctx context.Context) error {
		return router.Run(ctx, router.Config{Listener: routerLn, Domain: "example.com", Log: log, Static: &routing.Input{
			Services: []routing.Service{{Namespace: "default", Name: "iris", Traffic: []routing.Share{{Revision: revision, Percent: 100}}}},
			Pods:     []routing.Pod{{Namespace: "default", Revision: revision, Addr: queueLn.Addr().String()}},
		}})
	})
	return routerLn.Addr().String()
}

func listenLocal(t *testing.T) net.Listener {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// model answers in several ways by path.
func model(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/events":
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	case "/socket":
		var upgrader websocket.Upgrader
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.Close() }()
		for {
			kind, message, err := ws.ReadMessage()
			if err != nil || ws.WriteMessage(kind, message) != nil {
				return
			}
		}
	default:
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%s %s %d %v", r.Method, r.Host, n, err)
	}
}

func TestRequestsThroughRouterAndQueue(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(model))
	t.Cleanup(server.Close)
	addr := chain(t, server.Listener.Addr().String())
	for _, http2 := range []bool{false, true} { // the model server speaks HTTP/1.1 only
		t.Run(fmt.Sprintf("HTTP/2 %v", http2), func(t *testing.T) {
			tr := &http.Transport{Protocols: new(http.Protocols)}
			tr.Protocols.SetHTTP1(!http2)
			tr.Protocols.SetUnencryptedHTTP2(http2)
			t.Cleanup(tr.CloseIdleConnections)
			client := &http.Client{Transport: tr}
			send := func(ctx context.Context, path string, body io.Reader) *http.Response {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+path, body)
				if err != nil {
					t.Fatal(err)
				}
				req.Host = host
				response, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				if got := response.Header.Get("Serin-Revision"); got != revision {
					t.Errorf("%s was answered by revision %q", path, got)
				}
				return response
			}
			for _, size := range []int{0, 130, 20_000, 8 << 20} {
				for _, body := range []io.Reader{bytes.NewReader(make([]byte, size)), io.MultiReader(bytes.NewReader(make([]byte, size)))} {
					response := send(t.Context(), "/", body)
					got, err := io.ReadAll(response.Body)
					_ = response.Body.Close()
					if want := fmt.Sprintf("POST %s %d <nil>", host, size); string(got) != want || err != nil {
						t.Errorf("got %q, %v, want %q", got, err, want)
					}
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			response := send(ctx, "/events", http.NoBody)
			events := bufio.NewReader(response.Body)
			for i := range 3 { // although the response does not end
				if got, err := events.ReadString('\n'); got != fmt.Sprintf("data: %d\n", i) || err != nil {
					t.Errorf("event %d is %q, %v", i, got, err)
				}
				_, _ = events.ReadString('\n') // the empty line
			}
			cancel()
			_ = response.Body.Close()
		})
	}
}

func TestAWebSocketThroughRouterAndQueue(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(model))
	t.Cleanup(server.Close)
	addr := chain(t, server.Listener.Addr().String())
	ws, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+addr+"/socket", http.Header{"Host": {host}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ws.Close() }()
	if got := response.Header.Get("Serin-Revision"); got != revision {
		t.Errorf("answered by revision %q", got)
	}
	message := strings.Repeat("hello ", 10_000)
	if err := ws.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		t.Fatal(err)
	}
	if _, got, err := ws.ReadMessage(); string(got) != message || err != nil {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

// echoService answers full-duplex calls message by message.
type echoService struct {
	grpc_testing.UnimplementedTestServiceServer
}

func (echoService) FullDuplexCall(stream grpc.BidiStreamingServer[grpc_testing.StreamingOutputCallRequest, grpc_testing.StreamingOutputCallResponse]) error {
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

// serveGRPC starts a gRPC server, and returns its address.
func serveGRPC(t *testing.T) string {
	t.Helper()
	ln := listenLocal(t)
	server := grpc.NewServer()
	grpc_testing.RegisterTestServiceServer(server, echoService{})
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(ln); err != nil {
			t.Errorf("serve gRPC: %v", err)
		}
	})
	t.Cleanup(func() {
		server.Stop()
		serving.Wait()
	})
	return ln.Addr().String()
}

// Each protocol reaches its own port. HTTP/2 that is not gRPC is HTTP.
func TestTwoPortsThroughRouterAndQueue(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(model))
	t.Cleanup(server.Close)
	addr := chainOf(t, queue.Config{ModelServer: server.Listener.Addr().String(), GRPC: serveGRPC(t)})
	echoesGRPC(t, addr)
	for _, http2 := range []bool{false, true} {
		tr := &http.Transport{Protocols: new(http.Protocols)}
		tr.Protocols.SetHTTP1(!http2)
		tr.Protocols.SetUnencryptedHTTP2(http2)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		response, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if want := "POST " + host + " 5 <nil>"; string(body) != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", response.Proto, body, err, want)
		}
		tr.CloseIdleConnections()
	}
	echoesGRPC(t, addr)
}

func TestAGRPCStreamThroughRouterAndQueue(t *testing.T) { echoesGRPC(t, chain(t, serveGRPC(t))) }

// echoesGRPC exchanges messages with the gRPC server behind the router at addr.
func echoesGRPC(t *testing.T, addr string) {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(host))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	stream, err := grpc_testing.NewTestServiceClient(conn).FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		text := fmt.Sprint("message ", i)
		if err := stream.Send(&grpc_testing.StreamingOutputCallRequest{Payload: &grpc_testing.Payload{Body: []byte(text)}}); err != nil {
			t.Fatal(err)
		}
		if out, err := stream.Recv(); err != nil || string(out.GetPayload().GetBody()) != text {
			t.Fatalf("got %v, %v", out, err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v", err)
	}
}
