// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRewriteFindsWholePathsOnly(t *testing.T) {
	m := mounts{
		{container: "/mnt/models", host: "/data/v1"},
		{container: "/mnt/models/extra", host: "/data/v2"},
		{container: "/mnt/cache", host: "/data/v3"},
		{container: "/", host: "/data/root"},
	}
	for name, c := range map[string]struct{ in, want string }{
		"the path alone":                     {"/mnt/models", "/data/v1"},
		"a file below it":                    {"/mnt/models/a/b.bin", "/data/v1/a/b.bin"},
		"a trailing slash stays":             {"/mnt/models/", "/data/v1/"},
		"after a flag":                       {"--model_dir=/mnt/models", "--model_dir=/data/v1"},
		"before a comma":                     {"--cache-dir=/mnt/cache,", "--cache-dir=/data/v3,"},
		"a list of paths":                    {"/mnt/cache:/mnt/models/lib", "/data/v3:/data/v1/lib"},
		"inside quotes":                      {`{"dir":"/mnt/models"}`, `{"dir":"/data/v1"}`},
		"the longest mount wins":             {"/mnt/models/extra/x", "/data/v2/x"},
		"a longer name is another path":      {"/mnt/models2/x /mnt/models-old", "/mnt/models2/x /mnt/models-old"},
		"a suffix of a longer path":          {"/old/mnt/models", "/old/mnt/models"},
		"a host's path is not ours":          {"https://example.com/mnt/models", "https://example.com/mnt/models"},
		"a bucket is not a path":             {"gs://mnt/models", "gs://mnt/models"},
		"a file URL is a path":               {"file:///mnt/models/x", "file:///data/v1/x"},
		"a root mount leaves paths alone":    {"/bin/sh -c 'ls /'", "/bin/sh -c 'ls /'"},
		"a result is not rewritten again":    {"/mnt/cache/mnt/models", "/data/v3/mnt/models"},
		"nothing to do":                      {"--verbose", "--verbose"},
		"empty":                              {"", ""},
		"a directory of the same name below": {"/mnt/models/mnt/models", "/data/v1/mnt/models"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, m.rewrite(c.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestResolveMapsOnePath(t *testing.T) {
	m := mounts{{container: "/work", host: "/data/work"}}
	for in, want := range map[string]string{
		"/work/":   "/data/work",
		"/work/a/": "/data/work/a",
		"/workers": "/workers",
		"/tmp":     "/tmp",
	} {
		if got := m.resolve(in); got != want {
			t.Errorf("resolve(%q) = %q, want %q", in, got, want)
		}
	}
}
