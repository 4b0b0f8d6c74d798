// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// scratch is the prefix of the folders in which a model is assembled. They are inside the target,
// because renaming works within one file system only, and the target may be a volume.
const scratch = ".serin-fetch-"

// A target is a folder being filled. It is locked against other runs until it is closed.
type target struct {
	dir    *os.File
	root   string // the scratch folder
	staged string // the folder of the unfinished model
	whole  bool   // see Config.Whole
}

func openTarget(ctx context.Context, path string, whole bool) (*target, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	t := &target{dir: dir, whole: whole}
	if err := t.prepare(ctx); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// prepare removes the scratch folders of killed runs and makes a new one.
func (t *target) prepare(ctx context.Context) error {
	if err := lock(ctx, t.dir, syscall.LOCK_EX); err != nil {
		return err
	}
	left := func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), scratch) }
	err := removeIf(t.dir.Name(), left)
	if err != nil {
		return err
	}
	if t.root, err = os.MkdirTemp(t.dir.Name(), scratch); err != nil {
		return err
	}
	t.staged = filepath.Join(t.root, "model")
	return os.Mkdir(t.staged, 0o755)
}

// empty begins the unfinished model anew.
func (t *target) empty() error {
	for _, path := range []string{t.staged, filepath.Join(t.root, "archive")} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return os.Mkdir(t.staged, 0o755)
}

// commit moves the finished model into the target. Files of the same names are moved into the
// scratch folder first, and removed with it. For a whole model, all other files are removed. A run
// that is killed here leaves a mixture, but its container fails, and the next run does it all again.
func (t *target) commit() error {
	entries, err := os.ReadDir(t.staged)
	if err != nil {
		return err
	}
	keep := map[string]bool{filepath.Base(t.root): true}
	for _, e := range entries {
		keep[e.Name()] = true
	}
	unwanted := func(e os.DirEntry) bool { return e.Name() == note || t.whole && !keep[e.Name()] }
	if err := removeIf(t.dir.Name(), unwanted); err != nil {
		return err
	}
	old := filepath.Join(t.root, "old")
	if err := os.Mkdir(old, 0o755); err != nil {
		return err
	}
	for _, e := range entries {
		to := filepath.Join(t.dir.Name(), e.Name())
		if err := os.Rename(to, filepath.Join(old, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Rename(filepath.Join(t.staged, e.Name()), to); err != nil {
			return err
		}
	}
	return nil
}

// close removes the scratch folder and releases the lock. What it cannot remove, the next run will.
func (t *target) close() {
	if t.root != "" {
		_ = os.RemoveAll(t.root)
	}
	_ = t.dir.Close()
}

// linkOrCopy makes a hard link, or else a copy, of the file from at to. The copy shares blocks if the
// file system supports that.
func linkOrCopy(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
