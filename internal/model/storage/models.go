// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// kept returns the files of the model of a digest, if the cache holds them all. Its list of them is a
// hint: the caller computes the digest of what it gets. The uri is for messages.
func (c *cache) kept(digest, uri string) ([]object, error) {
	kind, files, err := readListFile(c.model(digest))
	if err != nil {
		return nil, err
	}
	var objects []object
	for _, f := range files {
		if !c.intact(f.sum, f.size) {
			return nil, fmt.Errorf("%s was removed or changed", short(f.name))
		}
		objects = append(objects, object{name: f.name, label: uri, size: f.size, sum: f.sum, archive: kind})
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

// model returns the path of the list of a model. A digest is no secret, and the source is not asked for
// its model, so that list is of one scope.
func (c *cache) model(digest string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", c.scope, digest))
	return filepath.Join(c.dir, "models", hex.EncodeToString(sum[:]))
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
