// SPDX-License-Identifier: Apache-2.0

package bucket_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/serin-dev/serin/internal/local/bucket"
	"github.com/serin-dev/serin/internal/model/storage"
)

func start(t *testing.T, files fstest.MapFS) string {
	t.Helper()
	url, err := bucket.Start(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(url, "http://"))
	return url
}

func fetchTo(t *testing.T, source string) (string, error) {
	t.Helper()
	dest := t.TempDir()
	_, err := storage.Run(context.Background(), storage.Config{
		Models:   []storage.Model{{Source: source, Dest: dest}},
		CacheDir: t.TempDir(),
		Log:      io.Discard,
	})
	return dest, err
}

func TestFetchFromStore(t *testing.T) {
	files := fstest.MapFS{
		"examples/sklearn/1.0/model/model.joblib":   {Data: []byte("one")},
		"examples/sklearn/1.0/model-2/model.joblib": {Data: []byte("two")},
		"examples/odd/a b#c?d%20":                   {Data: []byte("odd")},
		"empty":                                     {Mode: os.ModeDir},
	}
	for i := range 1001 { // more than a page
		files[fmt.Sprintf("examples/many/%04d", i)] = &fstest.MapFile{Data: []byte{byte(i)}}
	}
	start(t, files)
	for source, want := range map[string]map[string]string{
		"gs://examples/sklearn/1.0/model":              {"model.joblib": "one"},
		"gs://examples/sklearn/1.0/model-2":            {"model.joblib": "two"},
		"gs://examples/sklearn/1.0/model/model.joblib": {"model.joblib": "one"},
		"gs://examples/odd/a b#c?d%20":                 {"a b#c?d%20": "odd"},
		"gs://examples/many":                           {"0000": "\x00", "1000": "\xe8"},
	} {
		dest, err := fetchTo(t, source)
		if err != nil {
			t.Error(err)
			continue
		}
		for name, content := range want {
			if got, err := os.ReadFile(filepath.Join(dest, name)); err != nil || string(got) != content {
				t.Errorf("%s: %s is %q, %v; want %q", source, name, got, err, content)
			}
		}
	}
	for source, want := range map[string]string{
		"gs://examples/sklearn/1.0/mod": "gs://examples/sklearn/1.0/mod: no such model: nothing is stored under this path",
		"gs://empty":                    "gs://empty: no such model: nothing is stored under this path",
		"gs://nobody/x":                 `gs://nobody/x: no such bucket: "nobody" does not exist`,
	} {
		if _, err := fetchTo(t, source); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestOnlyReadsOfObjectsAreAnswered(t *testing.T) {
	url := start(t, fstest.MapFS{"b/x": {Data: []byte("x")}})
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{http.MethodPost, "/storage/v1/b/b/o", http.StatusNotImplemented},
		{http.MethodPut, "/b/x", http.StatusNotImplemented},
		{http.MethodGet, "/storage/v1/b/b/o?delimiter=/", http.StatusNotImplemented},
		{http.MethodGet, "/storage/v1/b/b/o/y", http.StatusNotFound},
		{http.MethodGet, "/storage/v1/b/b/o/x?alt=media&generation=1", http.StatusNotFound},
		{http.MethodGet, "/storage/v1/b/b/o/x", http.StatusOK},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, url+c.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, resp.StatusCode, c.want)
		}
	}
}

func TestFileWithoutBucketIsAnError(t *testing.T) {
	_, err := bucket.Start(t.Context(), fstest.MapFS{"x": {Data: []byte("x")}})
	if want := "read the objects to serve: x is in no bucket"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url, err := bucket.Start(ctx, fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for { // until the test's own deadline
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return
		}
		resp.Body.Close()
	}
}
