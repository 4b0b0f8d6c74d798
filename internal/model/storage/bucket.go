// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"

	"gocloud.dev/blob"
)

// A store is a kind of object storage.
type store struct {
	scheme string
	dial   func(ctx context.Context, name string) (*connection, error)
	// describe adds the version, the checksum and the content encoding, which differ by store.
	describe func(*blob.ListObject, *object)
	// pin makes a read fail unless the object is still that version.
	pin func(as func(any) bool, version string) error
}

// A connection is an open bucket.
type connection struct {
	bucket   *blob.Bucket
	endpoint string // of a service other than the public one
	identity string // of the client, for messages
}

var stores = map[string]*store{"gs": gcs, "s3": s3store}

type bucketSource struct {
	store       *store
	bucket, key string
}

func (s bucketSource) String() string { return s.uri(s.key) }

func (s bucketSource) uri(key string) string {
	return strings.TrimSuffix(s.store.scheme+"://"+s.bucket+"/"+key, "/")
}

// list lists the key as a folder, and as one object if there is no such folder.
func (s bucketSource) list(ctx context.Context) ([]object, error) {
	c, err := s.store.dial(ctx, s.bucket)
	if err != nil {
		return nil, err
	}
	objects, err := s.folder(ctx, c)
	if err == nil && len(objects) == 0 {
		objects, err = s.lone(ctx, c)
	}
	if err != nil {
		return nil, s.denied(c, err)
	}
	if len(objects) == 0 {
		return nil, permanent(s.String(), "no such model: nothing is stored under this path")
	}
	return objects, nil
}

// folder lists the objects below the key. The key is a whole path element: model does not match
// model-2.
func (s bucketSource) folder(ctx context.Context, c *connection) ([]object, error) {
	prefix := s.key
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	var objects []object
	names := 0
	for it := c.bucket.List(&blob.ListOptions{Prefix: prefix}); ; {
		stored, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(stored.Key, "/") {
			continue // a placeholder that consoles write to show an empty folder
		}
		name, ok := below(prefix, stored.Key)
		if !ok {
			return nil, permanent(s.uri(stored.Key), "this name cannot be a file below the model's folder")
		}
		if names += nameCost(name); names > maxNames {
			return nil, permanent(s.String(), "the names of the objects under this path are too many and too long")
		}
		if objects = append(objects, s.object(c, stored, name)); len(objects) > maxObjects {
			return nil, permanent(s.String(), fmt.Sprintf("more than %d objects are stored under this path: name the folder of one model", maxObjects))
		}
	}
}

// lone finds the one object with exactly this key. It lists, as folder does, so that both get the
// version in the same way. The exact name sorts first.
func (s bucketSource) lone(ctx context.Context, c *connection) ([]object, error) {
	if s.key == "" || strings.HasSuffix(s.key, "/") {
		return nil, nil
	}
	page, _, err := c.bucket.ListPage(ctx, blob.FirstPageToken, 1, &blob.ListOptions{Prefix: s.key})
	if err != nil || len(page) == 0 || page[0].Key != s.key {
		return nil, err
	}
	name, ok := below("", path.Base(s.key))
	if !ok {
		return nil, nil
	}
	return []object{s.object(c, page[0], name)}, nil
}

func (s bucketSource) object(c *connection, stored *blob.ListObject, name string) object {
	o := object{
		name:      name,
		label:     s.uri(stored.Key),
		id:        s.uri(stored.Key) + " at " + c.endpoint,
		size:      stored.Size,
		archive:   archiveOf(name),
		resumable: true,
	}
	s.store.describe(stored, &o)
	o.open = func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		return c.bucket.NewRangeReader(ctx, stored.Key, offset, -1, &blob.ReaderOptions{
			BeforeRead: func(as func(any) bool) error { return s.store.pin(as, o.version) },
		})
	}
	return o
}

// A Secret did not help: neither with its credentials nor with its endpoint.
const (
	unread     = "Secrets of KServe's storage are not read yet"
	noEndpoint = " (AWS_ENDPOINT_URL is not set, and " + unread + ")"
)

// denied adds the identity of the client, and distinguishes a missing bucket from a missing object.
func (s bucketSource) denied(c *connection, err error) error {
	code, detail := status(err)
	switch code {
	case http.StatusNotFound:
		reason := fmt.Sprintf("no such bucket: %q does not exist", s.bucket)
		if s.store.scheme == "s3" && c.endpoint == "" {
			reason += " at Amazon" + noEndpoint
		}
		return &Error{Subject: s.String(), Reason: reason, Cause: err}
	case http.StatusUnauthorized, http.StatusForbidden:
		return &Error{Subject: s.String(), Reason: fmt.Sprintf("access denied to %s: %s", c.identity, detail), Cause: err}
	}
	return err
}
