// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAnswersAreCountedByClassAndDuration(t *testing.T) {
	var a Answers
	for _, c := range []struct {
		status int
		took   time.Duration
	}{{200, time.Millisecond}, {204, 0}, {503, time.Second}, {0, time.Minute}, {-1, 0}, {999, 301 * time.Second}} {
		a.Add(c.status, c.took)
	}
	want := Counted{
		Classes: [6]uint64{2, 0, 2, 0, 0, 2}, Count: 6, Seconds: 362.001,
		Durations: [len(Durations)]uint64{3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 5, 5, 5},
	}
	if diff := cmp.Diff(want, a.Counted()); diff != "" {
		t.Error(diff)
	}
}
