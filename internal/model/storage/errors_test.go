// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// A failure is reported in one line, and leaves nothing in the target or the cache.
func TestFailuresAreOneLineAndLeaveNothingBehind(t *testing.T) {
	for _, c := range []struct {
		name, source, want string
		fault              http.HandlerFunc
	}{
		{
			"a missing bucket", "gs://nobody/model",
			`gs://nobody/model: no such bucket: "nobody" does not exist`, nil,
		},
		{
			"a missing path", "gs://b/models/x",
			"gs://b/models/x: no such model: nothing is stored under this path", nil,
		},
		{
			"a folder with placeholders only", "gs://b/empty",
			"gs://b/empty: no such model: nothing is stored under this path", nil,
		},
		{
			"half a name", "gs://b/model/mod",
			"gs://b/model/mod: no such model: nothing is stored under this path", nil,
		},
		{
			"an object with a slash behind", "gs://b/model/model.joblib/",
			"gs://b/model/model.joblib: no such model: nothing is stored under this path", nil,
		},
		{
			"a name that leaves the folder", "gs://b/evil",
			"gs://b/evil/../../etc/passwd: this name cannot be a file below the model's folder", nil,
		},
		{
			"denied", "gs://b/model",
			"gs://b/model: access denied to anonymous (no Google credentials are configured, and Secrets of KServe's storage are not read yet): not for you",
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusForbidden)
				fmt.Fprint(w, `{"error":{"code":403,"message":"not\nfor you"}}`)
			},
		},
		{
			"always unavailable", "gs://b/model",
			"gs://b/model: the storage service answered 503 Service Unavailable",
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		},
		{
			"a broken archive", "gs://b/broken",
			"gs://b/broken/x.zip: bad archive: zip: not a valid zip file", nil,
		},
		{
			"no such file", "/no/such/model", "/no/such/model: no such model: no such file or folder", nil,
		},
		{
			"a scheme we do not know", "hf://owner/model",
			`"hf://owner/model": the scheme "hf" is not supported: ` + supported, nil,
		},
		{
			"no scheme at all", "models/x", `"models/x": not a storage URI: ` + supported, nil,
		},
		{
			"no bucket", "gs:///x", `"gs:///x": no valid bucket name in the URI: ` + supported, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serveGCS(t, map[string]string{
				"b/model/model.joblib":    "one",
				"b/empty/":                "",
				"b/evil/../../etc/passwd": "root",
				"b/broken/x.zip":          "PK but no more",
			})
			if c.fault != nil {
				s.fault = func(w http.ResponseWriter, r *http.Request) bool { c.fault(w, r); return true }
			}
			dest, cacheDir := t.TempDir(), t.TempDir()
			log, err := try(t, cacheDir, c.source, dest)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s\nlog:\n%s", err, c.want, log)
			}
			wantEmpty(t, dest)
			wantEmpty(t, filepath.Join(cacheDir, "tmp"))
		})
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	for _, e := range entries {
		t.Errorf("left in %s: %s", filepath.Base(dir), e.Name())
	}
}

func TestUnreachableHostIsNamed(t *testing.T) {
	noCredentials(t)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	l.Close()
	t.Setenv("STORAGE_EMULATOR_HOST", host)
	t.Setenv("AWS_ENDPOINT_URL", "http://"+host)
	for _, source := range []string{"gs://b/model", "s3://b/model", "http://" + host + "/model?secret=1"} {
		log, err := try(t, "", source, t.TempDir())
		before, _, _ := strings.Cut(source, "?")
		want := before + ": cannot reach " + host + ": connection refused"
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if n := strings.Count(log, "trying again"); n != 2 {
			t.Errorf("%d retries, want 2\nlog:\n%s", n, log)
		}
		if strings.Contains(log, "secret") {
			t.Errorf("the log shows a secret:\n%s", log)
		}
	}
}

func TestTransientFailuresAreRetried(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 100_000)
	for _, c := range []struct {
		name  string
		fault func(n int, w http.ResponseWriter, r *http.Request) bool
	}{
		{"unavailable for a moment", func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n > 2 {
				return false
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}},
		{"a connection that breaks is taken up where it broke", func(n int, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Get("alt") != "media" || r.Header.Get("Range") != "" {
				return false
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			fmt.Fprint(w, content[:len(content)/2])
			panic(http.ErrAbortHandler)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serveGCS(t, map[string]string{"b/model/model.joblib": content})
			n := 0
			s.fault = func(w http.ResponseWriter, r *http.Request) bool {
				n++
				return c.fault(n, w, r)
			}
			got := mustFetch(t, t.TempDir(), "gs://b/model")
			if got["model.joblib"] != content {
				t.Errorf("got %d bytes, want the %d stored", len(got["model.joblib"]), len(content))
			}
		})
	}
}

func TestPermanentFailuresAreNotRetried(t *testing.T) {
	s := serveGCS(t, map[string]string{"b/model/model.joblib": "one"})
	s.fault = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	_, err := try(t, "", "gs://b/model", t.TempDir())
	if n := s.matching(); err == nil || n != 1 {
		t.Errorf("%d requests and error %v, want one and an error", n, err)
	}
}

func TestSilentServerIsGivenUp(t *testing.T) {
	s := serveGCS(t, map[string]string{"b/model/model.joblib": "one"})
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	s.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("alt") != "media" {
			return false
		}
		if r.Header.Get("Range") == "" {
			w.Header().Set("Content-Length", "3")
			fmt.Fprint(w, "o")
			w.(http.Flusher).Flush()
		}
		<-end
		return true
	}
	var log eventually.Buffer
	f := &fetcher{log: &log, backoff: backoff{attempts: 2, base: time.Millisecond, stall: 50 * time.Millisecond}}
	_, err := f.run(context.Background(), Config{Models: []Model{{"gs://b/model", t.TempDir()}}, Log: &log})
	want := "gs://b/model/model.joblib: the storage service does not answer in time"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s\nlog:\n%s", err, want, log.String())
	}
}

func TestCorruptedContentIsRefused(t *testing.T) {
	s := serveGCS(t, map[string]string{"b/model/model.joblib": "one"})
	s.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("alt") != "media" {
			return false
		}
		fmt.Fprint(w, "oon")
		return true
	}
	dest := t.TempDir()
	_, err := try(t, t.TempDir(), "gs://b/model", dest)
	if err == nil || !strings.HasPrefix(err.Error(), "gs://b/model/model.joblib: checksum mismatch: ") {
		t.Errorf("got %v, want a checksum mismatch", err)
	}
	wantEmpty(t, dest)
}

func TestDiskErrorsNameThePlace(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		syscall.ENOSPC: "gs://b/m: the disk is full: no space is left to write /models/x",
		syscall.EDQUOT: "gs://b/m: the disk is full: no space is left to write /models/x",
		syscall.EROFS:  "gs://b/m: cannot write /models/x: the file system is read-only",
		syscall.EACCES: "gs://b/m: access denied: this user may not use /models/x",
	} {
		for _, err := range []error{
			&os.PathError{Op: "write", Path: "/models/x", Err: errno},
			&os.PathError{Op: "write", Path: "/models/x/.serin-fetch-1/model/y", Err: errno},
			&os.LinkError{Op: "link", Old: "/cache/y", New: "/models/x", Err: errno},
		} {
			if got := explain("gs://b/m", err).Error(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
	}
}
