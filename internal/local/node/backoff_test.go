// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBackoffDoublesUpToFiveMinutesAndForgets(t *testing.T) {
	now := time.Unix(1000, 0)
	var b backoff
	var waits []time.Duration
	crash := func(after time.Duration) {
		ended := now.Add(after)
		now = b.until(ended)
		waits = append(waits, now.Sub(ended))
		b = b.restarted(now)
	}
	for range 8 {
		crash(time.Second)
	}
	crash(11 * time.Minute)
	crash(time.Second)
	want := []time.Duration{
		0, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second,
		5 * time.Minute, 5 * time.Minute, 0, 10 * time.Second,
	}
	if diff := cmp.Diff(want, waits); diff != "" {
		t.Error(diff)
	}
}
