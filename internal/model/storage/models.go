// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// storedModel is a source: the model of a digest, as far as the cache holds it.
// Its files are those of the list in models/, whatever lies at any URI by now.
// The list is not trusted: stage computes the digest of what it gets from it.
type storedModel struct {
	cache  *cache
	digest string
	uri    string // from which it was to come, for messages
}

func (s storedModel) String() string { return s.uri }

func (s storedModel) list(context.Context) ([]object, error) {
	kind, files, err := readListFile(s.cache.model(s.digest))
	if err != nil {
		return nil, &Error{Subject: s.uri, Reason: err.Error(), Cause: err}
	}
	var objects []object
	for _, f := range files {
		if !s.cache.intact(f.sum, f.size) {
			return nil, permanent(s.uri, "the cache does not hold "+short(f.name)+" any more, or not as it was")
		}
		objects = append(objects, object{name: f.name, label: s.uri, size: f.size, sum: f.sum, archive: kind})
	}
	return objects, nil
}

// packed returns the kind of the archive that a model consists of.
func packed(objects []object) archive {
	if len(objects) == 1 {
		return objects[0].archive
	}
	return noArchive
}

// contents returns what a server finds of objects that are not unpacked.
func contents(objects []object) []content {
	files := make([]content, len(objects))
	for i, o := range objects {
		files[i] = content{name: o.name, size: o.size, sum: o.sum}
	}
	return files
}

func (c *cache) model(digest string) string {
	return filepath.Join(c.dir, "models", strings.TrimPrefix(digest, digestPrefix))
}

// keep notes which blobs a model is made of, for later runs that must get the
// same.
func (c *cache) keep(digest string, objects []object) error {
	f, err := os.CreateTemp(filepath.Join(c.dir, "tmp"), "")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	err = writeList(f, packed(objects), contents(objects))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), c.model(digest))
}

// readSums returns the blobs of the list at path.
func readSums(path string) ([]digest, error) {
	_, files, err := readListFile(path)
	sums := make([]digest, len(files))
	for i, f := range files {
		sums[i] = f.sum
	}
	return sums, err
}

func readListFile(path string) (archive, []content, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = f.Close() }()
	kind, files, err := readList(f)
	if err != nil {
		return 0, nil, fmt.Errorf("read %s: %w", path, err)
	}
	return kind, files, nil
}
