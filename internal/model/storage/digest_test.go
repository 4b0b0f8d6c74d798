// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/serin-dev/serin/internal/testkit/hostile"
)

func sumOf(text string) digest {
	sum := sha256.Sum256([]byte(text))
	return digest(hex.EncodeToString(sum[:]))
}

// anyFiles draws what a model server may find: names in order, each once.
func anyFiles(t *rapid.T) []content {
	name := rapid.StringMatching(`[a-c/ "\\]{1,6}`).Filter(func(s string) bool { _, ok := below("", s); return ok })
	var files []content
	for _, n := range rapid.SliceOfNDistinct(rapid.OneOf(name, rapid.Just("x\n1 2"), rapid.Just("\xff"), rapid.Just("�"), rapid.Just("é")), 1, 8, rapid.ID).Draw(t, "names") {
		text := rapid.StringMatching(`[ab]{0,2}`).Draw(t, "content")
		f := content{name: n, size: int64(len(text)), sum: sumOf(text), run: rapid.Bool().Draw(t, "executable")}
		if rapid.IntRange(0, 4).Draw(t, "link") == 0 {
			f = content{name: n, to: rapid.StringMatching(`[a-c.]{1,2}`).Draw(t, "to")}
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b content) int { return strings.Compare(a.name, b.name) })
	return files
}

func TestModelsHaveTheSameDigestIfTheyAreTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyFiles(t), anyFiles(t)
		shuffled := slices.Clone(a)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if modelDigest(a) != modelDigest(shuffled) {
			t.Errorf("the order of %v counts", a)
		}
		if same := slices.Equal(a, b); same != (modelDigest(a) == modelDigest(b)) {
			t.Errorf("equal is %v, but the digests say otherwise:\n%v\n%v", same, a, b)
		}
	})
}

func TestOneChangeGivesAnotherDigest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files := anyFiles(t)
		before := modelDigest(files)
		f := &files[rapid.IntRange(0, len(files)-1).Draw(t, "file")]
		switch {
		case f.to != "":
			f.to += "x"
		default:
			[]func(){
				func() { f.size++ },
				func() { f.sum = sumOf("another") },
				func() { f.name += "x" },
				func() { f.run = !f.run },
			}[rapid.IntRange(0, 3).Draw(t, "change")]()
		}
		if modelDigest(files) == before {
			t.Errorf("a change of %v does not count", *f)
		}
	})
}

// The digest is in records that outlive any version of Serin.
func TestDigestStaysTheSame(t *testing.T) {
	got := modelDigest([]content{
		{name: "b/é", size: 3, sum: sumOf("two")}, {name: "a", size: 3, sum: sumOf("one"), run: true}, {name: "l", to: "b"},
	})
	if want := "sha256:" + string(sumOf("serin model 1\n"+
		"7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed 3 \"a\" executable\n"+
		"3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3 3 \"b/\\u00e9\"\n"+
		"link \"b\" \"l\"\n")); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func TestListIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files := slices.DeleteFunc(anyFiles(t), func(f content) bool { return f.to != "" || f.run })
		kind := noArchive
		if len(files) == 1 {
			kind = archive(rapid.IntRange(0, 3).Draw(t, "kind"))
		}
		var list bytes.Buffer
		if err := writeList(&list, kind, files); err != nil {
			t.Fatal(err)
		}
		gotKind, got, err := readList(&list)
		if len(files) == 0 {
			if err == nil {
				t.Error("a list of nothing is accepted")
			}
			return
		}
		if diff := cmp.Diff(files, got, cmp.AllowUnexported(content{})); err != nil || kind != gotKind || diff != "" {
			t.Errorf("%v, kind %d, want %d (-want +got):\n%s", err, gotKind, kind, diff)
		}
	})
}

