// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/internal/controlplane/action"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// A custom container's image and STORAGE_URI may hold anything.
func TestTableShowsAModelAsOnePlainLine(t *testing.T) {
	now := time.Date(2026, time.January, 31, 12, 0, 0, 0, time.UTC)
	longest := "sklearn gs://" + strings.Repeat("x", 2048-len("gs://"))
	for _, c := range []struct{ model, want string }{
		{"", "-"},
		{"sklearn gs://b/größe \\ \"x\" refreshed 2026-01-31T12:00:00Z", "sklearn gs://b/größe \\ \"x\" refreshed 2026-01-31T12:00:00Z"},
		{"image \x1b[2J\tx\r\ny", `image \x1b[2J\tx\r\ny`},
		{"image \u202e\"gs\"", `image \u202e\"gs\"`},
		{longest, longest},
		{strings.Repeat("é", 1500), strings.Repeat("é", 1150) + "..."},
		{strings.Repeat("\x1b", 1000), strings.Repeat(`\x1b`, 575) + "..."},
	} {
		var out bytes.Buffer
		rev := action.Revision{Revision: rollout.Revision{Name: "iris-predictor-00001", Model: c.model}, Created: now}
		table(&out, []action.Revision{rev}, now, false)
		_, row, _ := strings.Cut(out.String(), "\n")
		if want := "iris-predictor-00001   -       -         0/0    0s    " + c.want + "\n"; row != want {
			t.Errorf("%.60q:\ngot  %.200q\nwant %.200q", c.model, row, want)
		}
	}
}
