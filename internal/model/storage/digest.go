// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// content is what a model server finds under one name of its model.
type content struct {
	name string // with slashes
	size int64
	sum  digest
	run  bool   // whether the file is executable, which only archives say
	to   string // of a link to a folder: where it leads. A link to a file counts as that file
}

// digestPrefix names the hash that makes a model's digest.
const digestPrefix = "sha256:"

// modelDigest returns the digest of a model: the SHA-256 of the list of all that
// its server finds. Where the model came from, and when, is not in it.
func modelDigest(files []content) string {
	h := sha256.New()
	_ = writeList(h, noArchive, files) // a hash takes everything
	return digestPrefix + hex.EncodeToString(h.Sum(nil))
}

// ValidDigest reports whether s is a digest as Run returns it.
func ValidDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, digestPrefix)
	return ok && digest(hex).valid()
}

func (d digest) valid() bool {
	return len(d) == 2*sha256.Size && strings.Trim(string(d), "0123456789abcdef") == ""
}

// listHeads are the first lines of lists, by the kind of archive that is to be
// unpacked. The number changes with the form of the lines.
var listHeads = [...]string{
	noArchive: "serin model 1", tarArchive: "serin model 1 tar", tgzArchive: "serin model 1 tgz", zipArchive: "serin model 1 zip",
}

// writeList writes a line for each of files, by name: its digest, its size and
// its name. The list of a model holds all that its server finds. The list of an
// archive holds the archive alone.
func writeList(to io.Writer, kind archive, files []content) error {
	w := bufio.NewWriter(to)
	fmt.Fprintln(w, listHeads[kind])
	for _, f := range slices.SortedFunc(slices.Values(files), func(a, b content) int { return cmp.Compare(a.name, b.name) }) {
		fmt.Fprintln(w, f.line())
	}
	return w.Flush()
}

func (f content) line() string {
	name := strconv.QuoteToASCII(f.name) // the same in every version of Go
	switch {
	case f.to != "":
		return fmt.Sprintf("link %s %s", strconv.QuoteToASCII(f.to), name)
	case f.run:
		return fmt.Sprintf("%s %d %s executable", f.sum, f.size, name)
	}
	return fmt.Sprintf("%s %d %s", f.sum, f.size, name)
}

// maxLine is more than any line has: quotes make up to four characters of a byte.
const maxLine = 4*maxName + 256

// readList reads what writeList wrote of files that were stored as they are. It
// refuses everything else.
func readList(from io.Reader) (archive, []content, error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	lines.Scan()
	kind := slices.Index(listHeads[:], lines.Text())
	if kind < 0 {
		return 0, nil, fmt.Errorf("the first line is %.100q", lines.Text())
	}
	var files []content
	names := 0
	for lines.Scan() {
		f, ok := readLine(lines.Text())
		if n := len(files); !ok || n > 0 && files[n-1].name >= f.name {
			return 0, nil, fmt.Errorf("the line %.100q is none of a file, or not in order", lines.Text())
		}
		if names += nameCost(f.name); names > maxNames || len(files) == maxObjects {
			return 0, nil, fmt.Errorf("more than %d files, or their names are too long", maxObjects)
		}
		files = append(files, f)
	}
	if len(files) == 0 || archive(kind) != noArchive && len(files) > 1 {
		return 0, nil, fmt.Errorf("a list of %d files", len(files))
	}
	return archive(kind), files, lines.Err()
}

func readLine(line string) (content, bool) {
	sum, rest, _ := strings.Cut(line, " ")
	number, quoted, _ := strings.Cut(rest, " ")
	size, err1 := strconv.ParseInt(number, 10, 64)
	name, err2 := strconv.Unquote(quoted)
	_, local := below("", name)
	f := content{name: name, size: size, sum: digest(sum)}
	return f, err1 == nil && err2 == nil && size >= 0 && local && f.sum.valid() && f.line() == line
}
