// SPDX-License-Identifier: Apache-2.0

package autoscaler

import (
	"testing"
	"time"

	"github.com/serin-dev/serin/internal/controlplane/scale"
)

func TestSteadyTimesHaveNoSecondClock(t *testing.T) {
	first := time.Now()
	second := first.Add(1500 * time.Millisecond)
	a, b := steady(first), steady(second)
	if a != a.Round(0) || b != b.Round(0) {
		t.Errorf("%s and %s carry a monotonic reading, which their seconds ignore", a, b)
	}
	if b.Sub(a) != 1500*time.Millisecond {
		t.Errorf("%s apart, not 1.5s", b.Sub(a))
	}
	in := steadily(scale.Input{Now: second, IdleSince: second.Round(0).Add(-20 * time.Second)})
	if idle := in.Now.Sub(in.IdleSince); idle != 20*time.Second {
		t.Errorf("idle for %s, not 20s", idle)
	}
	if in := steadily(scale.Input{Now: second}); !in.IdleSince.IsZero() {
		t.Errorf("idle since %s", in.IdleSince)
	}
}
