// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/internal/testkit/golden"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

// tgzOf makes a tar of entries with the given headers, even invalid ones.
func tgzOf(tb testing.TB, entries int, header func(i int) *tar.Header, content []byte) string {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := range entries {
		h := header(i)
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(h); err != nil {
			tb.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(content); err != nil {
				tb.Fatal(err)
			}
		}
	}
	for _, c := range []interface{ Close() error }{w, z} {
		if err := c.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	return b.String()
}

func regular(name string) *tar.Header {
	return &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644}
}

func TestCostlyArchivesAreRefusedWithinBounds(t *testing.T) {
	deep := strings.Repeat("d/", 90)
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, c := range []struct {
		name, want string
		kind       archive
		content    string
	}{
		{"a name 10,000 folders deep", "or 100 folders", tgzArchive, read("deep-10k.tgz")},
		{"a long name", "is longer than 4096 bytes", tgzArchive, tgzOf(t, 1, func(int) *tar.Header { return regular(strings.Repeat("0123456789/", 400) + "x") }, nil)},
		{"a long link", "is longer than 4096 bytes", tgzArchive, tgzOf(t, 1, func(int) *tar.Header {
			return &tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: strings.Repeat("../", 2000)}
		}, nil)},
		{"many deep folders", "more than 10000 folders", tgzArchive, tgzOf(t, 120, func(i int) *tar.Header { return regular(fmt.Sprintf("%d/%sx", i, deep)) }, nil)},
		{"the same deep name again and again", "its names are too many and too long", tgzArchive, tgzOf(t, 60_000, func(int) *tar.Header { return &tar.Header{Name: deep, Typeflag: tar.TypeDir} }, nil)},
		{"the root again and again", "more than 100000 entries", tgzArchive, tgzOf(t, 100_001, func(int) *tar.Header { return &tar.Header{Name: "./", Typeflag: tar.TypeDir} }, nil)},
		{"entries that are skipped", "it grows more than 100-fold when unpacked", tgzArchive, tgzOf(t, 20, func(int) *tar.Header { return regular("./.") }, make([]byte, 4<<20))},
		{"long extended headers", "it grows more than 100-fold when unpacked", tgzArchive, tgzOf(t, 80, func(i int) *tar.Header {
			h := regular(fmt.Sprint(i))
			h.PAXRecords = map[string]string{"VENDOR.x": strings.Repeat("x", 1<<20-100)}
			return h
		}, nil)},
		{"links in a circle", "leads outside the model's folder or nowhere", tgzArchive, tgzOf(t, 1000, func(i int) *tar.Header {
			return &tar.Header{Name: fmt.Sprint(i), Typeflag: tar.TypeSymlink, Linkname: fmt.Sprint((i + 1) % 1000)}
		}, nil)},
		{"a zip with a large index", "its index is larger than 16777216 bytes", zipArchive, largeIndex(t)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var dir string
			var err error
			hostile.Bounded(t, 600<<20, time.Minute, func() { dir, err = unpacked(t, c.kind, c.content) }) // all in all, and more with the race detector
			if err == nil || !strings.HasPrefix(err.Error(), "/m.tar: bad archive: ") || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 400 {
				t.Errorf("got  %v\nwant a bad archive with: %s", err, c.want)
			}
			wantNothingBeside(t, dir)
		})
	}
}

func TestHostileArchivesEndAsTheDocumentationSays(t *testing.T) {
	table := hostile.Table(hostile.Archives(), func(f hostile.File) (happens string) {
		hostile.Bounded(t, 256<<20, time.Minute, func() {
			dir, err := unpacked(t, archiveOf(f.Name), string(f.Data))
			wantNothingBeside(t, dir)
			happens = "unpacked within the folder"
			if err != nil {
				happens = "refused: " + strings.TrimPrefix(err.Error(), "/m.tar: ")
			}
		})
		return happens
	})
	golden.Part(t, "../../../docs/security.md", "### Archives", table)
}

