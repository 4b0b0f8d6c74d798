// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/serin-dev/serin/internal/testkit/eventually"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

// tryFor fetches source into dest, if it has the digest, and returns the digest that it has.
func tryFor(t *testing.T, cacheDir, source, dest, digest string) (string, error) {
	t.Helper()
	cfg := Config{CacheDir: cacheDir, Models: []Model{{Source: source, Dest: dest}}, Want: Want{Digest: digest, Revision: "iris-predictor-00001", Service: "iris"}}
	var log eventually.Buffer
	got, err := (&fetcher{log: &log, backoff: quick}).run(context.Background(), cfg)
	if err != nil {
		return "", err
	}
	return got[0], nil
}

// mustDigest returns the digest of what lies at source.
func mustDigest(t *testing.T, cacheDir, source string) string {
	t.Helper()
	digest, err := tryFor(t, cacheDir, source, t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if !ValidDigest(digest) {
		t.Fatalf("%s has the digest %q", source, digest)
	}
	return digest
}

// wantModel checks that a fetch for a digest delivers these files.
func wantModel(t *testing.T, cacheDir, source, digest string, want map[string]string) {
	t.Helper()
	dest := t.TempDir()
	got, err := tryFor(t, cacheDir, source, dest, digest)
	if err != nil || got != digest {
		t.Errorf("%s: digest %s (%v), want %s", source, got, err, digest)
	}
	if diff := cmp.Diff(want, tree(t, dest)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", source, diff)
	}
}

// wantOther checks that a fetch for a digest ends with the sentence of another model, and leaves the
// target as it is.
func wantOther(t *testing.T, cacheDir, source, digest, now string) {
	t.Helper()
	dest := t.TempDir()
	writeTree(t, dest, map[string]string{"before": "x"})
	want := "the model at " + source + " is not the one that revision iris-predictor-00001 was made of: it has digest " + now +
		" now, and had " + digest + "; `serin rollout refresh iris` makes a new revision of it"
	for range 2 { // the second time, a note says so
		_, err := tryFor(t, cacheDir, source, dest, digest)
		if err == nil || err.Error() != want || !errors.Is(err, ErrOtherModel) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		files := tree(t, dest)
		delete(files, note)
		if diff := cmp.Diff(map[string]string{"before": "x"}, files); diff != "" {
			t.Errorf("the target (-want +got):\n%s", diff)
		}
	}
}

func TestRefusedModelIsNotFetchedAgain(t *testing.T) {
	content, version := "one", `"1"`
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", version)
		_, _ = io.WriteString(w, content)
	}))
	uri, dest := s.URL+"/m", t.TempDir()
	digest := mustDigest(t, "", uri)
	for _, c := range []struct {
		content, version string
		requests         int    // the first lists
		want             string // in the error
	}{
		{"two", `"2"`, 2, "is not the one"},
		{"two", `"2"`, 1, "is not the one"},
		{"six", `"3"`, 2, "is not the one"},
		{"ten", "", 2, "is not the one"},
		{"ten", "", 2, "is not the one"},
		{"one", `"5"`, 2, ""},
	} {
		s.matching()
		content, version = c.content, c.version
		_, err := tryFor(t, "", uri, dest, digest)
		if n := s.matching(); n != c.requests || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d requests for %s with version %s, want %d: %v", n, c.content, c.version, c.requests, err)
		}
	}
	if diff := cmp.Diff(map[string]string{"m": "one"}, tree(t, dest)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// stored writes files as a folder and as archives, and returns where.
func stored(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	writeTree(t, filepath.Join(dir, "folder"), files)
	packed := tarred(t, files)
	writeTree(t, dir, map[string]string{"m.tar": packed, "m.tgz": gzipped(t, packed), "m.zip": zipped(t, files)})
	return map[string]string{
		"a folder": filepath.Join(dir, "folder"), "a tar": filepath.Join(dir, "m.tar"), "a tgz": filepath.Join(dir, "m.tgz"), "a zip": filepath.Join(dir, "m.zip"),
	}
}

func TestDigestIsThatOfTheContentAlone(t *testing.T) {
	files := map[string]string{"model.joblib": "one", "sub/config.json": "{}", "sub/empty": "", "ümlaut \"x": "odd"}
	objects := map[string]string{}
	for name, content := range files {
		objects["b/models/iris/"+name] = content
	}
	serveGCS(t, objects)
	sources := stored(t, files)
	sources["a bucket"] = "gs://b/models/iris"
	packed := zipped(t, files)
	web := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, packed) })) // no version
	sources["a web server"] = web.URL + "/any.zip"
	shared := t.TempDir()
	want := mustDigest(t, "", sources["a folder"])
	for name, source := range sources {
		for _, cacheDir := range []string{"", "", t.TempDir(), shared, shared} {
			if got := mustDigest(t, cacheDir, source); got != want {
				t.Errorf("%s with the cache %q: digest %s, want %s", name, cacheDir, got, want)
			}
		}
	}
}

