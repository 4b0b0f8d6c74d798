// SPDX-License-Identifier: Apache-2.0

package storage

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
	"strconv"
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

const (
	// A packed archive may grow this much: real models hardly shrink, bombs do a thousandfold.
	maxGrowth = 100
	freeBytes = 64 << 20 // allowed for every archive, at any ratio

	maxElements = 100  // folders of a name
	maxName     = 4096 // bytes of a name: Linux takes no more
	maxElement  = 255  // and of a folder in it
	// maxNames bounds the cost of all names: each is kept in memory, and each of its
	// folders costs system calls every time it occurs.
	maxNames    = 64 << 20
	elementCost = 64
	maxFolders  = 10_000
	maxIndex    = 16 << 20 // bytes of the index of a zip file, which is read whole
	maxHops     = 40       // links that Linux follows for one name
)

// unpack writes the content of the archive from into the folder dir, and returns what that is. It
// returns an error if that is more than most bytes. A panic of a reader becomes an error of one
// sentence about the archive.
func unpack(ctx context.Context, from string, kind archive, dir string, most int64) (files []content, err error) {
	defer func() {
		if bug := recover(); bug != nil {
			err = bad("it makes Serin's reader fail, which is a bug: please report it and attach the archive (%v)", bug)
		}
	}()
	return unpackAll(ctx, from, kind, dir, most)
}

// unpackAll is unpack without the recovery, for tests that look for panics.
func unpackAll(ctx context.Context, from string, kind archive, dir string, most int64) ([]content, error) {
	f, err := os.Open(from)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	u := &unpacker{ctx: ctx, root: root, most: most, made: map[string]made{".": {kind: fs.ModeDir}}, ends: map[string]string{}}
	u.left = freeBytes + maxGrowth*info.Size()
	u.stream = u.left
	switch kind {
	case zipArchive:
		err = u.zip(f, info.Size())
	case tgzArchive:
		err = u.tgz(bufio.NewReader(u.untilDone(f)))
	default:
		err = u.tar(bufio.NewReader(u.untilDone(f)))
	}
	if err != nil {
		return nil, err
	}
	if err := u.check(); err != nil {
		return nil, err
	}
	return u.contents(), nil
}

var errArchive = errors.New("bad archive")

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errArchive}, args...)...)
}

// short keeps a name from an archive fit for a status.
func short(name string) string {
	const most = 100
	if len(name) > most {
		name = name[:most] + "..."
	}
	return strconv.Quote(name)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// untilDone returns a reader that fails once the context has ended.
func (u *unpacker) untilDone(r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if err := u.ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

func (u *unpacker) tgz(r *bufio.Reader) error {
	z, err := gzip.NewReader(r)
	switch {
	case u.ctx.Err() != nil:
		return u.ctx.Err()
	case err != nil:
		return bad("not a gzip file: %v", err)
	}
	// The stream is bounded too, since headers, padding and skipped entries are not files.
	return u.tar(u.untilDone(readerFunc(func(p []byte) (int, error) {
		n, err := z.Read(p)
		if u.stream -= int64(n); u.stream < 0 {
			return 0, errGrows
		}
		return n, err
	})))
}

var errGrows = bad("it grows more than %d-fold when unpacked", maxGrowth)

func (u *unpacker) tar(r io.Reader) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return u.broken(err)
		}
		if err := u.tarEntry(h, t); err != nil {
			return err
		}
	}
}

// broken explains why reading an archive failed.
func (u *unpacker) broken(err error) error {
	switch {
	case u.ctx.Err() != nil:
		return u.ctx.Err()
	case errors.Is(err, errArchive):
		return err
	}
	return bad("%v", err)
}

func (u *unpacker) tarEntry(h *tar.Header, t *tar.Reader) error {
	name, err := u.name(h.Name, h.Linkname)
	if err != nil || name == "." {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return u.folder(name)
	case tar.TypeReg, tar.TypeGNUSparse:
		return u.file(name, t, h.FileInfo().Mode())
	case tar.TypeSymlink:
		return u.link(name, h.Linkname)
	case tar.TypeLink:
		return u.hardLink(name, h.Linkname)
	case tar.TypeXGlobalHeader:
		return nil
	}
	return bad("%s is neither a file, a folder nor a link", short(h.Name))
}

func (u *unpacker) zip(f *os.File, size int64) error {
	index := int64(0)
	open := false
	// The reader of zip files keeps the whole index, which may be most of the file.
	z, err := zip.NewReader(readerAtFunc(func(p []byte, at int64) (int, error) {
		if index += int64(len(p)); !open && index > maxIndex {
			return 0, bad("its index is larger than %d bytes", maxIndex)
		}
		if err := u.ctx.Err(); err != nil {
			return 0, err
		}
		return f.ReadAt(p, at)
	}), size)
	open = true
	if err != nil {
		return u.broken(err)
	}
	for _, entry := range z.File {
		if err := u.zipEntry(entry); err != nil {
			return err
		}
	}
	return nil
}

type readerAtFunc func([]byte, int64) (int, error)

func (f readerAtFunc) ReadAt(p []byte, at int64) (int, error) { return f(p, at) }

func (u *unpacker) zipEntry(entry *zip.File) error {
	name, err := u.name(entry.Name, "")
	if err != nil || name == "." {
		return err
	}
	mode := entry.Mode()
	if mode.IsDir() {
		return u.folder(name)
	}
	r, err := entry.Open()
	if err != nil {
		return u.broken(err)
	}
	defer func() { _ = r.Close() }()
	switch {
	case mode.IsRegular():
		return u.file(name, r, mode)
	case mode&fs.ModeSymlink != 0:
		to, err := io.ReadAll(io.LimitReader(r, maxName+1))
		if err != nil {
			return u.broken(err)
		}
		return u.link(name, string(to))
	}
	return bad("%s is neither a file, a folder nor a link", short(entry.Name))
}

// archiveError turns any error but one of the disk into one about the archive.
func archiveError(o object, err error) error {
	var e *Error
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(explain("", err), &e) && e.Cause != nil:
		return err
	case errors.Is(err, errArchive), errors.As(err, new(tooLarge)):
		return permanent(o.label, err.Error())
	}
	return &Error{Subject: o.label, Reason: fmt.Sprintf("%v: %v", errArchive, err), Cause: err}
}
