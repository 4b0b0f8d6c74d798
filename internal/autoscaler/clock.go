// SPDX-License-Identifier: Apache-2.0

package autoscaler

import (
	"time"

	"github.com/serin-dev/serin/internal/scale"
)

// began is when this process did.
var began = time.Now()

// steady is a moment by a clock that nobody sets. Package scale puts load into
// seconds of a calendar: were the clock set forward by an hour between two
// lines of a router, the load of one second would be spread over 3,600.
func steady(t time.Time) time.Time { return began.Round(0).Add(t.Sub(began)) }

// steadily is in by that clock. For how long a revision is idle, the calendar
// tells: its beginning was noted by another process.
func steadily(in scale.Input) scale.Input {
	now := steady(in.Now)
	if !in.IdleSince.IsZero() {
		in.IdleSince = now.Add(in.IdleSince.Sub(in.Now.Round(0)))
	}
	in.Now = now
	return in
}
