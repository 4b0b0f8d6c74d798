// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

func TestModelsLargerThanMaxSizeAreRefused(t *testing.T) {
	noCredentials(t)
	const most = 1000
	content := strings.Repeat("x", most)
	packed := gzipped(t, tarred(t, map[string]string{"a": content, "b": "x"})) // once: its order is random
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"1"`)
		w.Header().Set("Content-Type", "application/octet-stream")
		switch r.URL.Path {
		case "/silent": // sends no length, and never ends
			for r.Context().Err() == nil {
				if _, err := fmt.Fprint(w, content); err != nil {
					return
				}
			}
		case "/fits":
			fmt.Fprint(w, content)
		case "/large":
			w.Header().Set("Content-Length", "1001")
			fmt.Fprint(w, content, "x")
		case "/m.tgz":
			fmt.Fprint(w, packed)
		}
	}))
	folder := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(folder+"/"+name, []byte(content[:600]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tooLarge := ": the model is larger than 1000 B, the most that may be fetched here: see --max-size of serin-fetch"
	cacheDir := t.TempDir()
	for _, c := range []struct{ source, want string }{
		{s.URL + "/fits", ""},
		{s.URL + "/large", s.URL + "/large" + tooLarge},
		{s.URL + "/silent", s.URL + "/silent" + tooLarge},
		{s.URL + "/m.tgz", s.URL + "/m.tgz" + tooLarge},
		{folder, folder + tooLarge},
		{folder + "/a", ""},
	} {
		for _, cache := range []string{"", cacheDir} {
			dest := t.TempDir()
			var log bytes.Buffer
			_, err := (&fetcher{log: &log, backoff: quick}).run(context.Background(), Config{CacheDir: cache, MaxSize: most, Models: []Model{{c.source, dest}}, Log: &log})
			if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && got != c.want {
				t.Errorf("%s: %v, want %s", c.source, err, c.want)
			}
			if left := tree(t, dest); err != nil && len(left) > 0 {
				t.Errorf("%s left %d files", c.source, len(left))
			}
		}
	}
	// What lies in the cache counts as well.
	var log bytes.Buffer
	_, err := (&fetcher{log: &log, backoff: quick}).run(context.Background(), Config{CacheDir: cacheDir, MaxSize: most - 1, Models: []Model{{s.URL + "/fits", t.TempDir()}}, Log: &log})
	if err == nil || !strings.Contains(err.Error(), "the model is larger than 999 B") {
		t.Errorf("from the cache: %v", err)
	}
}
