// SPDX-License-Identifier: Apache-2.0

// Package serin_test checks what linters cannot: that the repository's documents
// are true of its folders, and that their links lead somewhere.
package serin_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// walk calls check for every file that is ours.
func walk(t *testing.T, check func(path string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == "bin" || path == "warm" || strings.HasPrefix(d.Name(), ".") && path != "."):
			return fs.SkipDir
		case !d.IsDir():
			check(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryPackageHasOneDocComment(t *testing.T) {
	docs := map[string][]string{} // folder to the files that document its package
	walk(t, func(path string) {
		if filepath.Ext(path) != ".go" || strings.HasPrefix(filepath.Base(path), "zz_generated") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Error(err)
			return
		}
		dir := filepath.Dir(path)
		if strings.HasSuffix(path, "_test.go") && docs[dir] == nil && !strings.HasSuffix(f.Name.Name, "_test") {
			docs[dir] = []string{}
		}
		if !strings.HasSuffix(path, "_test.go") && docs[dir] == nil {
			docs[dir] = []string{}
		}
		if f.Doc != nil && docs[dir] != nil {
			docs[dir] = append(docs[dir], path)
		}
	})
	for dir, files := range docs {
		if len(files) != 1 {
			t.Errorf("package %s has %d doc comments, not one: %v", dir, len(files), files)
		}
	}
}

func TestEveryFolderIsInTheArchitecture(t *testing.T) {
	folders := table(t, "Folders")
	seen := map[string]bool{".": true}
	walk(t, func(path string) {
		dir := filepath.Dir(path)
		if filepath.Ext(path) == ".go" && !seen[dir] && folders[dir] == nil {
			t.Errorf("ARCHITECTURE.md's table of folders has no `%s`", dir)
		}
		seen[dir] = true
	})
	for dir := range folders {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("ARCHITECTURE.md: %v", err)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)

func TestLinksInDocumentsResolve(t *testing.T) {
	walk(t, func(path string) {
		if filepath.Ext(path) != ".md" {
			return
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			return
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", path, m[1], err)
			}
		}
	})
}
