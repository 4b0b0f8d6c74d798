// SPDX-License-Identifier: Apache-2.0

package server

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/testkit/golden"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

// digits are numbers in errors that depend on how well a file is compressed.
var digits = regexp.MustCompile(`^byte [0-9]+: |: [0-9]+ bytes$`)

// Each hostile file ends as docs/security.md says, within bounds. The time is generous,
// for the race detector on a busy machine.
func TestHostileFilesEndAsTheDocumentationSays(t *testing.T) {
	const memory = 1 << 30 // in all, most of which is garbage soon
	table := hostile.Table(hostile.Models(), func(f hostile.File) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
		happens := "served; nothing is called"
		hostile.Bounded(t, memory, time.Minute, func() {
			m, err := loadModel(t.Context(), dir)
			if err != nil {
				happens = "refused: " + digits.ReplaceAllString(strings.TrimPrefix(err.Error(), "load "+f.Name+": "), "")
				return
			}
			_ = modeltest.Survives(t, m) // it may refuse the rows
		})
		return happens
	})
	golden.Part(t, "../../../docs/security.md", "### Model files", table)
}
