// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A cache keeps downloads for other runs. Its folder holds
//
//	blobs/{sha256 of content}    the content, read-only
//	index/{sha256 of object}     which blob a version of a stored object is; touched by every use
//	models/{sha256 of digest}    which blobs a model of some scope consists of; written again by every use
//	locks/{sha256 of object}     held while that object is downloaded, so that others wait instead of downloading too
//	tmp/                         downloads under way
//	lock                         shared by running fetches, exclusive while one of them cleans up; its time is that of the last pruning
//
// A blob gets its name when it is complete, and what names it is written afterwards, so a crash
// leaves nothing wrong. Targets are hard links to blobs: a program that writes to its model writes
// to the cache. Such a blob is recognised by its size or its modification time, which is blobTime
// for an intact one.
type cache struct {
	dir   string
	scope string // see Config.Scope
	lock  *os.File
}

const (
	unused     = 30 * 24 * time.Hour // after which an entry that was not used is removed
	pruneEvery = 24 * time.Hour      // between two prunings, each of which reads the whole index
)

var blobTime = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// A digest is a hexadecimal SHA-256.
type digest string

type entry struct {
	Object  string `json:"object"`
	Version string `json:"version"`
	Digest  digest `json:"sha256"`
	Size    int64  `json:"size"`
}

// openCache prepares the folder. It cleans up if no other fetch is running.
func openCache(ctx context.Context, dir string) (*cache, error) {
	for _, sub := range []string{"blobs", "index", "models", "locks", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	c := &cache{dir: dir, lock: f}
	alone, err := tryLock(f, syscall.LOCK_EX)
	if alone && err == nil {
		err = c.clean(time.Now())
	}
	if err == nil {
		err = lock(ctx, f, syscall.LOCK_SH)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

func (c *cache) close() { _ = c.lock.Close() }

// get returns the blob that holds o, and whether it was there already. On a miss, fill writes the
// content to the path it is given.
func (c *cache) get(ctx context.Context, o object, fill func(path string) (digest, error)) (digest, bool, error) {
	if o.sum != "" {
		return o.sum, true, nil
	}
	if o.version == "" { // so no later run can know that it is still the same
		sum, err := c.add("", o, fill)
		return sum, false, err
	}
	key := cacheKey(o)
	if sum, ok := c.find(key, o); ok {
		return sum, true, nil
	}
	f, err := os.OpenFile(filepath.Join(c.dir, "locks", key), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", false, err
	}
	defer func() { _ = f.Close() }()
	if err := lock(ctx, f, syscall.LOCK_EX); err != nil {
		return "", false, err
	}
	if sum, ok := c.find(key, o); ok { // another run has downloaded it
		return sum, true, nil
	}
	sum, err := c.add(key, o, fill)
	return sum, false, err
}

// find looks o up and marks it as used.
func (c *cache) find(key string, o object) (digest, bool) {
	path := filepath.Join(c.dir, "index", key)
	e, err := readEntry(path)
	if err != nil || o.size >= 0 && e.Size != o.size || !c.intact(e.Digest, e.Size) {
		return "", false
	}
	now := time.Now()
	if os.Chtimes(path, now, now) != nil {
		return "", false
	}
	return e.Digest, true
}

// add makes a blob of o, and an index entry if it has a key.
func (c *cache) add(key string, o object, fill func(path string) (digest, error)) (digest, error) {
	dir, err := os.MkdirTemp(filepath.Join(c.dir, "tmp"), "")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	tmp := filepath.Join(dir, "blob")
	sum, err := fill(tmp)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(tmp)
	if err != nil {
		return "", err
	}
	if !c.intact(sum, info.Size()) { // otherwise another object has the same content, and targets link to it already
		if err := os.Chtimes(tmp, blobTime, blobTime); err != nil {
			return "", err
		}
		if err := os.Rename(tmp, c.blob(sum)); err != nil {
			return "", err
		}
	}
	if key == "" {
		return sum, nil
	}
	e := entry{Object: o.label, Version: o.version, Digest: sum, Size: info.Size()}
	return sum, writeEntry(filepath.Join(dir, "entry"), filepath.Join(c.dir, "index", key), e)
}

func (c *cache) blob(d digest) string { return filepath.Join(c.dir, "blobs", string(d)) }

// intact is a cheap check; the content was verified when it was downloaded.
func (c *cache) intact(sum digest, size int64) bool {
	info, err := os.Lstat(c.blob(sum))
	return err == nil && info.Mode().IsRegular() && info.Size() == size && info.ModTime().Equal(blobTime)
}

// clean removes the files of killed runs and, once per pruneEvery, what was not used. It needs the
// exclusive lock, which keeps other fetches away from the cache.
func (c *cache) clean(now time.Time) error {
	for _, sub := range []string{"tmp", "locks"} {
		if err := removeIf(filepath.Join(c.dir, sub), func(os.DirEntry) bool { return true }); err != nil {
			return err
		}
	}
	info, err := c.lock.Stat()
	if err != nil || now.Sub(info.ModTime()) < pruneEvery {
		return err
	}
	if err := c.prune(now); err != nil {
		return err
	}
	return os.Chtimes(c.lock.Name(), now, now)
}

// prune removes entries and lists of models that were not used for a while, and blobs that none of
// the others names.
func (c *cache) prune(now time.Time) error {
	used := map[digest]bool{}
	use := func(sub string, read func(path string) ([]digest, error)) error {
		return removeIf(filepath.Join(c.dir, sub), func(d os.DirEntry) bool {
			info, err := d.Info()
			if err != nil || now.Sub(info.ModTime()) > unused {
				return true
			}
			sums, err := read(filepath.Join(c.dir, sub, d.Name()))
			for _, sum := range sums {
				used[sum] = true
			}
			return err != nil
		})
	}
	err := use("index", func(path string) ([]digest, error) {
		e, err := readEntry(path)
		return []digest{e.Digest}, err
	})
	if err != nil {
		return err
	}
	if err := use("models", readSums); err != nil {
		return err
	}
	return removeIf(filepath.Join(c.dir, "blobs"), func(d os.DirEntry) bool { return !used[digest(d.Name())] })
}

func removeIf(dir string, unwanted func(os.DirEntry) bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !unwanted(e) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// cacheKey names one version of one stored object.
func cacheKey(o object) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d", o.id, o.version, o.size))
	return hex.EncodeToString(sum[:])
}

func readEntry(path string) (entry, error) {
	var e entry
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if err == nil && !e.Digest.valid() {
		err = errors.New("not a digest")
	}
	return e, err
}

func writeEntry(tmp, path string, e entry) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
