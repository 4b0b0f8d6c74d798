// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// member is one entry of a tar file in a test.
type member struct {
	name, content, link string
	kind                byte
}

func tarOf(tb testing.TB, members ...member) string {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Linkname: m.link, Typeflag: m.kind, Size: int64(len(m.content)), Mode: 0o644}
		if err := w.WriteHeader(h); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write([]byte(m.content)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func tarred(tb testing.TB, files map[string]string) string {
	tb.Helper()
	var members []member
	for name, content := range files {
		members = append(members, member{name: name, content: content, kind: tar.TypeReg})
	}
	return tarOf(tb, members...)
}

func gzipped(tb testing.TB, content string) string {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(content)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// unpacked writes the archive to a file and unpacks it into a folder of its own.
func unpacked(tb testing.TB, kind archive, content string) (string, error) {
	tb.Helper()
	dir := tb.TempDir()
	from, to := filepath.Join(dir, "archive"), filepath.Join(dir, "model")
	if err := os.WriteFile(from, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Mkdir(to, 0o755); err != nil {
		tb.Fatal(err)
	}
	_, err := unpackAll(context.Background(), from, kind, to, math.MaxInt64)
	if err != nil {
		err = archiveError(object{label: "/m.tar"}, err)
	}
	return to, err
}

func TestUnpackGoodArchives(t *testing.T) {
	for _, c := range []struct {
		name    string
		members []member
		want    map[string]string
	}{
		{
			"folders, files and the root itself",
			[]member{{name: "./", kind: tar.TypeDir}, {name: "a/", kind: tar.TypeDir}, {name: "./a/x", content: "x", kind: tar.TypeReg}},
			map[string]string{"a/x": "x"},
		},
		{
			"links within",
			[]member{
				{name: "v1/x", content: "x", kind: tar.TypeReg},
				{name: "latest", link: "v1", kind: tar.TypeSymlink},
				{name: "v1/up", link: "../v1/x", kind: tar.TypeSymlink},
				{name: "hard", link: "./v1/x", kind: tar.TypeLink},
			},
			map[string]string{"v1/x": "x", "v1/up": "x", "hard": "x", "latest/x": "x", "latest/up": "x"},
		},
		{
			"a name that comes twice is the later one",
			[]member{{name: "x", content: "1", kind: tar.TypeReg}, {name: "x", content: "2", kind: tar.TypeReg}},
			map[string]string{"x": "2"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, err := unpacked(t, tarArchive, tarOf(t, c.members...))
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range c.want {
				if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
					t.Errorf("%s: %q, %v; want %q", name, got, err, want)
				}
			}
		})
	}
}

func TestUnpackHostileArchives(t *testing.T) {
	reg := func(name string) member { return member{name: name, content: "evil", kind: tar.TypeReg} }
	sym := func(name, to string) member { return member{name: name, link: to, kind: tar.TypeSymlink} }
	for _, c := range []struct {
		name, want string
		kind       archive
		content    string
	}{
		{"a file above", `"../x" lies outside the model's folder`, tarArchive, tarOf(t, reg("../x"))},
		{"a file above, in disguise", `"a/../../x" lies outside the model's folder`, tarArchive, tarOf(t, reg("a/../../x"))},
		{"an absolute file", `"/etc/x" lies outside the model's folder`, tarArchive, tarOf(t, reg("/etc/x"))},
		{"a zip slip", `"../../x" lies outside the model's folder`, zipArchive, zipped(t, map[string]string{"../../x": "evil"})},
		{"a link above", `the link "l" leads outside the model's folder or nowhere`, tarArchive, tarOf(t, reg("a"), sym("l", "../archive"))},
		{"an absolute link", `the link "l" leads outside the model's folder or nowhere`, tarArchive, tarOf(t, reg("a"), sym("l", "/etc/passwd"))},
		{"a link to nothing", `the link "l" leads outside the model's folder or nowhere`, tarArchive, tarOf(t, reg("a"), sym("l", "b"))},
		{"links that climb together", `the link "l" leads outside the model's folder or nowhere`, tarArchive, tarOf(t, member{name: "a/b", kind: tar.TypeDir}, sym("a/b/up", "../.."), sym("l", "a/b/up/../archive"), reg("x"))},
		{"a file through a link above", `"l" is a file or a link, but others lie below it`, tarArchive, tarOf(t, sym("l", ".."), reg("l/x"))},
		{"a hard link above", `the hard link "x" leads to no file before it`, tarArchive, tarOf(t, member{name: "x", link: "../archive", kind: tar.TypeLink})},
		{"a device", `"null" is neither a file, a folder nor a link`, tarArchive, tarOf(t, member{name: "null", kind: tar.TypeChar})},
		{"a file where a folder is", `"a" is both a file and a folder`, tarArchive, tarOf(t, reg("a/b"), reg("a"))},
		{"a bomb", "it grows more than 100-fold when unpacked", tgzArchive, bomb(t)},
		{"nothing", "it holds no file", tarArchive, tarOf(t)},
		{"half an archive", "unexpected EOF", tarArchive, tarOf(t, reg("x"))[:514]},
		{"half a gzip", "unexpected EOF", tgzArchive, gzipped(t, tarOf(t, reg("x")))[:60]},
		{"no gzip", "not a gzip file", tgzArchive, "hello"},
		{"no zip", "not a valid zip file", zipArchive, "hello"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, err := unpacked(t, c.kind, c.content)
			if err == nil || !strings.HasPrefix(err.Error(), "/m.tar: bad archive: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant a bad archive with: %s", err, c.want)
			}
			wantNothingBeside(t, dir)
		})
	}
}

// bomb unpacks a thousandfold.
func bomb(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "x", Size: 1 << 30, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 200 {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// wantNothingBeside checks that only the folder itself was written to.
func wantNothingBeside(tb testing.TB, dir string) {
	tb.Helper()
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil {
		tb.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff([]string{"archive", "model"}, got); diff != "" {
		tb.Errorf("beside the model's folder (-want +got):\n%s", diff)
	}
}

// Whatever the bytes: no file outside, and every link of an accepted archive stays inside.
func FuzzUnpack(f *testing.F) {
	good := tarOf(f, member{name: "a/x", content: "x", kind: tar.TypeReg}, member{name: "l", link: "a/x", kind: tar.TypeSymlink})
	f.Add(int(tarArchive), []byte(good))
	f.Add(int(tgzArchive), []byte(gzipped(f, good)))
	f.Add(int(tarArchive), []byte(tarOf(f, member{name: "l", link: "..", kind: tar.TypeSymlink}, member{name: "l/x", kind: tar.TypeReg})))
	f.Add(int(zipArchive), []byte(zipped(f, map[string]string{"a/x": "x", "../x": "y"})))
	f.Add(int(zipArchive), []byte("PK\x05\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, kind int, content []byte) {
		stays(t, archive(kind%4), string(content))
	})
}