func TestLinksAndRightsInArchivesCount(t *testing.T) {
	file := member{name: "a/x", content: "x", kind: tar.TypeReg}
	seen := map[string]string{}
	digest := func(name string, members ...member) string {
		dir := t.TempDir()
		writeTree(t, dir, map[string]string{"m.tar": tarOf(t, members...)})
		got := mustDigest(t, "", filepath.Join(dir, "m.tar"))
		if before, ok := seen[got]; ok {
			t.Errorf("%s and %s have the same digest", name, before)
		}
		seen[got] = name
		return got
	}
	digest("one file", file)
	linked := digest("two names of one file", file, member{name: "b", link: "a/x", kind: tar.TypeSymlink})
	digest("a link to a folder", file, member{name: "b", link: "a", kind: tar.TypeSymlink})
	digest("a link to the root", file, member{name: "b", link: ".", kind: tar.TypeSymlink})
	digest("a file named as that link", file, member{name: "b", content: "a", kind: tar.TypeReg})
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"a/x": "x", "b": "x"})
	if got := mustDigest(t, "", dir); got != linked {
		t.Errorf("two equal files have the digest %s, and a file with a link to it %s", got, linked)
	}
	if executable, plain := (content{name: "x", run: true}), (content{name: "x"}); modelDigest([]content{executable}) == modelDigest([]content{plain}) {
		t.Error("the right to execute a file is not in the digest")
	}
}

func TestWantedModelComesFromTheCache(t *testing.T) {
	noCredentials(t)
	files := map[string]string{"model.joblib": "one", "sub/x": "two"}
	for kind, source := range stored(t, files) {
		t.Run(kind, func(t *testing.T) {
			cacheDir := t.TempDir()
			digest := mustDigest(t, cacheDir, source)
			wantModel(t, cacheDir, source, digest, files)
			wantModel(t, cacheDir, filepath.Join(t.TempDir(), "gone"), digest, files)
			for other, changed := range stored(t, map[string]string{"model.joblib": "two"}) {
				now := mustDigest(t, "", changed)
				wantModel(t, cacheDir, changed, digest, files)
				wantOther(t, "", changed, digest, now)
				wantOther(t, t.TempDir(), changed, digest, now)
				if t.Failed() {
					t.Fatalf("after %s", other)
				}
			}
			// Without a cache, the content may be anywhere.
			wantModel(t, "", source, digest, files)
		})
	}
}

func TestWantedModelOfAServerWithoutVersionsComesFromTheCache(t *testing.T) {
	noCredentials(t)
	content := "one"
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, content) }))
	cacheDir := t.TempDir()
	digest := mustDigest(t, cacheDir, s.URL+"/model")
	content = "two"
	s.matching()
	wantModel(t, cacheDir, s.URL+"/model", digest, map[string]string{"model": "one"})
	if n := s.matching(); n != 0 {
		t.Errorf("%d requests for a model that the cache holds", n)
	}
	if mustDigest(t, cacheDir, s.URL+"/model") == digest {
		t.Error("without a digest, the old content was delivered")
	}
}

// What a program did to its model through the hard link must not reach another Pod.
func TestDamagedModelIsNotDelivered(t *testing.T) {
	noCredentials(t)
	files := map[string]string{"model.joblib": "one"}
	for kind, source := range stored(t, files) {
		for name, damage := range map[string]func(path string) error{
			"rewritten": func(path string) error { return os.WriteFile(path, []byte("two"), 0o600) },
			"removed":   os.Remove,
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				cacheDir := t.TempDir()
				digest := mustDigest(t, cacheDir, source)
				for _, path := range blobs(t, cacheDir) {
					if err := errors.Join(os.Chmod(path, 0o600), damage(path)); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := tryFor(t, cacheDir, "/no/such/model", t.TempDir(), digest); err == nil || !strings.Contains(err.Error(), "no such model") {
					t.Errorf("from a source that is gone: %v", err)
				}
				other := stored(t, map[string]string{"model.joblib": "two"})[kind]
				wantOther(t, cacheDir, other, digest, mustDigest(t, "", other))
				wantModel(t, cacheDir, source, digest, files)
				wantModel(t, cacheDir, "/no/such/model", digest, files)
			})
		}
	}
}

