// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is serin-fetch when asked to be, so that it can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("BE_SERIN_FETCH") != "" {
		main()
	}
	os.Exit(m.Run())
}

func serinFetch(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "BE_SERIN_FETCH=1", "HOME="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	return cmd, &stderr
}

// half is a server that sends the first half of a model, signals on sent, and waits for rest.
func half(t *testing.T) (url string, sent <-chan struct{}, rest chan<- struct{}) {
	t.Helper()
	sending, waiting := make(chan struct{}, 10), make(chan struct{})
	content := strings.Repeat("x", 1<<20)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"1"`)
		if r.Header.Get("Range") != "" {
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = io.WriteString(w, content[:len(content)/2])
		w.(http.Flusher).Flush()
		sending <- struct{}{}
		select {
		case <-waiting:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, content[len(content)/2:])
	}))
	t.Cleanup(s.Close)
	return s.URL + "/model.joblib", sending, waiting
}

func visible(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestKilledDownload(t *testing.T) {
	for name, withCache := range map[string]bool{"with a cache": true, "without a cache": false} {
		t.Run(name, func(t *testing.T) {
			url, sent, rest := half(t)
			dest, cacheDir := t.TempDir(), t.TempDir()
			args := []string{url, dest}
			if withCache {
				args = append([]string{"--cache-dir", cacheDir}, args...)
			}
			killed, _ := serinFetch(t, args...)
			if err := killed.Start(); err != nil {
				t.Fatal(err)
			}
			<-sent
			if err := killed.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = killed.Wait()
			if got := visible(t, dest); len(got) != 0 {
				t.Errorf("the killed run left %v", got)
			}
			if blobs, _ := filepath.Glob(filepath.Join(cacheDir, "blobs", "*")); len(blobs) != 0 {
				t.Errorf("the killed run left %v", blobs)
			}

			close(rest)
			again, stderr := serinFetch(t, args...)
			if err := again.Run(); err != nil {
				t.Fatalf("%v\n%s", err, stderr)
			}
			if all, err := os.ReadDir(dest); err != nil || len(all) != 1 || all[0].Name() != "model.joblib" {
				t.Errorf("after the next run the folder holds %v (%v), want model.joblib alone", all, err)
			}
			if left, _ := filepath.Glob(filepath.Join(cacheDir, "tmp", "*")); len(left) != 0 {
				t.Errorf("after the next run the cache still holds %v", left)
			}
		})
	}
}

func TestTerminatedDownload(t *testing.T) {
	url, sent, _ := half(t)
	dest, cacheDir := t.TempDir(), t.TempDir()
	cmd, stderr := serinFetch(t, "--cache-dir="+cacheDir, url, dest)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-sent
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 143 {
		t.Errorf("exit %v, want code 143\n%s", err, stderr)
	}
	want := url + ": stopped before the model was complete"
	if got := lastLine(stderr.String()); got != want {
		t.Errorf("last line %q, want %q", got, want)
	}
	for _, dir := range []string{dest, filepath.Join(cacheDir, "tmp"), filepath.Join(cacheDir, "blobs")} {
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left in %s: %v (%v)", dir, left, err)
		}
	}
}

func lastLine(s string) string {
	s = strings.TrimRight(s, "\n")
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func TestArgumentsDecideTheExitCodeAndTheLastLine(t *testing.T) {
	model := filepath.Join(t.TempDir(), "model.joblib")
	if err := os.WriteFile(model, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		want string // begins the last line
	}{
		{"one model", []string{model, t.TempDir()}, 0, "fetched " + model + ": 1 file, 3 B, in "},
		{"two models", []string{model, t.TempDir(), "file://" + model, t.TempDir()}, 0, "fetched file://" + model + ": 1 file, 3 B, in "},
		{"nothing", nil, 2, "serin-fetch: needs a source and a folder"},
		{"half a pair", []string{model}, 2, "serin-fetch: needs a source and a folder"},
		{"a model that is just small enough", []string{"--max-size=3", model, t.TempDir()}, 0, "fetched "},
		{"a model that is too large", []string{"--max-size=2", model, t.TempDir()}, 1, model + ": the model is larger than 2 B, the most that may be fetched here: see --max-size of serin-fetch"},
		{"no size", []string{"--max-size=many", model, t.TempDir()}, 2, `serin-fetch: --max-size "many": must be a size such as 500Mi or 2Gi`},
		{"an unknown flag", []string{"--cache", model, "x"}, 2, "serin-fetch: flag provided but not defined: -cache"},
		{"the second model is missing", []string{model, t.TempDir(), "/no/such", t.TempDir()}, 1, "/no/such: no such model: no such file or folder"},
		{"a target that is a file", []string{model, model}, 1, model + ": "},
		{"a cache that is a file", []string{"--cache-dir", model, model, t.TempDir()}, 1, "the cache " + model + ": "},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd, stderr := serinFetch(t, c.args...)
			err := cmd.Run()
			if got := cmd.ProcessState.ExitCode(); got != c.code || !strings.HasPrefix(lastLine(stderr.String()), c.want) {
				t.Errorf("exit %d (%v), want %d; stderr, whose last line should begin with %q:\n%s", got, err, c.code, c.want, stderr)
			}
		})
	}
}

func TestSizes(t *testing.T) {
	for s, want := range map[string]int64{
		"1": 1, "2k": 2000, "500Mi": 500 << 20, "2Gi": 2 << 30, "1Ti": 1 << 40, "3G": 3e9,
		"0": 0, "-1": 0, "": 0, "Gi": 0, "1.5Gi": 0, "1gi": 0, "1KiB": 0, "9999999999Gi": 0, "1 Gi": 0,
	} {
		if got, err := parseSize(s); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v; want %d", s, got, err, want)
		}
	}
}

func TestTheEnvironmentGivesTheLargestSize(t *testing.T) {
	t.Setenv("FETCH_MAX_SIZE", "5Gi")
	for _, c := range []struct {
		args []string
		want int64
	}{{[]string{"/a", "/b"}, 5 << 30}, {[]string{"--max-size=1Gi", "/a", "/b"}, 1 << 30}} {
		if cfg, err := parse(c.args); err != nil || cfg.MaxSize != c.want {
			t.Errorf("%v: %d, %v", c.args, cfg.MaxSize, err)
		}
	}
}
