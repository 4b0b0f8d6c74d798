// SPDX-License-Identifier: Apache-2.0

package scale_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/serin-dev/serin/internal/controlplane/scale"
)

// revision is a random one with a random past.
func revision(t *rapid.T) scale.Input {
	in := scale.Input{Active: true, Now: now, Settings: settings(t)}
	in.Min = rapid.Int32Range(0, 5).Draw(t, "min")
	in.Max = rapid.SampledFrom([]int32{0, 5, 20}).Draw(t, "max")
	in.Replicas = rapid.Int32Range(0, 20).Draw(t, "replicas")
	in.Ready = rapid.Int32Range(0, in.Replicas).Draw(t, "ready")
	in.Load = &scale.Load{Until: now, InFlight: rapid.Int64Range(0, 3).Draw(t, "in flight")}
	if watched := rapid.IntRange(-1, 200).Draw(t, "watched"); watched >= 0 {
		in.Load.Since = now.Add(-time.Duration(watched) * time.Second)
	}
	for range rapid.IntRange(0, 100).Draw(t, "seconds of past") {
		in = later(t, in)
	}
	return in
}

func settings(t *rapid.T) scale.Settings {
	a := map[string]string{
		"target":           strconv.Itoa(rapid.IntRange(1, 20).Draw(t, "target")),
		"metric":           rapid.SampledFrom([]string{"concurrency", "rps"}).Draw(t, "metric"),
		"window":           rapid.SampledFrom([]string{"6s", "15s", "60s"}).Draw(t, "window"),
		"activation-scale": strconv.Itoa(rapid.IntRange(1, 3).Draw(t, "activation")),
		"scale-down-delay": rapid.SampledFrom([]string{"0s", "7s"}).Draw(t, "delay"),
	}
	s, err := scale.Read(prefixed(a))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// later is a second later: some load came, the decision came true.
func later(t *rapid.T, in scale.Input) scale.Input {
	plan := scale.Decide(in)
	in.State, in.Replicas, in.Ready = plan.State, plan.Replicas, min(in.Ready+1, plan.Replicas)
	before := in.Now
	in.Now = in.Now.Add(time.Second)
	in.Load.Until = in.Now
	in.Load.InFlight = int64(max(0, rapid.IntRange(-2, 3).Draw(t, "in flight")))
	busy := float64(in.Load.InFlight)
	if rapid.IntRange(0, 9).Draw(t, "burst") == 0 {
		busy += float64(rapid.IntRange(0, 200).Draw(t, "load"))
	}
	in.Load.History.Add(before, in.Now, busy, busy)
	in.Load.History.Forget(in.Now.Add(-in.Settings.Window))
	return in
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := revision(t)
		plan := scale.Decide(in)
		if plan.Replicas < in.Min || in.Max > 0 && plan.Replicas > max(in.Min, in.Max) {
			t.Errorf("%d replicas are out of %d to %d", plan.Replicas, in.Min, in.Max)
		}
		if plan.Replicas == 0 && in.Load.InFlight > 0 {
			t.Error("none, with requests in flight")
		}
		bounded := in.Max > 0 && in.Replicas > in.Max
		if !bounded && plan.Replicas < in.Replicas/2 {
			t.Errorf("from %d to %d at once", in.Replicas, plan.Replicas)
		}
		seen := !in.Load.Since.IsZero() && in.Now.Sub(in.Load.Since) >= in.Settings.Window
		if !bounded && !seen && plan.Replicas < in.Replicas {
			t.Errorf("from %d to %d without a whole window seen", in.Replicas, plan.Replicas)
		}
		if plan.Replicas > in.Min && plan.Again == 0 {
			t.Errorf("%d replicas for ever, where %d may do", plan.Replicas, in.Min)
		}
	})
}

func TestDecidingTwiceChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := revision(t)
		first := scale.Decide(in)
		in.State, in.Replicas = first.State, first.Replicas
		second := scale.Decide(in)
		// One more reason not to take away: it was done just now.
		if diff := cmp.Diff(first.Replicas, second.Replicas); diff != "" {
			t.Errorf("replicas (-first +second):\n%s", diff)
		}
	})
}

func TestMoreLoadNeverMeansFewerReplicas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := revision(t)
		less := scale.Decide(in)
		extra := float64(rapid.IntRange(1, 500).Draw(t, "extra"))
		in.Load.InFlight++
		in.Load.History.Add(in.Now.Add(-time.Second), in.Now, extra, extra)
		if more := scale.Decide(in); more.Replicas < less.Replicas {
			t.Errorf("%d replicas (%s), and with more load %d (%s)", less.Replicas, less.Why, more.Replicas, more.Why)
		}
	})
}

func TestSilenceEndsAtTheLeastNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := revision(t)
		in.Load.InFlight = 0
		if in.Load.Since.IsZero() {
			in.Load.Since = in.Now
		}
		deadline := in.Now.Add(5 * time.Minute)
		for {
			plan := scale.Decide(in)
			in.State, in.Replicas, in.Ready = plan.State, plan.Replicas, plan.Replicas
			if plan.Again == 0 || in.Now.After(deadline) {
				break
			}
			in.Now = in.Now.Add(plan.Again)
			in.Load.Until = in.Now
		}
		if in.Replicas != in.Min {
			t.Errorf("%d replicas at last, want %d", in.Replicas, in.Min)
		}
	})
}
