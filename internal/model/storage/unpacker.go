// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// An unpacker writes entries below root, and nowhere else: os.Root refuses every path that leaves
// it. It keeps a list of what it made, and makes nothing below a link.
type unpacker struct {
	ctx     context.Context
	root    *os.Root
	most    int64 // bytes that a model may hold
	written int64
	left    int64 // bytes that may still be written
	stream  int64 // bytes that may still come out of the compression
	entries int
	folders int // made, including those that only names of files imply
	names   int
	made    map[string]made
	ends    map[string]string // of links
	buf     []byte
}

// made is the entry of a name: a folder, a file or a link.
type made struct {
	kind fs.FileMode
	to   string // target of a link, as in the archive
	file content
}

// name returns the path of an entry below the root, or "." for the root itself.
func (u *unpacker) name(entry, link string) (string, error) {
	if u.entries++; u.entries > maxObjects {
		return "", bad("more than %d entries", maxObjects)
	}
	if err := u.ctx.Err(); err != nil {
		return "", err
	}
	if err := u.pay(entry); err != nil {
		return "", err
	}
	if err := u.pay(link); err != nil {
		return "", err
	}
	name := path.Clean(entry)
	if entry == "" || strings.Contains(name, "\x00") || !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", bad("%s lies outside the model's folder", short(entry))
	}
	return name, nil
}

// pay charges a name to the bound of all names.
func (u *unpacker) pay(name string) error {
	if !fits(name) {
		return bad("the name %s is longer than %d bytes or %d folders, or a folder in it than %d bytes", short(name), maxName, maxElements, maxElement)
	}
	if u.names += nameCost(name); u.names > maxNames {
		return bad("its names are too many and too long")
	}
	return nil
}

// nameCost is the cost of a name: its length, and a share for each folder.
func nameCost(name string) int { return len(name) + elementCost*(1+strings.Count(name, "/")) }

// fits reports whether a name is within the bounds of file systems and of models.
func fits(name string) bool {
	if len(name) > maxName || strings.Count(strings.Trim(name, "/"), "/") > maxElements {
		return false
	}
	for element := range strings.SplitSeq(name, "/") {
		if len(element) > maxElement {
			return false
		}
	}
	return true
}

// folder makes a folder and those above it.
func (u *unpacker) folder(name string) error {
	switch at, ok := u.made[name]; {
	case ok && at.kind == fs.ModeDir:
		return nil
	case ok:
		return bad("%s is a file or a link, but others lie below it", short(name))
	}
	if err := u.folder(path.Dir(name)); err != nil {
		return err
	}
	if u.folders++; u.folders > maxFolders {
		return bad("more than %d folders", maxFolders)
	}
	u.made[name] = made{kind: fs.ModeDir}
	return u.root.Mkdir(name, 0o755)
}

// place prepares a name for a file or a link. It removes an earlier file or link of that name, so
// that the new content is never written through a link.
func (u *unpacker) place(name string) error {
	if err := u.folder(path.Dir(name)); err != nil {
		return err
	}
	switch at, ok := u.made[name]; {
	case !ok:
		return nil
	case at.kind == fs.ModeDir:
		return bad("%s is both a file and a folder", short(name))
	}
	return u.root.Remove(name)
}

func (u *unpacker) file(name string, r io.Reader, mode fs.FileMode) error {
	if err := u.place(name); err != nil {
		return err
	}
	f, err := u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444|mode.Perm()&0o111)
	if err != nil {
		return err
	}
	before, sum := u.written, sha256.New()
	err = u.copy(f, sum, r)
	u.made[name] = made{file: content{size: u.written - before, sum: digest(hex.EncodeToString(sum.Sum(nil))), run: mode.Perm()&0o111 != 0}}
	return errors.Join(err, f.Close())
}

// copy distinguishes errors of the disk from those of the archive.
func (u *unpacker) copy(f *os.File, sum hash.Hash, r io.Reader) error {
	if u.buf == nil {
		u.buf = make([]byte, 256<<10)
	}
	for {
		n, err := r.Read(u.buf)
		u.written += int64(n)
		switch {
		case u.written > u.left:
			return errGrows
		case u.written > u.most:
			return tooLarge(u.most)
		}
		if _, err := f.Write(u.buf[:n]); err != nil {
			return err
		}
		sum.Write(u.buf[:n])
		switch {
		case u.ctx.Err() != nil:
			return u.ctx.Err()
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return u.broken(err)
		}
	}
}

func (u *unpacker) link(name, to string) error {
	if err := u.place(name); err != nil {
		return err
	}
	if !fits(to) {
		return bad("the link %s leads to a name that is too long", short(name))
	}
	u.made[name] = made{kind: fs.ModeSymlink, to: to}
	return u.root.Symlink(to, name)
}

// hardLink makes another name for an earlier file.
func (u *unpacker) hardLink(name, to string) error {
	to = path.Clean(to)
	at, ok := u.made[to]
	if !ok || at.kind != 0 || to == name {
		return bad("the hard link %s leads to no file before it", short(name))
	}
	if err := u.place(name); err != nil {
		return err
	}
	u.made[name] = made{file: at.file}
	return u.root.Link(to, name)
}

// check returns an error if any link leaves the folder or leads nowhere.
func (u *unpacker) check() error {
	empty := true
	for _, name := range slices.Sorted(maps.Keys(u.made)) {
		if err := u.ctx.Err(); err != nil {
			return err
		}
		if u.made[name].kind != fs.ModeDir {
			empty = false
		}
		if _, ok := u.follow(name, 0); !ok {
			return bad("the link %s leads outside the model's folder or nowhere", short(name))
		}
	}
	if empty {
		return bad("it holds no file")
	}
	return nil
}

// contents returns what a model server finds, once check has followed all links. What lies behind a
// link to a folder is named once, where it is.
func (u *unpacker) contents() []content {
	var files []content
	for name, m := range u.made {
		if m.kind == fs.ModeDir {
			continue
		}
		end := name
		if m.kind == fs.ModeSymlink {
			end = u.ends[name]
		}
		f := content{to: end}
		if at := u.made[end]; at.kind != fs.ModeDir {
			f = at.file
		}
		f.name = name
		files = append(files, f)
	}
	return files
}

// follow returns the path to which Linux would resolve a name. Nothing is below a link, so the folder
// of a name needs no resolving. Results are kept: each link is resolved once.
func (u *unpacker) follow(name string, hops int) (string, bool) {
	link, ok := u.made[name]
	if !ok || link.kind != fs.ModeSymlink {
		return name, ok
	}
	if end, ok := u.ends[name]; ok {
		return end, true
	}
	if hops == maxHops || path.IsAbs(link.to) || link.to == "" {
		return "", false
	}
	at := path.Dir(name)
	for element := range strings.SplitSeq(link.to, "/") {
		if u.made[at].kind != fs.ModeDir {
			return "", false
		}
		switch element {
		case "", ".":
			continue
		case "..":
			if at == "." {
				return "", false
			}
			at = path.Dir(at)
			continue
		}
		if at, ok = u.follow(path.Join(at, element), hops+1); !ok {
			return "", false
		}
	}
	u.ends[name] = at
	return at, true
}
