// SPDX-License-Identifier: Apache-2.0

package fetch

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

// scratch begins the names of the folders a model is put together in. They lie inside the target,
// which may be a volume of its own: renaming works within one file system only.
const scratch = ".serin-fetch-"

// A target is a folder being filled. It is locked against other runs until it is closed.
type target struct {
	dir    *os.File
	root   string // the scratch folder
	staged string // the model grows here
}

func openTarget(ctx context.Context, path string) (*target, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	t := &target{dir: dir}
	if err := t.prepare(ctx); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// prepare removes what killed runs left and makes a fresh scratch folder.
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

// commit moves the finished model into the target. What has the same name there steps aside first
// and goes with the scratch folder.
func (t *target) commit() error {
	entries, err := os.ReadDir(t.staged)
	if err != nil {
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

// close removes the scratch folder and lets others in. What it cannot remove, the next run will.
func (t *target) close() {
	if t.root != "" {
		_ = os.RemoveAll(t.root)
	}
	_ = t.dir.Close()
}

// linkOrCopy makes the file at from appear at to as well, sharing its blocks where the file system can.
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
