// SPDX-License-Identifier: Apache-2.0

package corpus

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Published calls load with each model file that train/published.sh downloaded, and
// logs what became of it. It skips the test where there are none. There are no
// answers to compare with: such files are read, and never run.
func Published(t *testing.T, load func(file string, data []byte) (string, error)) {
	t.Helper()
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(os.Getenv("HOME"), ".cache")
	}
	root := filepath.Join(cache, "serin-published")
	if _, err := os.Stat(root); err != nil {
		t.Skip("no published models: internal/testkit/corpus/train/published.sh downloads them")
	}
	var b strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		told, err := load(path, data)
		if err != nil {
			told = "refused: " + short(err)
			if strings.Contains(err.Error(), "which is a bug") {
				t.Errorf("%s: %v", path, err)
			}
		}
		b.WriteString(strings.TrimPrefix(path, root+"/") + ": " + told + "\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + b.String())
}
