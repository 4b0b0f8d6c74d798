// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
)

func TestAmbiguousPathsAreRefused(t *testing.T) {
	for target, ok := range map[string]bool{
		"/":                               true,
		"/v1/models/iris:predict":         true,
		"/v1/models/a.b/versions/1.0":     true,
		"/.well-known/x":                  true,
		"/...":                            true,
		"/a/..b/c..":                      true,
		"//v1//models":                    true,
		"/a%2Fb%20c":                      true,
		"/a?b=../..&c=%zz#d":              true,
		"/a/%252e%252e/b":                 true, // decoded once it is a name
		"/..":                             false,
		"/.":                              false,
		"/a/../b":                         false,
		"/a/./b":                          false,
		"/serving/a/b/../../c/d/v1":       false,
		"/a/%2e%2e/b":                     false,
		"/a/.%2E/b":                       false,
		"/a%2f..%2fb":                     false,
		"/a/..\\b":                        false,
		"/a%5c..%5cb":                     false,
		"/a/..;x=1/b":                     false,
		"/a/%2e%2e%3bx/b":                 false,
		"/a/..?b":                         false,
		"/a%00":                           false,
		"/a%zz":                           false,
		"/a%2":                            false,
		"/a%":                             false,
		"/a#b":                            false,
		"/v1/models/iris:predict/%2E%2E/": false,
	} {
		if got := checkPath([]byte(target)) == nil; got != ok {
			t.Errorf("%s passes: %v, want %v", target, got, ok)
		}
	}
}

// A path that passes leads to itself, whoever cleans it.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/a/b", "/a/%2e%2e/b", "/..", "/a//b/", "/a/..;/b", "/%2f..", "/a\\..\\b", "/a?/../"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		if !strings.HasPrefix(target, "/") || checkPath([]byte(target)) != nil {
			return
		}
		raw, _, _ := strings.Cut(target, "?")
		decoded, err := url.PathUnescape(raw)
		if err != nil {
			t.Fatalf("%q passes, and is not escaped well: %v", target, err)
		}
		for _, p := range []string{raw, decoded, strings.ReplaceAll(decoded, `\`, "/")} {
			segments := slices.DeleteFunc(strings.Split(p, "/"), func(s string) bool { return s == "" })
			if want := "/" + strings.Join(segments, "/"); path.Clean(p) != want {
				t.Fatalf("%q passes, and is %q when cleaned", target, path.Clean(p))
			}
		}
	})
}
