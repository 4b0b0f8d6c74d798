// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"path"
	"path/filepath"
	"strings"
)

// A source is one place a model is stored.
type source interface {
	// String is the source as shown to the user, without secrets.
	String() string
	// list returns the files of the model, without their content.
	list(ctx context.Context) ([]object, error)
}

// An object is one stored file.
type object struct {
	name    string // where it goes below the target, with slashes; always local
	label   string // where it comes from, for messages
	id      string // where it comes from, unique over all sources; may hold secrets
	version string // changes whenever the content does; empty when the source has none
	size    int64  // -1 when unknown
	crc32c  uint32 // 0 when unknown
	sum     digest // of its content; empty until that is known
	archive archive

	// open reads the content of exactly this version from offset on, which is 0 unless the object is
	// resumable.
	open      func(ctx context.Context, offset int64) (io.ReadCloser, error)
	resumable bool
}

// maxObjects bounds one model. A longer listing is most likely a whole bucket named by mistake.
const maxObjects = 100_000

const supported = "use gs://bucket/path, s3://bucket/path, https://host/file, http://host/file, file:///path or an absolute path"

// parse returns the source that a storage URI names.
func parse(uri string) (source, error) {
	if strings.HasPrefix(uri, "/") {
		return fileSource{uri: uri, path: filepath.Clean(uri)}, nil
	}
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return nil, permanent(quoted(uri), "not a storage URI: "+supported)
	}
	switch strings.ToLower(scheme) {
	case "file":
		p := strings.TrimPrefix(rest, "localhost")
		if !strings.HasPrefix(p, "/") {
			return nil, permanent(uri, "a file URI needs an absolute path, as in file:///path")
		}
		return fileSource{uri: uri, path: filepath.Clean(p)}, nil
	case "gs", "s3":
		bucket, key, _ := strings.Cut(rest, "/")
		if bucket == "" || strings.ContainsAny(bucket, " ?#@:%") {
			return nil, permanent(quoted(uri), "no valid bucket name in the URI: "+supported)
		}
		return bucketSource{store: stores[strings.ToLower(scheme)], bucket: bucket, key: strings.TrimLeft(key, "/")}, nil
	case "http", "https":
		u, err := url.Parse(uri)
		if err != nil || u.Hostname() == "" {
			return nil, permanent(quoted(scheme+"://..."), "not a valid URL: "+supported)
		}
		return httpSource{url: u}, nil
	default:
		return nil, permanent(quoted(uri), fmt.Sprintf("the scheme %q is not supported: %s", scheme, supported))
	}
}

// quoted keeps control characters of a bad URI out of the log.
func quoted(s string) string { return fmt.Sprintf("%q", s) }

// below returns the path of key relative to the folder prefix, which ends in a slash or is empty. It
// returns false for a key that cannot be a file in it.
func below(prefix, key string) (string, bool) {
	rel, ok := strings.CutPrefix(key, prefix)
	if !ok || rel == "" || rel == "." || strings.Contains(rel, "\x00") || path.Clean(rel) != rel || !fits(rel) || !filepath.IsLocal(filepath.FromSlash(rel)) {
		return "", false
	}
	return rel, true
}
