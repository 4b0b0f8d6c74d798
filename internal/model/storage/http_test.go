// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// web serves files with entity tags and ranges, as web servers do.
func web(files map[string]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Etag", fmt.Sprintf(`"%x"`, len(content)))
		http.ServeContent(w, r, r.URL.Path, time.Time{}, bytes.NewReader([]byte(content)))
	})
}

func TestFilesAndArchivesAreFetchedOverHTTP(t *testing.T) {
	noCredentials(t)
	packed := map[string]string{"model.joblib": "one", "meta/x.json": "{}"}
	s := serve(t, web(map[string]string{
		"/models/model.joblib": "one",
		"/models/m.zip":        zipped(t, packed),
		"/models/m.tar":        tarred(t, packed),
		"/models/m.tgz":        gzipped(t, tarred(t, packed)),
		"/models/m.tar.gz":     gzipped(t, tarred(t, packed)),
		"/models/empty.joblib": "",
	}))
	cacheDir := t.TempDir()
	for path, want := range map[string]map[string]string{
		"/models/model.joblib":            {"model.joblib": "one"},
		"/models/model.joblib?token=x#no": {"model.joblib": "one"},
		"/models/m.zip":                   packed,
		"/models/m.tar":                   packed,
		"/models/m.tgz":                   packed,
		"/models/m.tar.gz":                packed,
		"/models/empty.joblib":            {"empty.joblib": ""},
	} {
		if diff := cmp.Diff(want, mustFetch(t, cacheDir, s.URL+path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	s.matching()
	mustFetch(t, cacheDir, s.URL+"/models/m.tgz")
	if n := s.matching(); n != 1 {
		t.Errorf("%d requests with a full cache, want one", n)
	}
	for path, content := range tree(t, cacheDir) {
		if strings.Contains(content, "token=x") {
			t.Errorf("the cache keeps a secret in %s", path)
		}
	}
}

func TestBrokenHTTPConnectionIsResumed(t *testing.T) {
	noCredentials(t)
	content := strings.Repeat("0123456789abcdef", 1000)
	for name, etag := range map[string]string{"is resumed with an entity tag": `"v1"`, "begins anew without": ""} {
		t.Run(name, func(t *testing.T) {
			cuts := 0
			s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Etag", etag)
				if etag == "" {
					w.Header().Del("Etag")
				}
				if r.Header.Get("Range") == "" && cuts == 0 {
					cuts++
					w.Header().Set("Content-Length", fmt.Sprint(len(content)))
					fmt.Fprint(w, content[:5000])
					panic(http.ErrAbortHandler)
				}
				http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
			}))
			if got := mustFetch(t, "", s.URL+"/model.bin")["model.bin"]; got != content || cuts != 1 {
				t.Errorf("got %d bytes after %d cuts, want %d after 1", len(got), cuts, len(content))
			}
		})
	}
}

func TestFileNamesComeFromHTTPHeadersOrTheURL(t *testing.T) {
	noCredentials(t)
	for _, c := range []struct {
		name, path string
		header     map[string]string
		body       string
		want       map[string]string
	}{
		{"the server's name for it", "/download/7", map[string]string{"Content-Disposition": `attachment; filename="model.pkl"`}, "x", map[string]string{"model.pkl": "x"}},
		{"a server's name that leaves the folder", "/download/7", map[string]string{"Content-Disposition": `attachment; filename="../../model.pkl"`}, "x", map[string]string{"model.pkl": "x"}},
		{"no name", "/", nil, "x", map[string]string{"model": "x"}},
		{"a type instead of an extension", "/download", map[string]string{"Content-Type": "application/zip"}, zipped(t, map[string]string{"a": "b"}), map[string]string{"a": "b"}},
		{"an extension beats the type", "/m.gz", map[string]string{"Content-Type": "application/gzip"}, "x", map[string]string{"m.gz": "x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/octet-stream")
				for name, value := range c.header {
					w.Header().Set(name, value)
				}
				fmt.Fprint(w, c.body)
			}))
			if diff := cmp.Diff(c.want, mustFetch(t, t.TempDir(), s.URL+c.path)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHTTPFailuresAreOneLine(t *testing.T) {
	noCredentials(t)
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/login":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, "<h1>Who are you?</h1>")
		case "/circle":
			http.Redirect(w, r, "/circle", http.StatusFound)
		case "/denied":
			w.WriteHeader(http.StatusUnauthorized)
		case "/busy":
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			http.NotFound(w, r)
		}
	}))
	for path, want := range map[string]string{
		"/login":     "the server answers with a web page, not with a model file",
		"/circle":    "the server redirects in circles",
		"/denied":    "access denied: Unauthorized",
		"/busy":      "the storage service answered 429 Too Many Requests",
		"/gone?sig=": "no such model: " + s.host() + " has nothing at this address (404)",
	} {
		_, err := try(t, "", s.URL+path, t.TempDir())
		before, _, _ := strings.Cut(path, "?")
		if want := s.URL + before + ": " + want; err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestHTTPHeadersStayWithTheirHost(t *testing.T) {
	noCredentials(t)
	t.Setenv("127.0.0.1-headers", `{"X-Api-Key":"secret"}`)
	got := map[string]string{}
	other := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got["other"] = r.Header.Get("X-Api-Key")
		w.Header().Set("Content-Type", "application/octet-stream")
		fmt.Fprint(w, "x")
	}))
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got["first"] = r.Header.Get("X-Api-Key")
		http.Redirect(w, r, other.URL, http.StatusFound)
	}))
	mustFetch(t, "", s.URL+"/m")
	if diff := cmp.Diff(map[string]string{"first": "secret", "other": ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
