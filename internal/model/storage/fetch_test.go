// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// quick is a backoff for tests: as many attempts, but no patience.
var quick = backoff{attempts: 3, base: time.Millisecond, stall: 5 * time.Second}

// noCredentials hides the developer's own.
func noCredentials(t *testing.T) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{"GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST", "AWS_ENDPOINT_URL", "S3_ENDPOINT"} {
		t.Setenv(name, "")
	}
}

// A service is an HTTP server that notes requests and can be told to misbehave.
type service struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string
	fault    func(w http.ResponseWriter, r *http.Request) bool // true means: answered
}

func serve(t *testing.T, h http.Handler) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
		fault := s.fault
		s.mu.Unlock()
		if fault == nil || !fault(w, r) {
			h.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) host() string { return strings.TrimPrefix(s.URL, "http://") }

// matching counts the requests that contain all words, and forgets all requests.
func (s *service) matching(words ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.requests {
		ok := true
		for _, w := range words {
			ok = ok && strings.Contains(r, w)
		}
		if ok {
			n++
		}
	}
	s.requests = nil
	return n
}

// serveGCS starts an emulator with objects, named bucket/key, and makes it the one in use.
func serveGCS(t *testing.T, objects map[string]string) *service {
	t.Helper()
	noCredentials(t)
	var initial []fakestorage.Object
	for name, content := range objects {
		bucket, key, _ := strings.Cut(name, "/")
		initial = append(initial, fakestorage.Object{
			ObjectAttrs: fakestorage.ObjectAttrs{BucketName: bucket, Name: key},
			Content:     []byte(content),
		})
	}
	gcs, err := fakestorage.NewServerWithOptions(fakestorage.Options{InitialObjects: initial, NoListener: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gcs.Stop)
	s := serve(t, gcs.HTTPHandler())
	t.Setenv("STORAGE_EMULATOR_HOST", s.host())
	return s
}

// try fetches source into dest and returns the log.
func try(t *testing.T, cacheDir, source, dest string) (string, error) {
	t.Helper()
	var log eventually.Buffer
	cfg := Config{CacheDir: cacheDir, Models: []Model{{Source: source, Dest: dest}}, Log: &log}
	_, err := (&fetcher{log: &log, backoff: quick}).run(context.Background(), cfg)
	return log.String(), err
}

// mustFetch returns what the fetch put into a new folder.
func mustFetch(t *testing.T, cacheDir, source string) map[string]string {
	t.Helper()
	dest := filepath.Join(t.TempDir(), "models")
	if log, err := try(t, cacheDir, source, dest); err != nil {
		t.Fatalf("%v\nlog:\n%s", err, log)
	}
	return tree(t, dest)
}

// tree is every file below dir, scratch included, with its content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func writeTree(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func zipped(tb testing.TB, files map[string]string) string {
	tb.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range files {
		w, err := z.Create(name)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func TestBucketLayouts(t *testing.T) {
	serveGCS(t, map[string]string{
		"b/models/model/model.joblib":   "one",
		"b/models/model/meta/info.json": "{}",
		"b/models/model/":               "",
		"b/models/model-2/model.joblib": "two",
		"b/models/lone.pkl":             "lone",
		"b/models/empty/":               "",
		"b/packed/only.zip":             zipped(t, map[string]string{"a/x.txt": "x", "only.zip": "inner"}),
		"b/two/one.zip":                 "not unpacked",
		"b/two/readme":                  "because there are two files",
		"b/zero/__init__.py":            "",
		"b/odd names/a b#c?d%20":        "odd",
	})
	for _, c := range []struct {
		name, source string
		want         map[string]string
	}{
		{"a folder keeps its tree and does not reach its sibling", "gs://b/models/model", map[string]string{"model.joblib": "one", "meta/info.json": "{}"}},
		{"a trailing slash changes nothing", "gs://b/models/model/", map[string]string{"model.joblib": "one", "meta/info.json": "{}"}},
		{"the sibling is its own model", "gs://b/models/model-2", map[string]string{"model.joblib": "two"}},
		{"an object is placed under its own name", "gs://b/models/lone.pkl", map[string]string{"lone.pkl": "lone"}},
		{"a lone archive is unpacked, even over its own name", "gs://b/packed/only.zip", map[string]string{"a/x.txt": "x", "only.zip": "inner"}},
		{"so is the only file of a folder", "gs://b/packed", map[string]string{"a/x.txt": "x", "only.zip": "inner"}},
		{"an archive among others stays packed", "gs://b/two", map[string]string{"one.zip": "not unpacked", "readme": "because there are two files"}},
		{"an empty file is a file", "gs://b/zero", map[string]string{"__init__.py": ""}},
		{"names are taken literally", "gs://b/odd names/a b#c?d%20", map[string]string{"a b#c?d%20": "odd"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, cacheDir := range []string{"", t.TempDir()} {
				if diff := cmp.Diff(c.want, mustFetch(t, cacheDir, c.source)); diff != "" {
					t.Errorf("cache %q (-want +got):\n%s", cacheDir, diff)
				}
			}
		})
	}
}

func TestUnchangedObjectIsNotDownloadedAgain(t *testing.T) {
	s := serveGCS(t, map[string]string{"b/model/model.joblib": "one", "b/model/copy.joblib": "one"})
	cacheDir := t.TempDir()
	want := map[string]string{"model.joblib": "one", "copy.joblib": "one"}
	for range 2 {
		if diff := cmp.Diff(want, mustFetch(t, cacheDir, "gs://b/model")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if n := s.matching("alt=media"); n != 2 {
		t.Errorf("%d downloads, want one per object", n)
	}
	mustFetch(t, cacheDir, "gs://b/model")
	if n := s.matching(); n != 1 {
		t.Errorf("%d requests with a full cache, want one listing", n)
	}
	blobs, err := os.ReadDir(filepath.Join(cacheDir, "blobs"))
	if err != nil || len(blobs) != 1 {
		t.Errorf("%d blobs (%v), want one for two objects of equal content", len(blobs), err)
	}
}

func TestFilesAndFolders(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{"model.joblib": "one", "sub/config.json": "{}"}
	writeTree(t, dir, files)
	if err := os.Symlink("sub", filepath.Join(dir, "linked")); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"model.joblib": "one", "sub/config.json": "{}", "linked/config.json": "{}"}
	for source, want := range map[string]map[string]string{
		dir:                             want,
		"file://" + dir:                 want,
		"file://localhost" + dir:        want,
		dir + "/model.joblib":           {"model.joblib": "one"},
		"file://" + dir + "/sub/../sub": {"config.json": "{}"},
	} {
		for _, cacheDir := range []string{"", t.TempDir()} {
			if diff := cmp.Diff(want, mustFetch(t, cacheDir, source)); diff != "" {
				t.Errorf("%s, cache %q (-want +got):\n%s", source, cacheDir, diff)
			}
		}
	}
}

// Kubernetes may run the init container again in the same volume, after the model was overwritten.
func TestWholeTargetHoldsOneModel(t *testing.T) {
	noCredentials(t)
	left := map[string]string{"model.joblib": "one", "sub/old": "one", "sub/both": "one", scratch + "1/model/x": "killed", note: "refused"}
	model := map[string]string{"model.pkl": "two", "sub/both": "two"}
	byHand := map[string]string{"model.joblib": "one", "model.pkl": "two", "sub/both": "two"}
	dir := t.TempDir()
	writeTree(t, dir, model)
	for whole, want := range map[bool]map[string]string{true: model, false: byHand} {
		dest := t.TempDir()
		writeTree(t, dest, left)
		cfg := Config{Models: []Model{{dir, dest}}, Whole: whole, Log: io.Discard}
		got, err := Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, tree(t, dest)); diff != "" {
			t.Errorf("whole: %t (-want +got):\n%s", whole, diff)
		}
		if found := mustDigest(t, "", dest); whole && found != got[0] {
			t.Errorf("the run reported %s, and the folder has %s", got[0], found)
		}
	}
}

// The note of a refused model has a name that a model's own file may have, too.
func TestModelMayHoldAFileNamedAsTheNote(t *testing.T) {
	noCredentials(t)
	files := map[string]string{"model.joblib": "one", note: "the model's own"}
	dir, dest := t.TempDir(), t.TempDir()
	writeTree(t, dir, files)
	for range 2 {
		if log, err := try(t, "", dir, dest); err != nil {
			t.Fatalf("%v\nlog:\n%s", err, log)
		}
		if diff := cmp.Diff(files, tree(t, dest)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestFetchingAgainReplaces(t *testing.T) {
	dir, dest, cacheDir := t.TempDir(), t.TempDir(), t.TempDir()
	for _, content := range []string{"one", "other"} {
		writeTree(t, dir, map[string]string{"model.joblib": content, "sub/x": content})
		if log, err := try(t, cacheDir, dir, dest); err != nil {
			t.Fatalf("%v\nlog:\n%s", err, log)
		}
		want := map[string]string{"model.joblib": content, "sub/x": content}
		if diff := cmp.Diff(want, tree(t, dest)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
