// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDecide(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		in   Input
		want Plan
	}{
		"an active revision has its least number":         {Input{Active: true, Min: 3, Replicas: 1, Now: now}, Plan{Replicas: 3}},
		"an active revision has one at least":             {Input{Active: true, Now: now}, Plan{Replicas: 1}},
		"an active revision starts from zero":             {Input{Active: true, Min: 1, Now: now}, Plan{Replicas: 1}},
		"an idle revision stays warm for a while":         {Input{Replicas: 2, Min: 3, IdleSince: now.Add(-10 * time.Second), Now: now}, Plan{Replicas: 2, Again: 20 * time.Second}},
		"then it goes to zero":                            {Input{Replicas: 2, Min: 3, IdleSince: now.Add(-30 * time.Second), Now: now}, Plan{}},
		"and stays there":                                 {Input{Min: 3, IdleSince: now.Add(-time.Hour), Now: now}, Plan{}},
		"an idle revision at zero is not started":         {Input{Min: 3, IdleSince: now, Now: now}, Plan{Again: 30 * time.Second}},
		"a stopped revision goes to zero at once":         {Input{Replicas: 2, Min: 3, Now: now}, Plan{}},
		"a clock behind the controller's keeps it longer": {Input{Replicas: 1, IdleSince: now.Add(time.Second), Now: now}, Plan{Replicas: 1, Again: 31 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Decide(tt.in)); diff != "" {
				t.Errorf("Decide(%+v) (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}
