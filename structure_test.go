// SPDX-License-Identifier: Apache-2.0

package serin_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/serin-dev/serin/"

// table returns the rows of the table in ARCHITECTURE.md under a heading: the
// folders of the first cell, each with the row's other cells.
func table(t *testing.T, heading string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("ARCHITECTURE.md has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string][]string{}
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) < 2 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		for _, folder := range quoted(cells[0]) {
			rows[folder] = cells[1:]
		}
	}
	return rows
}

var inBackquotes = regexp.MustCompile("`([^`]+)`")

func quoted(cell string) []string {
	var out []string
	for _, m := range inBackquotes.FindAllStringSubmatch(cell, -1) {
		out = append(out, m[1])
	}
	return out
}

// imports returns our own packages that each package of the repository imports,
// tests left out, each with a file that does.
func imports(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	walk(t, func(file string) {
		if filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			return
		}
		from := filepath.ToSlash(filepath.Dir(file))
		if all[from] == nil {
			all[from] = map[string]string{}
		}
		for _, spec := range f.Imports {
			quoted, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Error(err)
			}
			if to, ours := strings.CutPrefix(quoted, module); ours {
				all[from][to] = file
			}
		}
	})
	return all
}

// under returns the longest of the folders that contains dir, or "".
func under(folders []string, dir string) string {
	found := ""
	for _, f := range folders {
		if (dir == f || strings.HasPrefix(dir, f+"/")) && len(f) > len(found) {
			found = f
		}
	}
	return found
}

// TestWingsAreImportedAsTheTableSays holds the table of wings in ARCHITECTURE.md
// against the imports.
func TestWingsAreImportedAsTheTableSays(t *testing.T) {
	wings := table(t, "Wings")
	names := slices.Collect(maps.Keys(wings))
	for wing, row := range wings {
		for _, by := range append(quoted(row[0]), wing) {
			if _, err := os.Stat(by); err != nil || wings[by] == nil {
				t.Errorf("ARCHITECTURE.md's row of %s: there is no wing %s", wing, by)
			}
		}
	}
	for from, imported := range imports(t) {
		wing := under(names, from)
		if wing == "" {
			t.Errorf("%s is in no wing of ARCHITECTURE.md", from)
			continue
		}
		for to, file := range imported {
			other := under(names, to)
			if other == "" {
				continue // told for the package itself
			}
			by := wings[other][0]
			if other != wing && by != "all" && !slices.Contains(quoted(by), wing) {
				t.Errorf("%s imports %s: %s may be imported by %s only", file, to, other, by)
			}
		}
	}
}

// layers are what packages of each kind in ARCHITECTURE.md may import.
var layers = map[string][]string{
	"types": {"types"},
	"data":  {"types", "data"},
	"leaf":  {"types", "data", "leaf"},
	"pure":  {"types", "data", "leaf", "pure"},
	"shell": {"types", "data", "leaf", "pure"},
}

// above are the kinds that import any.
var above = []string{"main", "tests", "wiring", "test helper"}

// TestLayersImportDownwardsOnly holds the kinds of packages in ARCHITECTURE.md
// against the imports.
func TestLayersImportDownwardsOnly(t *testing.T) {
	folders := table(t, "Folders")
	for from, imported := range imports(t) {
		row, ok := folders[from]
		if !ok {
			t.Errorf("ARCHITECTURE.md's table of folders has no `%s`", from)
			continue
		}
		below, bound := layers[row[0]]
		if !bound && !slices.Contains(above, row[0]) {
			t.Errorf("ARCHITECTURE.md: `%s` is of no known kind: %s", from, row[0])
		}
		for to, file := range imported {
			kind := folders[to]
			if kind == nil || !bound {
				continue
			}
			if !slices.Contains(below, kind[0]) {
				t.Errorf("%s imports %s: %s is %s, which may import %s only, and %s is %s",
					file, to, path.Base(from), row[0], strings.Join(below, ", "), path.Base(to), kind[0])
			}
		}
	}
}

const (
	mostLines         = 400 // of a file that is shipped
	mostFunctionLines = 60  // of a function that is shipped
)

// TestPureFoldersHaveNoClock holds the linter's list of pure packages against the
// kinds in ARCHITECTURE.md.
func TestPureFoldersHaveNoClock(t *testing.T) {
	text, err := os.ReadFile(".golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`path-except: (\S+), linters: \[forbidigo\]`).FindSubmatch(text)
	if m == nil {
		t.Fatal(".golangci.yml does not except all but pure packages from forbidigo")
	}
	linted := regexp.MustCompile(string(m[1]))
	for folder, row := range table(t, "Folders") {
		if pure := row[0] == "pure"; linted.MatchString(folder+"/") != pure {
			t.Errorf("%s is %s: the linter's list says otherwise", folder, row[0])
		}
	}
}

func TestFilesAndFunctionsAreShort(t *testing.T) {
	walk(t, func(file string) {
		if filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") || strings.HasPrefix(filepath.Base(file), "zz_generated") {
			return
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, nil, 0)
		if err != nil {
			t.Error(err)
			return
		}
		if lines := fset.Position(f.FileEnd).Line; lines > mostLines {
			t.Errorf("%s has %d lines, more than %d", file, lines, mostLines)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				if lines := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line - 1; lines > mostFunctionLines {
					t.Errorf("%s: %s has %d lines, more than %d", file, fn.Name.Name, lines, mostFunctionLines)
				}
			}
		}
	})
}