func TestStrangeListsAreRefused(t *testing.T) {
	line := func(name string) string { return fmt.Sprintf("%s 3 %q\n", sumOf("one"), name) }
	head := "serin model 1\n"
	if _, _, err := readList(strings.NewReader(head + line("a") + line("b/c"))); err != nil {
		t.Fatal(err)
	}
	for name, list := range map[string]string{
		"nothing":               "",
		"a head alone":          head,
		"another version":       "serin model 2\n" + line("a"),
		"an unknown archive":    "serin model 1 rar\n" + line("a"),
		"an archive of many":    "serin model 1 tar\n" + line("a") + line("b"),
		"a name above":          head + line("../a"),
		"an absolute name":      head + line("/etc/passwd"),
		"the folder itself":     head + line("."),
		"a name that comes up":  head + line("a/../../b"),
		"no name":               head + line(""),
		"a NUL":                 head + line("a\x00"),
		"a long name":           head + line(strings.Repeat("a", maxElement+1)),
		"a deep name":           head + line(strings.Repeat("a/", maxElements+2)+"a"),
		"a name twice":          head + line("a") + line("a"),
		"names out of order":    head + line("b") + line("a"),
		"no digest":             head + "../../../../etc/passwd 3 \"a\"\n",
		"a digest in capitals":  head + strings.ToUpper(string(sumOf("one"))) + " 3 \"a\"\n",
		"a negative size":       head + string(sumOf("one")) + " -3 \"a\"\n",
		"a size with zeros":     head + string(sumOf("one")) + " 0003 \"a\"\n",
		"an endless size":       head + string(sumOf("one")) + " 99999999999999999999 \"a\"\n",
		"a bare name":           head + string(sumOf("one")) + " 3 a\n",
		"another way to quote":  head + string(sumOf("one")) + " 3 `a`\n",
		"a link":                head + "link \"a\" \"b\"\n",
		"an executable":         head + string(sumOf("one")) + " 3 \"a\" executable\n",
		"more behind":           head + line("a") + "x",
		"a line without an end": head + line("a") + strings.Repeat("x", 10*maxLine),
	} {
		if kind, files, err := readList(strings.NewReader(list)); err == nil || len(err.Error()) > 700 {
			t.Errorf("%s: kind %d, %v, %v", name, kind, files, err)
		}
	}
}

func TestLongListsCostLittle(t *testing.T) {
	var list strings.Builder
	list.WriteString("serin model 1\n")
	deep := strings.Repeat("d/", 90)
	for i := range 3 * maxObjects / 2 {
		fmt.Fprintf(&list, "%s 3 %q\n", sumOf("one"), fmt.Sprintf("%s%06d", deep, i))
	}
	hostile.Bounded(t, 200<<20, time.Minute, func() {
		if _, _, err := readList(strings.NewReader(list.String())); err == nil || !strings.Contains(err.Error(), "names are too long") {
			t.Error(err)
		}
	})
}

// Whatever the bytes: nothing outside is named, and only the very bytes that writeList writes are
// accepted.
func FuzzList(f *testing.F) {
	var good bytes.Buffer
	if err := writeList(&good, noArchive, []content{{name: "a", sum: sumOf("")}, {name: "b/é", size: 3, sum: sumOf("one")}}); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Add([]byte("serin model 1 zip\n" + string(sumOf("x")) + " 1 \"m.zip\"\n"))
	f.Fuzz(func(t *testing.T, list []byte) {
		kind, files, err := readList(bytes.NewReader(list))
		if err != nil {
			return
		}
		for _, file := range files {
			if !filepath.IsLocal(file.name) || strings.ContainsAny(string(file.sum), "/.") {
				t.Errorf("%q %q is outside", file.name, file.sum)
			}
		}
		var again bytes.Buffer
		if err := writeList(&again, kind, files); err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(string(list), "\r\n", "\n"); strings.TrimRight(got, "\r\n") != strings.TrimSuffix(again.String(), "\n") {
			t.Errorf("accepted %q\nwritten  %q", list, again.String())
		}
	})
}
