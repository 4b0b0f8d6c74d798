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
	cmd := command(ctx, "--model_name=sklearn-iris", "--model_dir", iris, "--http_port=0", "--workers", "2", "--enable_docs_url=True")
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
	if !strings.Contains(log.String(), "argument=--workers") {
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
		"no model":      {[]string{"--model_dir", empty}, 1, "no model file in the model folder: want one whose name ends in .joblib, .pkl, .pickle, but the folder is empty"},
		"a hostile one": {[]string{"--model_dir=" + hostile}, 1, "load model.pkl: the file asks for os.system, which no supported scikit-learn model needs; nothing was executed"},
		"no folder":     {nil, 2, "serin-modelserver: --model_dir is required"},
		"a bad port":    {[]string{"--model_dir", empty, "--http_port", "x"}, 2, "serin-modelserver: --http_port x: must be a port from 1 to 65535, or 0 for a free one"},
		"no such port":  {[]string{"--model_dir", empty, "--http_port=70000"}, 2, "serin-modelserver: --http_port 70000: must be a port from 1 to 65535, or 0 for a free one"},
		"neither":       {[]string{"--model_dir", empty, "--enable_docs_url=maybe"}, 2, "serin-modelserver: --enable_docs_url maybe: must be true or false"},
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
	for name, test := range map[string]struct {
		args    []string
		want    server.Config
		ignored []string
	}{
		"joined and apart":  {[]string{"--model_dir=/a=b", "--model_name", "iris", "--http_port", "9000"}, server.Config{ModelName: "iris", ModelDir: "/a=b", Port: 9000}, nil},
		"defaults":          {[]string{"--model_dir", "/a"}, server.Config{ModelName: "model", ModelDir: "/a", Port: 8080}, nil},
		"the last one wins": {[]string{"--model_dir=/a", "--enable_docs_url=on", "--enable_docs_url", "F", "--model_dir=/b"}, server.Config{ModelName: "model", ModelDir: "/b", Port: 8080}, nil},
		"true as Python":    {[]string{"--model_dir=/a", "--enable_docs_url=True"}, server.Config{ModelName: "model", ModelDir: "/a", Port: 8080, Docs: true}, nil},
		"unknown ones":      {[]string{"--workers", "4", "--model_dir=/a", "--event-loop=auto", "x"}, server.Config{ModelName: "model", ModelDir: "/a", Port: 8080}, []string{"--workers", "4", "--event-loop=auto", "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ignored, err := parse(test.args)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.ignored, ignored); diff != "" {
				t.Errorf("ignored (-want +got):\n%s", diff)
			}
		})
	}
}
