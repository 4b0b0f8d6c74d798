// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"math"
	"testing"
	"time"
)

// What annotations, clocks and routers say is bounded before it is believed.
func TestNumbersOfStrangers(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if p := Decide(Input{Replicas: 3, IdleSince: now.AddDate(7000, 0, 0), Now: now}); p.Replicas != 0 || p.Again != 0 {
		t.Errorf("idle since the year 9026: %+v", p)
	}
	if p := Decide(Input{Replicas: 3, IdleSince: now.Add(2 * time.Second), Now: now}); p.Replicas != 3 || p.Again != 32*time.Second {
		t.Errorf("idle in two seconds, by another clock: %+v", p)
	}

	var h History
	h.Add(time.Unix(0, 0), now, 100, 100)
	if n := len(h.seconds); n > 3601 {
		t.Errorf("a clock that jumped by 56 years leaves %d seconds", n)
	}
	busy, _ := h.sum(now.Add(-time.Hour), now)
	if math.Abs(busy-100) > 1 {
		t.Errorf("of 100 request-seconds %v are left", busy)
	}

	s, err := Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, seconds := range []float64{1e308, math.MaxFloat64, math.Inf(1)} {
		var h History
		for range 3 {
			h.Add(now.Add(-time.Minute), now, seconds, seconds)
		}
		l := Load{Since: now.Add(-time.Hour), Until: now, History: h}
		if n := l.needs(s, s.Window); n != math.MaxInt32 {
			t.Errorf("a load of %v needs %d", seconds, n)
		}
		if p := Decide(Input{Active: true, Replicas: 1, Ready: -7, Min: 1, Max: 5, Settings: s, Load: &l, Now: now}); p.Replicas < 1 || p.Replicas > 5 {
			t.Errorf("a load of %v asks for %d replicas of 1 to 5", seconds, p.Replicas)
		}
	}
}
