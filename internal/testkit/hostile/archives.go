// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"strings"
)

// Archives are archives in which a model may be stored.
func Archives() []File {
	up := strings.Repeat("../", 9)
	circle := make([]tar.Header, 100)
	for i := range circle {
		circle[i] = tar.Header{Name: fmt.Sprint(i), Typeflag: tar.TypeSymlink, Linkname: fmt.Sprint((i + 1) % len(circle))}
	}
	const content = "x"
	return []File{
		{"up.tar", "to write above the model's folder: `../../etc/cron.d/x`", tarOf(tar.Header{Name: up + "etc/cron.d/x"})},
		{"up.zip", "the same in a zip", zipOf(map[string]fs.FileMode{up + "etc/cron.d/x": 0o644}, content)},
		{"absolute.tar", "to write to `/etc/cron.d/x`", tarOf(tar.Header{Name: "/etc/cron.d/x"})},
		{"link-out.tar", "to have the server read a file of the node as the model: a link to `/etc/shadow`", tarOf(tar.Header{Name: "model.joblib", Typeflag: tar.TypeSymlink, Linkname: "/etc/shadow"})},
		{"link-out.zip", "the same in a zip", zipOf(map[string]fs.FileMode{"model.joblib": fs.ModeSymlink | 0o777}, "/etc/shadow")},
		{"link-folder.tar", "to write through a link: `a` leads to `/etc`, then comes `a/x`", tarOf(tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/etc"}, tar.Header{Name: "a/x"})},
		{"hard-link.tar", "to make a second name of a file of the node", tarOf(tar.Header{Name: "model.joblib", Typeflag: tar.TypeLink, Linkname: up + "etc/shadow"})},
		{"circle.tar", "to keep the reader busy forever: a hundred links in a circle", tarOf(circle...)},
		{"device.tar", "to make a device", tarOf(tar.Header{Name: "mem", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 1})},
		{"fifo.tar", "to make a named pipe, which blocks its reader", tarOf(tar.Header{Name: "model.joblib", Typeflag: tar.TypeFifo})},
		{"deep.tar", "to make folders 500 deep", tarOf(tar.Header{Name: strings.Repeat("d/", 500) + "x"})},
		{"zeros.tgz", "to fill the disk: 80 MB of zeros in 80 KB", gzipped(tarOf(tar.Header{Name: "model.joblib", Size: 80 << 20}))},
		{"zeros.zip", "the same in a zip", zipOf(map[string]fs.FileMode{"model.joblib": 0o644}, strings.Repeat("\x00", 80<<20))},
	}
}

// tarOf is a tar of entries. Files have zeros.
func tarOf(entries ...tar.Header) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range entries {
		h := &entries[i]
		h.Mode = 0o644
		if err := w.WriteHeader(h); err != nil {
			panic(err) // a buffer takes all
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			panic(err)
		}
	}
	return closed(&b, w)
}

// zipOf is a zip of entries with this content.
func zipOf(entries map[string]fs.FileMode, content string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, mode := range entries {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(mode)
		entry, err := w.CreateHeader(h)
		if err != nil {
			panic(err)
		}
		if _, err := entry.Write([]byte(content)); err != nil {
			panic(err)
		}
	}
	return closed(&b, w)
}
