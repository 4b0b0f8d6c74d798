// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

func blobs(t *testing.T, cacheDir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(cacheDir, "blobs", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// A model may be written to through its hard link, or the cache may have lost its end in a crash.
func TestDamagedBlobIsFetchedAgain(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"shortened": func(path string) error { return os.WriteFile(path, []byte("on"), 0o600) },
		"rewritten": func(path string) error { return os.WriteFile(path, []byte("two"), 0o600) },
		"removed":   os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			serveGCS(t, map[string]string{"b/model/model.joblib": "one"})
			cacheDir := t.TempDir()
			mustFetch(t, cacheDir, "gs://b/model")
			for _, path := range blobs(t, cacheDir) {
				if err := os.Chmod(path, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := damage(path); err != nil {
					t.Fatal(err)
				}
			}
			want := map[string]string{"model.joblib": "one"}
			if diff := cmp.Diff(want, mustFetch(t, cacheDir, "gs://b/model")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDamagedIndexEntryIsAMiss(t *testing.T) {
	s := serveGCS(t, map[string]string{"b/model/model.joblib": "one"})
	cacheDir := t.TempDir()
	mustFetch(t, cacheDir, "gs://b/model")
	entries, err := filepath.Glob(filepath.Join(cacheDir, "index", "*"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("index %v, %v", entries, err)
	}
	for _, content := range []string{"", "{", `{"sha256":"../../../etc/passwd","size":3}`} {
		if err := os.WriteFile(entries[0], []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s.matching()
		mustFetch(t, cacheDir, "gs://b/model")
		if n := s.matching("alt=media"); n != 1 {
			t.Errorf("%d downloads with the entry %q, want 1", n, content)
		}
	}
}

func TestChangedObjectIsFetchedAgain(t *testing.T) {
	noCredentials(t)
	dir, cacheDir := t.TempDir(), t.TempDir()
	for _, content := range []string{"one", "two"} {
		writeTree(t, dir, map[string]string{"model.joblib": content})
		if err := os.Chtimes(filepath.Join(dir, "model.joblib"), blobTime, blobTime); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"model.joblib": content}
		if diff := cmp.Diff(want, mustFetch(t, cacheDir, dir)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestUnusedCacheEntriesAreRemoved(t *testing.T) {
	serveGCS(t, map[string]string{"b/old/x": "old", "b/new/x": "new"})
	cacheDir := t.TempDir()
	mustFetch(t, cacheDir, "gs://b/old")
	long := time.Now().Add(-unused - time.Hour)
	age(t, long, cacheDir, "index/*", "models/*", "lock")
	writeTree(t, cacheDir, map[string]string{"tmp/killed/blob": "half", "blobs/orphan": "x", "models/torn": "serin mo"})
	mustFetch(t, cacheDir, "gs://b/new")
	for _, sub := range []string{"blobs", "index", "models"} {
		entries, err := os.ReadDir(filepath.Join(cacheDir, sub))
		if err != nil || len(entries) != 1 {
			t.Errorf("%d left in %s (%v), want the one of the new model", len(entries), sub, err)
		}
	}
	wantEmpty(t, filepath.Join(cacheDir, "tmp"))
}

// age sets the time of the files in the cache that match.
func age(t *testing.T, at time.Time, cacheDir string, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(cacheDir, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v, %v", pattern, paths, err)
		}
		for _, path := range paths {
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestModelUsedByItsDigestStays(t *testing.T) {
	noCredentials(t)
	dir, cacheDir := t.TempDir(), t.TempDir()
	files := map[string]string{"a": "one", "b/c": "two"}
	writeTree(t, dir, files)
	digest := mustDigest(t, cacheDir, dir)
	gone := filepath.Join(t.TempDir(), "gone")
	running, err := openCache(t.Context(), cacheDir)
	if err != nil {
		t.Fatal(err)
	}
	age(t, time.Now().Add(-unused-time.Hour), cacheDir, "index/*", "models/*", "lock")
	// The first run does not clean up, because another one runs. It uses the model.
	wantModel(t, cacheDir, gone, digest, files)
	running.close()
	wantModel(t, cacheDir, gone, digest, files)
	if left, err := os.ReadDir(filepath.Join(cacheDir, "index")); err != nil || len(left) != 0 {
		t.Errorf("%d index entries are left (%v): nothing was cleaned up", len(left), err)
	}
}

func TestNoCleaningWhileOthersRun(t *testing.T) {
	cacheDir := t.TempDir()
	running, err := openCache(context.Background(), cacheDir)
	if err != nil {
		t.Fatal(err)
	}
	defer running.close()
	writeTree(t, cacheDir, map[string]string{"tmp/running/blob": "half", "blobs/new": "x"})
	second, err := openCache(context.Background(), cacheDir)
	if err != nil {
		t.Fatal(err)
	}
	defer second.close()
	got := tree(t, cacheDir)
	if got["tmp/running/blob"] != "half" || got["blobs/new"] != "x" {
		t.Errorf("the second run removed what the first one needs: %v", got)
	}
}

func TestOtherFileSystemGetsCopies(t *testing.T) {
	cacheDir, err := os.MkdirTemp("/dev/shm", "serin-fetch-test") //nolint:usetesting // another file system than t.TempDir's
	if err != nil {
		t.Skip("no second file system here")
	}
	t.Cleanup(func() { os.RemoveAll(cacheDir) })
	dir, dest := t.TempDir(), t.TempDir()
	writeTree(t, dir, map[string]string{"model.joblib": "one"})
	if os.Link(filepath.Join(dir, "model.joblib"), filepath.Join(cacheDir, "x")) == nil {
		t.Skip("no second file system here")
	}
	for range 2 {
		if log, err := try(t, cacheDir, dir, dest); err != nil {
			t.Fatalf("%v\nlog:\n%s", err, log)
		}
		if diff := cmp.Diff(map[string]string{"model.joblib": "one"}, tree(t, dest)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestManyFetchesAtOnceDownloadOnce(t *testing.T) {
	s := serveGCS(t, map[string]string{"b/model/model.joblib": "one", "b/model/x": "two", "b/model/y": "two"})
	cacheDir, dest := t.TempDir(), t.TempDir()
	var g errgroup.Group
	for i := range 16 {
		to := dest // half of them even share the folder
		if i%2 == 0 {
			to = t.TempDir()
		}
		g.Go(func() error {
			_, err := try(t, cacheDir, "gs://b/model", to)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := s.matching("alt=media"); n != 3 {
		t.Errorf("%d downloads, want one per object", n)
	}
	want := map[string]string{"model.joblib": "one", "x": "two", "y": "two"}
	if diff := cmp.Diff(want, tree(t, dest)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
