// SPDX-License-Identifier: Apache-2.0

package autoscaler

import (
	"time"

	"github.com/serin-dev/serin/internal/controlplane/scale"
)

// began is when this process started.
var began = time.Now()

// steady returns a time by the monotonic clock. Package scale counts load by
// calendar seconds: if the clock were set forward by an hour between two lines of
// a router, the load of one second would be spread over 3,600.
func steady(t time.Time) time.Time { return began.Round(0).Add(t.Sub(began)) }

// steadily returns in by the monotonic clock. How long a revision has been idle
// follows from the calendar: another process recorded its start.
func steadily(in scale.Input) scale.Input {
	now := steady(in.Now)
	if !in.IdleSince.IsZero() {
		in.IdleSince = now.Add(in.IdleSince.Sub(in.Now.Round(0)))
	}
	in.Now = now
	return in
}