func largeIndex(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	name := strings.Repeat("x", 200)
	for i := range 80_000 {
		if _, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprint(name, i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLinksThroughLinksAreFollowed(t *testing.T) {
	// As Kubernetes lays out a ConfigMap.
	dir, err := unpacked(t, tarArchive, tarOf(
		t,
		member{name: "..2026/model", content: "x", kind: tar.TypeReg},
		member{name: "model", link: "..data/model", kind: tar.TypeSymlink},
		member{name: "..data", link: "..2026", kind: tar.TypeSymlink},
	))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "model")); err != nil || string(got) != "x" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestUnpackingStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	good := tarred(t, map[string]string{"x": "y"})
	for kind, content := range map[archive]string{tarArchive: good, tgzArchive: gzipped(t, good), zipArchive: zipped(t, map[string]string{"x": "y"})} {
		from, to := filepath.Join(t.TempDir(), "archive"), t.TempDir()
		if err := os.WriteFile(from, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := unpack(ctx, from, kind, to, math.MaxInt64); !errors.Is(archiveError(object{}, err), context.Canceled) {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
}

// broken is a context that has a bug.
type broken struct{ context.Context }

func (broken) Err() error { panic("index out of range [7] with length 3") }

func TestPanicBecomesAnErrorOfOneSentence(t *testing.T) {
	from := filepath.Join(t.TempDir(), "archive")
	if err := os.WriteFile(from, []byte(tarred(t, map[string]string{"x": "y"})), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := unpack(broken{t.Context()}, from, tarArchive, t.TempDir(), math.MaxInt64)
	err = archiveError(object{label: "/m.tar"}, err)
	want := "/m.tar: bad archive: it makes Serin's reader fail, which is a bug: please report it and attach the archive (index out of range [7] with length 3)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// strangePath makes a path of up to four elements.
func strangePath(d *hostile.Choices) string {
	elements := []string{hostile.Pick(d, []string{"a", "b", "c"})}
	for range d.Byte() % 4 {
		elements = append(elements, hostile.Pick(d, []string{"a", "b", "c", "d"}))
		if d.Byte()%16 == 0 {
			elements = append(elements, hostile.Pick(d, []string{"..", "..", "..", ".", "", "...", "a\\b", "a\x00b", strings.Repeat("n", 256), strings.Repeat("d/", 99)}))
		}
	}
	name := strings.Join(elements, "/")
	if d.Byte()%16 == 0 {
		name = hostile.Pick(d, []string{"/", "../", "./", ""}) + name
	}
	return name
}

// strangeArchive makes an archive of up to seven entries: their names, kinds,
// links and sizes are decided, its checksums are right.
func strangeArchive(d *hostile.Choices) (archive, string) {
	kind := hostile.Pick(d, []archive{tarArchive, tgzArchive, zipArchive})
	var b bytes.Buffer
	tw, zw := tar.NewWriter(&b), zip.NewWriter(&b)
	for range d.Byte() % 8 {
		name, content := strangePath(d), strings.Repeat("x", int(d.Byte()))
		if kind == zipArchive {
			h := &zip.FileHeader{Name: name, Method: hostile.Pick(d, []uint16{zip.Store, zip.Deflate})}
			h.SetMode(hostile.Pick(d, []fs.FileMode{0o644, 0o755, fs.ModeSymlink | 0o777, fs.ModeDir | 0o755, fs.ModeDevice}))
			if h.Mode()&fs.ModeSymlink != 0 {
				content = strangePath(d)
			}
			if w, err := zw.CreateHeader(h); err == nil {
				_, _ = w.Write([]byte(content))
			}
			continue
		}
		h := &tar.Header{Name: name, Mode: 0o644, Format: hostile.Pick(d, []tar.Format{tar.FormatUnknown, tar.FormatPAX, tar.FormatGNU, tar.FormatUSTAR})}
		h.Typeflag = hostile.Pick(d, []byte{tar.TypeReg, tar.TypeReg, tar.TypeReg, tar.TypeReg, tar.TypeDir, tar.TypeDir, tar.TypeSymlink, tar.TypeSymlink, tar.TypeSymlink, tar.TypeLink, tar.TypeLink, tar.TypeXGlobalHeader, tar.TypeFifo, tar.TypeGNUSparse})
		switch h.Typeflag {
		case tar.TypeReg:
			h.Size = int64(len(content))
		case tar.TypeSymlink, tar.TypeLink:
			h.Linkname = strangePath(d)
		}
		if h.Format == tar.FormatPAX && d.Byte()%4 == 0 {
			h.PAXRecords = map[string]string{hostile.Pick(d, []string{"path", "linkpath", "size", "GNU.sparse.major", "GNU.sparse.realsize", "GNU.sparse.map", "X.y"}): hostile.Pick(d, []string{strangePath(d), "1", "0", "-1", "9223372036854775807", "0,1,2,3"})}
		}
		if tw.WriteHeader(h) == nil {
			_, _ = tw.Write([]byte(content))
			_ = tw.Flush()
		}
	}
	if kind == zipArchive {
		_ = zw.Close()
	} else {
		_ = tw.Close()
	}
	out := b.Bytes()
	for range max(0, int(d.Byte()%16)-13) {
		if len(out) > 0 {
			out[d.Below(len(out))] ^= d.Byte()
		}
	}
	if kind == tgzArchive {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, _ = w.Write(out)
		_ = w.Close()
		out = z.Bytes()
	}
	return kind, string(out)
}

// stays unpacks an archive and reports whether it was taken: then nothing leaves its folder.
func stays(t *testing.T, kind archive, content string) bool {
	t.Helper()
	dir, err := unpacked(t, kind, content)
	wantNothingBeside(t, dir)
	if err != nil {
		return false
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink == 0 {
			return err
		}
		real, err := filepath.EvalSymlinks(path)
		if err == nil && real != dir && !strings.HasPrefix(real, dir+"/") {
			t.Errorf("%s leads to %s", path, real)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return true
}

// FuzzArchives puts archives together from entries that matter.
func FuzzArchives(f *testing.F) {
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, content := strangeArchive(hostile.NewChoices(b))
		stays(t, kind, content)
	})
}

func TestArchivesOfStrangeEntriesStayInTheirFolder(t *testing.T) {
	hostile.ForASecond(t, func(t *testing.T, decisions []byte) (taken bool) {
		t.Helper()
		t.Run("", func(t *testing.T) { // its folders go with it
			kind, content := strangeArchive(hostile.NewChoices(decisions))
			taken = stays(t, kind, content)
		})
		return taken
	})
}
