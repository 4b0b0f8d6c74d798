// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
	"pgregory.net/rapid"
)

// A path names the objects one or more path elements below it, or else the object of exactly that name.
func TestPrefixIsAFolder(t *testing.T) {
	element := rapid.StringOfN(rapid.RuneFrom([]rune("ab-.2")), 1, 2, -1).Filter(func(s string) bool { return s != "." && s != ".." })
	key := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(element, 1, 3).Draw(t, "elements"), "/")
	})
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfDistinct(key, rapid.ID).Draw(t, "keys")
		asked := rapid.OneOf(key, rapid.Just("")).Draw(t, "asked")
		want := map[string]string{}
		for _, k := range keys {
			if asked == "" {
				want[k] = k
			} else if rest, ok := strings.CutPrefix(k, asked+"/"); ok {
				want[rest] = k
			}
		}
		if len(want) == 0 && slices.Contains(keys, asked) {
			want[asked[strings.LastIndexByte(asked, '/')+1:]] = asked
		}

		bucket := memblob.OpenBucket(nil)
		defer bucket.Close()
		for _, k := range keys {
			if err := bucket.WriteAll(context.Background(), k, []byte(k), nil); err != nil {
				t.Fatal(err)
			}
		}
		objects, err := bucketSource{store: memory(bucket), bucket: "b", key: asked}.list(context.Background())
		if (err != nil) != (len(want) == 0) {
			t.Fatalf("error %v for %v", err, want)
		}
		got := map[string]string{}
		for _, o := range objects {
			got[o.name] = strings.TrimPrefix(o.label, "mem://b/")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q of %q (-want +got):\n%s", asked, slices.Sorted(maps.Keys(want)), diff)
		}
	})
}

// memory is a store of one bucket.
func memory(b *blob.Bucket) *store {
	return &store{
		scheme:   "mem",
		dial:     func(context.Context, string) (*connection, error) { return &connection{bucket: b}, nil },
		describe: func(*blob.ListObject, *object) {},
	}
}

func TestStorageURIsAreParsed(t *testing.T) {
	for uri, want := range map[string]string{
		"gs://b/a/b":               "gs://b/a/b",
		"gs://b":                   "gs://b",
		"GS://b//a/":               "gs://b/a",
		"s3://b/a?b":               "s3://b/a?b",
		"https://u:p@h:1/a?sig=x":  "https://h:1/a",
		"http://h":                 "http://h",
		"file:///a/../b":           "file:///a/../b",
		"/a/b":                     "/a/b",
		"gs://b/models/1.0/model ": "gs://b/models/1.0/model ",
	} {
		s, err := parse(uri)
		if err != nil {
			t.Errorf("%q: %v", uri, err)
			continue
		}
		if got := s.String(); got != want {
			t.Errorf("%q: got %q, want %q", uri, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, uri := range []string{"gs://b/a", "s3://b", "https://u:p@h/x?y", "file:///x", "/x", "x", "://", "gs://\n/x"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		s, err := parse(uri)
		switch {
		case err != nil && strings.ContainsAny(err.Error(), "\n\r"):
			t.Errorf("the error has several lines: %q", err)
		case err == nil && s.String() == "":
			t.Error("a source without a name")
		}
	})
}

func FuzzBelow(f *testing.F) {
	f.Add("model/", "model/x")
	f.Add("model/", "model/../../x")
	f.Add("", "/etc/passwd")
	f.Fuzz(func(t *testing.T, prefix, key string) {
		rel, ok := below(prefix, key)
		if !ok {
			return
		}
		if prefix+rel != key || rel == "" || rel[0] == '/' || slices.Contains(strings.Split(rel, "/"), "..") {
			t.Errorf("%q below %q is put at %q", key, prefix, rel)
		}
	})
}
