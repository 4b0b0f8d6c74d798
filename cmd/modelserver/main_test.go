// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/server"
)

const iris = "../../internal/local/models/iris-1"

// TestMain lets the test binary stand in for serin-modelserver.
func TestMain(m *testing.M) {
	if os.Getenv("SERIN_MODELSERVER_MAIN") != "" {
		os.Exit(run())
	}
	os.Exit(m.Run())
}

func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), "SERIN_MODELSERVER_MAIN=1", "POD_IP=127.0.0.1")
	return cmd
}

func TestItServesUntilItIsToldToStop(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := command(ctx, "--model_name=sklearn-iris", "--model_dir", iris, "--http_port=0", "--grpc_port=0", "--workers", "2", "--enable_docs_url=True")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	address := ""
	for lines := bufio.NewScanner(stderr); address == "" && lines.Scan(); {
		fmt.Fprintln(&log, lines.Text())
		if m := regexp.MustCompile(`address=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			address = m[1]
		}
	}
	if !strings.Contains(log.String(), "flag=--workers") {
		t.Errorf("no warning about --workers in:\n%s", &log)
	}
	for path, want := range map[string]string{"/v1/models/sklearn-iris": `{"name":"sklearn-iris","ready":true}`, "/docs": "<!doctype html>"} {
		if got := get(ctx, t, "http://"+address+path); !strings.HasPrefix(got, want) {
			t.Errorf("GET %s: %.100s, want %s", path, got, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(stderr)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s%s", err, &log, rest)
	}
}

func get(ctx context.Context, t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestFailuresEndInOneSentence(t *testing.T) {
	hostile := t.TempDir()
	marker := filepath.Join(hostile, "executed")
	pickle := fmt.Sprintf("cos\nsystem\n(S'touch %s'\ntR.", marker)
	if err := os.WriteFile(filepath.Join(hostile, "model.pkl"), []byte(pickle), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no model":      {[]string{"--model_dir", empty}, 1, "no model file in the model folder: want one whose name ends in .joblib, .pkl, .pickle, .skops, .json, .ubj, .model, .txt, .bst, but the folder is empty"},
		"a hostile one": {[]string{"--model_dir=" + hostile}, 1, "load model.pkl: the file holds an os.system, not an estimator; nothing was executed"},
		"no folder":     {nil, 2, "serin-modelserver: --model_dir is required"},
		"a bad port":    {[]string{"--model_dir", empty, "--http_port", "x"}, 2, "serin-modelserver: --http_port x: must be a port from 1 to 65535, or 0 for a free one"},
		"no such port":  {[]string{"--model_dir", empty, "--http_port=70000"}, 2, "serin-modelserver: --http_port 70000: must be a port from 1 to 65535, or 0 for a free one"},
		"neither":       {[]string{"--model_dir", empty, "--enable_docs_url=maybe"}, 2, "serin-modelserver: --enable_docs_url maybe: must be true or false"},
		"no such flag":  {[]string{"--model_dir", empty, "--htp_port=80"}, 2, `serin-modelserver: unknown argument "--htp_port=80": it takes --model_name, --model_dir, --http_port, --grpc_port, --enable_grpc, --enable_docs_url, --max_request_bytes, --python, and other flags of KServe's server`},
		"a word":        {[]string{"--model_dir", empty, "x"}, 2, `serin-modelserver: unknown argument "x": it takes --model_name, --model_dir, --http_port, --grpc_port, --enable_grpc, --enable_docs_url, --max_request_bytes, --python, and other flags of KServe's server`},
		"no number":     {[]string{"--model_dir", empty, "--workers=many"}, 2, "serin-modelserver: --workers many: must be a whole number from 0 to 1024"},
		"no size":       {[]string{"--model_dir", empty, "--max_request_bytes=0"}, 2, "serin-modelserver: --max_request_bytes 0: must be a whole number from 1 to 4294967295"},
		"TLS":           {[]string{"--model_dir", empty, "--ssl_certfile=x"}, 2, "serin-modelserver: --ssl_certfile x: this server has no TLS, because only the queue in its Pod calls it: remove the flag"},
		"half a flag":   {[]string{"--model_dir"}, 2, "serin-modelserver: --model_dir needs a value"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr strings.Builder
			cmd := command(t.Context(), test.args...)
			cmd.Stderr = &stderr
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != test.code {
				t.Errorf("%v, want exit status %d", err, test.code)
			}
			lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
			if diff := cmp.Diff(test.want, lines[len(lines)-1]); diff != "" {
				t.Errorf("last line (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := os.Stat(marker); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the hostile pickle was executed: %v", err)
	}
}

func TestFlagsAreReadAsKServeReadsThem(t *testing.T) {
	with := func(set func(*server.Config)) server.Config {
		cfg := server.Config{ModelName: "model", ModelDir: "/a", Port: 8080, GRPCPort: 8081, MaxBytes: 1 << 30}
		set(&cfg)
		return cfg
	}
	for name, test := range map[string]struct {
		args []string
		want server.Config
		idle []string
	}{
		"joined and apart":  {[]string{"--model_dir=/a=b", "--model_name", "iris", "--http_port", "9000"}, with(func(c *server.Config) { c.ModelName, c.ModelDir, c.Port = "iris", "/a=b", 9000 }), nil},
		"defaults":          {[]string{"--model_dir", "/a"}, with(func(*server.Config) {}), nil},
		"the last one wins": {[]string{"--model_dir=/a", "--enable_docs_url=on", "--enable_docs_url", "F", "--model_dir=/b"}, with(func(c *server.Config) { c.ModelDir = "/b" }), nil},
		"true as Python":    {[]string{"--model_dir=/a", "--enable_docs_url=True"}, with(func(c *server.Config) { c.Docs = true }), nil},
		"gRPC":              {[]string{"--model_dir=/a", "--enable_grpc=False", "--grpc_port=9001"}, with(func(c *server.Config) { c.NoGRPC, c.GRPCPort = true, 9001 }), nil},
		"a size":            {[]string{"--model_dir=/a", "--max_request_bytes=1048576"}, with(func(c *server.Config) { c.MaxBytes = 1 << 20 }), nil},
		"of KServe's alone": {[]string{"--workers", "4", "--enable_predictor_health_check", "--model_dir=/a", "--event-loop=auto"}, with(func(*server.Config) {}), []string{"--enable_predictor_health_check", "--event-loop", "--workers"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, o, err := parse(test.args)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.idle, o.idle); diff != "" {
				t.Errorf("without effect (-want +got):\n%s", diff)
			}
		})
	}
}

// kserveFlags are the flags of KServe 0.21's scikit-learn server, with values that it takes.
const kserveFlags = `--model_dir=/a --http_port=8080 --grpc_port=8081 --workers=1 --max_threads=4 --max_asyncio_workers=1 --enable_grpc=true
	--enable_docs_url=false --enable_latency_logging=true --configure_logging=true --log_config_file=f --access_log_format=f --event-loop=uvloop
	--timeout-keep-alive=65 --model_name=m --predictor_host=h --protocol=v1 --predictor_protocol=v2 --predictor_use_ssl=false
	--predictor_request_timeout_seconds=600 --grpc_max_send_message_length=1 --grpc_max_receive_message_length=1
	--predictor_request_retries=0 --enable_predictor_health_check`

func TestKServesFlagsAreAccepted(t *testing.T) {
	for flag := range strings.FieldsSeq(kserveFlags) {
		if _, _, err := parse([]string{"--model_dir=/a", flag}); err != nil {
			t.Error(err)
		}
	}
}