// A list in the cache is only a hint: what it leads to must have the digest.
func TestListOfAnotherModelIsNotBelieved(t *testing.T) {
	noCredentials(t)
	one, two := stored(t, map[string]string{"m": "one"}), stored(t, map[string]string{"m": "two"})
	for kind := range one {
		cacheDir := t.TempDir()
		digest, other := mustDigest(t, cacheDir, one[kind]), mustDigest(t, cacheDir, two[kind])
		c := &cache{dir: cacheDir}
		if err := os.Rename(c.model(other), c.model(digest)); err != nil {
			t.Fatal(err)
		}
		wantOther(t, cacheDir, two[kind], digest, other)
		wantModel(t, cacheDir, one[kind], digest, map[string]string{"m": "one"})
	}
}

// strangeList makes a list of up to four files out of what the cache holds and what it does not.
func strangeList(d *hostile.Choices, sums []digest) string {
	list := hostile.Pick(d, listHeads[:]) + "\n"
	for range 1 + d.Byte()%4 {
		list += fmt.Sprintf("%s %d %q\n", hostile.Pick(d, sums), hostile.Pick(d, []int{3, 3, 3, 0, 4}), hostile.Pick(d, []string{"a", "b", "b/c", "m", "m.tar", "../m", "m/m"}))
	}
	if b := []byte(list); d.Byte()%4 == 0 {
		b[d.Below(len(b))] ^= d.Byte()
		return string(b)
	}
	return list
}

func TestStrangeListsInTheCacheDeliverNoOtherModel(t *testing.T) {
	noCredentials(t)
	dir, cacheDir := t.TempDir(), t.TempDir()
	files := map[string]string{"a": "one", "b": "two"}
	writeTree(t, dir, files)
	c := &cache{dir: cacheDir}
	sums := []digest{sumOf("one"), sumOf("two"), sumOf("one"), sumOf("two"), sumOf("six")}
	digest := mustDigest(t, cacheDir, dir)
	hostile.ForASecond(t, func(t *testing.T, decisions []byte) bool {
		t.Helper()
		list := strangeList(hostile.NewChoices(decisions), sums)
		if err := os.WriteFile(c.model(digest), []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := readList(strings.NewReader(list))
		wantModel(t, cacheDir, dir, digest, files)
		if t.Failed() {
			t.Fatalf("with the list\n%s", list)
		}
		return err == nil
	})
}

func TestManyFetchesOfOneDigest(t *testing.T) {
	noCredentials(t)
	files := map[string]string{"model.joblib": "one", "x": "two", "y/z": "two"}
	for kind, source := range stored(t, files) {
		cacheDir, dest := t.TempDir(), t.TempDir()
		digest := mustDigest(t, "", source)
		var g errgroup.Group
		for i := range 16 {
			to := dest // half of them even share the folder
			if i%2 == 0 {
				to = t.TempDir()
			}
			g.Go(func() error {
				got, err := tryFor(t, cacheDir, source, to, digest)
				if err == nil && got != digest {
					err = errors.New("digest " + got)
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if diff := cmp.Diff(files, tree(t, dest)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

// A digest is no secret. It must not open what only another namespace may fetch.
func TestModelOfAnotherScopeIsNotDeliveredByItsDigest(t *testing.T) {
	noCredentials(t)
	dir, cacheDir := t.TempDir(), t.TempDir()
	writeTree(t, dir, map[string]string{"model.joblib": "private"})
	run := func(scope, source, digest string) (string, error) {
		cfg := Config{CacheDir: cacheDir, Scope: scope, Models: []Model{{source, t.TempDir()}}, Want: Want{Digest: digest}}
		got, err := (&fetcher{log: io.Discard, backoff: quick}).run(t.Context(), cfg)
		return strings.Join(got, ""), err
	}
	digest, err := run("a", dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := run("a", "/no/such/model", digest); err != nil || got != digest {
		t.Errorf("within the scope: %s, %v", got, err)
	}
	for _, scope := range []string{"b", "", `a"`} {
		if _, err := run(scope, "/no/such/model", digest); err == nil {
			t.Errorf("scope %q got it without asking the source", scope)
		}
	}
	if got, err := run("b", dir, digest); err != nil || got != digest {
		t.Errorf("from the source: %s, %v", got, err)
	}
	if got, err := run("b", "/no/such/model", digest); err != nil || got != digest {
		t.Errorf("after it was fetched from the source: %s, %v", got, err)
	}
}
