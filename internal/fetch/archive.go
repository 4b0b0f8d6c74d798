// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// archive is a kind of packed folder.
type archive int

const (
	noArchive archive = iota
	tarArchive
	tgzArchive
	zipArchive
)

// archiveMedia are the kinds web servers name for files without an extension.
var archiveMedia = map[string]archive{
	"application/zip": zipArchive, "application/x-zip-compressed": zipArchive,
	"application/x-tar": tarArchive, "application/x-gtar": tarArchive,
	"application/gzip": tgzArchive, "application/x-gzip": tgzArchive,
}

func archiveOf(name string) archive {
	name = strings.ToLower(name)
	switch {
	case strings.HasSuffix(name, ".tar"):
		return tarArchive
	case strings.HasSuffix(name, ".tgz"), strings.HasSuffix(name, ".tar.gz"):
		return tgzArchive
	case strings.HasSuffix(name, ".zip"):
		return zipArchive
	}
	return noArchive
}

// A packed archive may grow this much: real models hardly shrink, bombs do a thousandfold.
const (
	maxGrowth = 100
	freeBytes = 64 << 20 // for everyone, whatever the ratio
)

// An unpacker writes entries below root, and nowhere else: os.Root refuses every path that leaves
// it, through .. or through links made earlier.
type unpacker struct {
	ctx   context.Context
	root  *os.Root
	left  int64 // bytes that may still be written
	files int
}

// unpack writes what the archive at from holds into the folder dir.
func unpack(ctx context.Context, from string, kind archive, dir string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	u := &unpacker{ctx: ctx, root: root, left: freeBytes + maxGrowth*info.Size()}
	switch kind {
	case zipArchive:
		err = u.zip(f, info.Size())
	case tgzArchive:
		err = u.tgz(bufio.NewReader(f))
	default:
		err = u.tar(bufio.NewReader(f))
	}
	if err != nil {
		return err
	}
	return u.check()
}

var errArchive = errors.New("bad archive")

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errArchive}, args...)...)
}

func (u *unpacker) tgz(r *bufio.Reader) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return bad("not a gzip file: %v", err)
	}
	return u.tar(z)
}

func (u *unpacker) tar(r io.Reader) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return bad("%v", err)
		}
		if err := u.tarEntry(h, t); err != nil {
			return err
		}
	}
}

func (u *unpacker) tarEntry(h *tar.Header, t *tar.Reader) error {
	name, err := u.name(h.Name)
	if err != nil || name == "." {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return u.root.MkdirAll(name, 0o755)
	case tar.TypeReg, tar.TypeGNUSparse:
		return u.file(name, t, h.FileInfo().Mode())
	case tar.TypeSymlink:
		return u.link(name, func() error { return u.root.Symlink(h.Linkname, name) })
	case tar.TypeLink:
		return u.link(name, func() error { return u.root.Link(path.Clean(h.Linkname), name) })
	case tar.TypeXGlobalHeader:
		return nil
	}
	return bad("%q is neither a file, a folder nor a link", h.Name)
}

func (u *unpacker) zip(f *os.File, size int64) error {
	z, err := zip.NewReader(f, size)
	if err != nil {
		return bad("%v", err)
	}
	for _, entry := range z.File {
		if err := u.zipEntry(entry); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) zipEntry(entry *zip.File) error {
	name, err := u.name(entry.Name)
	if err != nil || name == "." {
		return err
	}
	mode := entry.Mode()
	if mode.IsDir() {
		return u.root.MkdirAll(name, 0o755)
	}
	r, err := entry.Open()
	if err != nil {
		return bad("%q: %v", entry.Name, err)
	}
	defer func() { _ = r.Close() }()
	switch {
	case mode.IsRegular():
		return u.file(name, r, mode)
	case mode&fs.ModeSymlink != 0:
		to, err := io.ReadAll(io.LimitReader(r, 4096))
		if err != nil {
			return bad("%q: %v", entry.Name, err)
		}
		return u.link(name, func() error { return u.root.Symlink(string(to), name) })
	}
	return bad("%q is neither a file, a folder nor a link", entry.Name)
}

// name is the place of an entry below the root, or "." for the root itself.
func (u *unpacker) name(entry string) (string, error) {
	if u.files++; u.files > maxObjects {
		return "", bad("more than %d entries", maxObjects)
	}
	if err := u.ctx.Err(); err != nil {
		return "", err
	}
	name := path.Clean(entry)
	if entry == "" || !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", bad("%q lies outside the model's folder", entry)
	}
	return name, nil
}

func (u *unpacker) file(name string, r io.Reader, mode fs.FileMode) error {
	if err := u.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	// A name that comes twice is a new file: the old one may be a link.
	if err := u.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444|mode.Perm()&0o111)
	if err != nil {
		return err
	}
	err = u.copy(f, r)
	return errors.Join(err, f.Close())
}

// copy tells a failing disk from a failing archive.
func (u *unpacker) copy(f *os.File, r io.Reader) error {
	buf := make([]byte, 256<<10)
	for {
		n, err := r.Read(buf)
		if u.left -= int64(n); u.left < 0 {
			return bad("it grows more than %d-fold when unpacked", maxGrowth)
		}
		if _, err := f.Write(buf[:n]); err != nil {
			return err
		}
		switch {
		case u.ctx.Err() != nil:
			return u.ctx.Err()
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return bad("%v", err)
		}
	}
}

func (u *unpacker) link(name string, make func() error) error {
	if err := u.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if err := u.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return make()
}

// check follows every link: one that leaves the folder, or leads nowhere, spoils the archive.
func (u *unpacker) check() error {
	empty := true
	err := fs.WalkDir(u.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			empty = false
		}
		if d.Type()&fs.ModeSymlink != 0 {
			if _, err := u.root.Stat(name); err != nil {
				return bad("the link %q leads outside the model's folder or nowhere", name)
			}
		}
		return nil
	})
	if err == nil && empty {
		return bad("it holds no file")
	}
	return err
}

// archiveError blames the archive for everything but the disk.
func archiveError(o object, err error) error {
	var e *Error
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(explain("", err), &e) && e.Cause != nil:
		return err
	case errors.Is(err, errArchive):
		return permanent(o.label, err.Error())
	}
	return &Error{Subject: o.label, Reason: fmt.Sprintf("%v: %v", errArchive, err), Cause: err}
}
