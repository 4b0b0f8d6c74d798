// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// fileSource is a file or folder of this machine.
type fileSource struct{ uri, path string }

func (s fileSource) String() string { return s.uri }

// maxDepth ends the walk in a circle of symbolic links.
const maxDepth = 32

func (s fileSource) list(ctx context.Context) ([]object, error) {
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, permanent(s.uri, "no such model: no such file or folder")
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		o, err := s.object(path.Base(s.path), s.path, info)
		return []object{o}, err
	}
	objects, err := s.folder(ctx, nil, "", 0)
	if err == nil && len(objects) == 0 {
		return nil, permanent(s.uri, "no such model: the folder is empty")
	}
	return objects, err
}

// folder appends the files below rel. It follows symbolic links, which shared folders of models
// often have, and skips names with two leading dots, in which Kubernetes volumes keep copies.
func (s fileSource) folder(ctx context.Context, objects []object, rel string, depth int) ([]object, error) {
	if depth > maxDepth {
		return nil, permanent(s.uri, "the folders nest too deep: "+rel)
	}
	entries, err := os.ReadDir(filepath.Join(s.path, rel))
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..") {
			continue
		}
		name := path.Join(rel, entry.Name())
		full := filepath.Join(s.path, name)
		info, err := os.Stat(full)
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			objects, err = s.folder(ctx, objects, name, depth+1)
		} else {
			var o object
			o, err = s.object(name, full, info)
			objects = append(objects, o)
		}
		switch {
		case err != nil:
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case len(objects) > maxObjects:
			return nil, permanent(s.uri, fmt.Sprintf("more than %d files: name the folder of one model", maxObjects))
		}
	}
	return objects, nil
}

func (s fileSource) object(name, full string, info fs.FileInfo) (object, error) {
	if !info.Mode().IsRegular() {
		return object{}, permanent(s.uri, name+" is not a regular file")
	}
	// ctime, because tools set mtime, some of them to 1970, and no tool can set ctime.
	var st unix.Stat_t
	if err := unix.Stat(full, &st); err != nil {
		return object{}, &fs.PathError{Op: "stat", Path: full, Err: err}
	}
	return object{
		name:    name,
		label:   full,
		id:      "file://" + full,
		version: fmt.Sprintf("inode %d of %d.%09d", st.Ino, st.Ctim.Sec, st.Ctim.Nsec),
		size:    info.Size(),
		archive: archiveOf(name),
		open:    func(context.Context, int64) (io.ReadCloser, error) { return os.Open(full) },
	}, nil
}
