// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// caller calls a method of gRPC with a message.
type caller func(method string, message []byte, options ...grpc.CallOption) ([]byte, error)

// asking asks a server. It starts one for a model when it is asked for it first.
type asking func(t *testing.T, e exchange) reply

// connect returns a caller at an address.
func connect(t *testing.T, address string) caller {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return func(method string, message []byte, options ...grpc.CallOption) ([]byte, error) {
		var out []byte
		err := conn.Invoke(t.Context(), grpcService+method, message, &out, options...)
		return out, err
	}
}

// ours asks our server.
func ours(t *testing.T, change ...func(*Config)) asking {
	t.Helper()
	servers, callers := map[string]*running{}, map[string]caller{}
	return func(t *testing.T, e exchange) reply {
		t.Helper()
		if servers[e.Model] == nil {
			servers[e.Model] = start(t, fixtures+e.Model+".joblib", append(change, func(c *Config) { c.ModelName = e.Model })...)
		}
		if e.Call == "" {
			return e.post(t, servers[e.Model].address)
		}
		if callers[e.Model] == nil {
			call, _ := dial(t, fixtures+e.Model+".joblib", func(c *Config) { c.ModelName, c.Revision = e.Model, "" })
			callers[e.Model] = call
		}
		return e.invoke(t, callers[e.Model])
	}
}

// theirs asks KServe's server, with more variables in its environment.
func theirs(t *testing.T, env []string, models ...string) asking {
	t.Helper()
	folder := os.Getenv("SERIN_PYTHON")
	if folder == "" {
		t.Skip("it needs KServe's Python package: run make python")
	}
	web, calls := freePort(t), freePort(t)
	args := []string{"testdata/server.py", web, calls}
	for _, m := range models {
		args = append(args, fixtures+m+".joblib")
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(folder, "kserve", "bin", "python"), args...)
	cmd.Env = append(os.Environ(), env...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("KServe's server says:\n%s", log.Bytes()[max(0, log.Len()-2000):])
		}
	})
	address := net.JoinHostPort("127.0.0.1", web)
	err := eventually.Within(t.Context(), time.Minute, 100*time.Millisecond, func(ctx context.Context) (any, bool) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v2/health/ready", nil)
		if err != nil {
			return err, false
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err, false
		}
		return resp.Status, resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
	if err != nil {
		t.Fatal(err)
	}
	call := connect(t, net.JoinHostPort("127.0.0.1", calls))
	return func(t *testing.T, e exchange) reply {
		t.Helper()
		if e.Call != "" {
			return e.invoke(t, call)
		}
		return e.post(t, address)
	}
}

// freePort returns a port that was free a moment ago: KServe's server cannot choose one itself.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}
