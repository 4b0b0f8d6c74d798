// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func at(seconds float64) time.Time {
	return time.Unix(1000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

func TestLoadIsTheIntegralOfRequestsInFlight(t *testing.T) {
	a := &RevisionStats{Namespace: "n", Revision: "r"}
	load := func(inFlight int, seconds float64, requests int) Load { return Load{inFlight, seconds, requests} }
	for _, step := range []struct {
		name string
		do   func()
		now  float64
		want Load
	}{
		{"nothing happened", func() {}, 0, load(0, 0, 0)},
		{"one for a second", func() { a.Begin(at(5)) }, 6, load(1, 1, 1)},
		{"two for another", func() { a.Begin(at(6)) }, 7, load(2, 3, 2)},
		{"one ended", func() { a.End(at(8)) }, 9, load(1, 6, 2)},
		{"both ended", func() { a.End(at(9)) }, 20, load(0, 6, 2)},
		{"a beginning recorded late", func() { a.Begin(at(19)) }, 21, load(1, 8, 3)},
		{"an end recorded late, after more was counted", func() { a.End(at(20)) }, 22, load(0, 8, 3)},
		{"a short one, recorded in disorder", func() { a.Begin(at(25)); a.Begin(at(24)); a.End(at(24.5)); a.End(at(25.5)) }, 30, load(0, 9, 5)},
	} {
		step.do()
		if diff := cmp.Diff(step.want, a.Load(at(step.now))); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
	}
}

// What Load adds up must be the durations of the requests, and never shrink.
func TestLoadAddsUpToTheDurations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := &RevisionStats{}
		var running []int
		sum, last := 0, 0.0
		for now := range rapid.IntRange(1, 200).Draw(t, "milliseconds") {
			switch rapid.SampledFrom([]string{"begin", "end", "read"}).Draw(t, "what") {
			case "begin":
				a.Begin(at(float64(now) / 1000))
				running = append(running, now)
			case "end":
				if len(running) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(running)-1).Draw(t, "which")
				sum += now - running[i]
				running = append(running[:i], running[i+1:]...)
				a.End(at(float64(now) / 1000))
			case "read":
				want := sum
				for _, begun := range running {
					want += now - begun
				}
				got := a.Load(at(float64(now) / 1000)).Seconds
				if math.Abs(got-float64(want)/1000) > 1e-4 || got < last {
					t.Fatalf("%v seconds, want %v, before %v", got, float64(want)/1000, last)
				}
				last = got
			}
		}
	})
}

func TestRevisionKeepsStatsWhileItHasRequests(t *testing.T) {
	in := Input{Domain: "example.com", Services: []Service{iris()}}
	table := Build(in)
	stats := choose(t, table, host, "prev").Revision.Stats
	stats.Begin(at(0))
	table = rebuild(table, Input{})
	if r := table.Revision("kserve-test", "sklearn-iris-predictor-00001"); r == nil || r.Stats != stats || r.Ready() != 0 {
		t.Fatalf("while a request is in flight the revision is %+v", r)
	}
	stats.End(at(1))
	table = rebuild(table, Input{})
	if r := table.Revision("kserve-test", "sklearn-iris-predictor-00001"); r != nil {
		t.Errorf("after the last request the revision is %+v", r)
	}
}

func BenchmarkRevisionStats(b *testing.B) {
	a := &RevisionStats{}
	now := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			a.Begin(now)
			a.End(now)
		}
	})
}
