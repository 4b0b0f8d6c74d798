// SPDX-License-Identifier: Apache-2.0

// Package golden compares, in tests, what code makes with files that hold it.
// The flag -update rewrites the files: commit a difference only if you can
// explain it.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the files that tests compare with")

// File fails the test if file does not hold got. With -update it writes got.
func File(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		write(t, file, []byte(got))
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, file, string(want), got)
}

// Archives runs a subtest for each testdata/*.txtar. fill replaces the parts of
// the archive that the code under test makes.
func Archives(t *testing.T, fill func(t *testing.T, a *txtar.Archive)) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("find testdata/*.txtar: %d files, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := slices.Clone(a.Files)
			fill(t, a)
			if *update {
				write(t, file, txtar.Format(a))
				return
			}
			for i, part := range a.Files {
				compare(t, part.Name, string(want[i].Data), string(part.Data))
			}
		})
	}
}

// Stories plays each testdata/*.txtar as a story. Each file of an archive is a
// step: lines of what happens, a line of dashes, and what must follow.
// begin starts a story; the function that it returns plays a step.
func Stories(t *testing.T, begin func() (play func(t *testing.T, lines []string) (follows string, err error))) {
	t.Helper()
	Archives(t, func(t *testing.T, a *txtar.Archive) {
		t.Helper()
		play := begin()
		for i, step := range a.Files {
			happens, _, _ := strings.Cut(string(step.Data), "---\n")
			follows, err := play(t, strings.FieldsFunc(happens, func(r rune) bool { return r == '\n' }))
			if err != nil {
				t.Fatalf("%s: %v", step.Name, err)
			}
			a.Files[i].Data = []byte(happens + "---\n" + follows)
		}
	})
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func compare(t *testing.T, name, want, got string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s is not what the code makes; go test -update rewrites it (-want +got):\n%s", name, diff)
	}
}
