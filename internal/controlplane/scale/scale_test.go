// SPDX-License-Identifier: Apache-2.0

package scale_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-dev/serin/internal/controlplane/scale"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

var ignoreState = cmpopts.IgnoreTypes(scale.State{})

func TestRevisionsWithoutTraffic(t *testing.T) {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	busy := &scale.Load{Since: ago(time.Hour), Until: now, InFlight: 1}
	done := &scale.Load{Since: ago(time.Hour), Until: now}
	blind := &scale.Load{Until: now}
	for name, tt := range map[string]struct {
		in   scale.Input
		want scale.Plan
	}{
		"an idle revision stays warm for a while":         {scale.Input{Replicas: 2, Min: 3, IdleSince: ago(10 * time.Second)}, scale.Plan{Replicas: 2, Why: "warm for a rollback", Again: 20 * time.Second}},
		"then it goes to zero":                            {scale.Input{Replicas: 2, Min: 3, IdleSince: ago(30 * time.Second)}, scale.Plan{Why: "no traffic"}},
		"and stays there":                                 {scale.Input{Min: 3, IdleSince: ago(time.Hour)}, scale.Plan{Why: "no traffic"}},
		"an idle revision at zero is not started":         {scale.Input{Min: 3, IdleSince: now}, scale.Plan{Why: "warm for a rollback", Again: 30 * time.Second}},
		"a clock behind the controller's keeps it longer": {scale.Input{Replicas: 1, IdleSince: now.Add(time.Second)}, scale.Plan{Replicas: 1, Why: "warm for a rollback", Again: 31 * time.Second}},
		"a clock that was set back does not keep it":      {scale.Input{Replicas: 1, IdleSince: now.Add(time.Hour)}, scale.Plan{Why: "no traffic"}},
		"its last request may end first":                  {scale.Input{Replicas: 2, IdleSince: ago(time.Hour), Load: busy}, scale.Plan{Replicas: 2, Why: "requests are in flight", Again: time.Second}},
		"as may one that nobody knows of now":             {scale.Input{Replicas: 2, IdleSince: ago(time.Hour), Load: blind}, scale.Plan{Replicas: 2, Why: "requests are in flight", Again: time.Second}},
		"then it goes":                                    {scale.Input{Replicas: 2, IdleSince: ago(time.Hour), Load: done}, scale.Plan{Why: "no traffic"}},
		"a request for a revision at zero wakes nothing":  {scale.Input{IdleSince: ago(time.Hour), Load: busy}, scale.Plan{Why: "no traffic"}},
		"a stopped revision goes to zero at once":         {scale.Input{Replicas: 2, Min: 3, Load: busy}, scale.Plan{Why: "stopped"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.in.Now, tt.in.Settings = now, read(t, nil)
			if diff := cmp.Diff(tt.want, scale.Decide(tt.in), ignoreState); diff != "" {
				t.Errorf("Decide(%+v) (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func TestWithoutLoadReports(t *testing.T) {
	for name, tt := range map[string]struct {
		in   scale.Input
		want int32
	}{
		"the least number":        {scale.Input{Min: 3, Replicas: 1}, 3},
		"one at least":            {scale.Input{}, 1},
		"no more than the bounds": {scale.Input{Min: 1, Max: 2, Replicas: 5}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			tt.in.Active, tt.in.Now, tt.in.Settings = true, now, read(t, nil)
			want := scale.Plan{Replicas: tt.want, Why: "no router measures the load"}
			if diff := cmp.Diff(want, scale.Decide(tt.in), ignoreState); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A constant load that was watched for long asks for its quotient.
func TestConstantLoad(t *testing.T) {
	for name, tt := range map[string]struct {
		settings map[string]string
		in       scale.Input
		busy     float64 // request-seconds per second
		begun    float64 // requests per second
		want     int32
		why      string
	}{
		"a little load needs one":             {busy: .001, begun: 1, in: scale.Input{Replicas: 1, Ready: 1, Min: 1}, want: 1, why: "load"},
		"exactly one replica's load":          {busy: 70, begun: 1, in: scale.Input{Replicas: 1, Ready: 1, Min: 1}, want: 1, why: "load"},
		"a little more":                       {busy: 70.1, begun: 1, in: scale.Input{Replicas: 1, Ready: 1, Min: 1}, want: 2, why: "panic"},
		"less than is ready":                  {busy: 140, begun: 1, in: scale.Input{Replicas: 3, Ready: 3, Min: 1}, want: 2, why: "load"},
		"far less than is ready":              {busy: 10, begun: 1, in: scale.Input{Replicas: 8, Ready: 8, Min: 1}, want: 4, why: "at most half is taken away at a time"},
		"no more than the bounds":             {busy: 700, begun: 1, in: scale.Input{Replicas: 1, Ready: 1, Min: 1, Max: 3}, want: 3, why: "bounds"},
		"no less than the bounds":             {busy: 1, begun: 1, in: scale.Input{Replicas: 2, Ready: 2, Min: 2}, want: 2, why: "bounds"},
		"requests per second":                 {busy: .1, begun: 30, settings: map[string]string{"metric": "rps", "target": "10", "target-utilization-percentage": "100"}, in: scale.Input{Replicas: 2, Ready: 2, Min: 1}, want: 3, why: "load"},
		"slow requests, by their rate":        {busy: 500, begun: 1, settings: map[string]string{"metric": "rps"}, in: scale.Input{Replicas: 1, Ready: 1, Min: 1}, want: 1, why: "load"},
		"more than none is the activation":    {busy: 1, begun: 1, settings: map[string]string{"activation-scale": "3"}, in: scale.Input{}, want: 3, why: "load"},
		"a least that was lowered to nothing": {in: scale.Input{Replicas: 1, Ready: 1}, want: 1, why: "the last replica stays for a while"},
		"nothing at all":                      {in: scale.Input{}, want: 0, why: "load"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.in.Active, tt.in.Now, tt.in.Settings = true, now, read(t, tt.settings)
			tt.in.Load = &scale.Load{Since: now.Add(-time.Hour), Until: now}
			for s := range 90 {
				to := now.Add(-time.Duration(s) * time.Second)
				tt.in.Load.History.Add(to.Add(-time.Second), to, tt.busy, tt.begun)
			}
			got := scale.Decide(tt.in)
			if diff := cmp.Diff(scale.Plan{Replicas: tt.want, Why: tt.why}, got, ignoreState, cmpopts.IgnoreFields(scale.Plan{}, "Again")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// step is a moment in a story of one revision.
type step struct {
	at   time.Duration
	do   func(*scale.Input)
	want scale.Plan
}

// tell plays a story: what Decide wants comes true at once.
func tell(t *testing.T, in scale.Input, steps []step) {
	t.Helper()
	in.Active = true
	for _, s := range steps {
		in.Now = now.Add(s.at)
		if in.Load != nil {
			in.Load.Until = in.Now
		}
		if s.do != nil {
			s.do(&in)
		}
		got := scale.Decide(in)
		if diff := cmp.Diff(s.want, got, ignoreState); diff != "" {
			t.Fatalf("after %v (-want +got):\n%s", s.at, diff)
		}
		in.State, in.Replicas, in.Ready = got.State, got.Replicas, got.Replicas
	}
}

func request(in *scale.Input) { in.Load.InFlight = 1 }

// answer ends the request, which took a tenth of a second.
func answer(in *scale.Input) {
	in.Load.InFlight = 0
	in.Load.History.Add(in.Now.Add(-100*time.Millisecond), in.Now, .1, 1)
}

func TestToZeroAndBack(t *testing.T) {
	tell(t, scale.Input{
		Replicas: 1, Ready: 1, Min: 1, Settings: read(t, map[string]string{"scale-to-zero-pod-retention-period": "30s"}),
		Load: &scale.Load{Since: now.Add(-time.Hour)},
	}, []step{
		{0, nil, scale.Plan{Replicas: 1, Why: "bounds"}}, // a new revision starts
		{time.Second, func(in *scale.Input) { in.Min = 0 }, scale.Plan{Replicas: 1, Why: "the last replica stays for a while", Again: 89 * time.Second}},
		{80 * time.Second, request, scale.Plan{Replicas: 1, Why: "requests are in flight", Again: time.Second}},
		{81 * time.Second, answer, scale.Plan{Replicas: 1, Why: "load", Again: 90 * time.Second}},
		{170 * time.Second, nil, scale.Plan{Replicas: 1, Why: "the last replica stays for a while", Again: time.Second}},
		{171 * time.Second, nil, scale.Plan{Why: "load"}},
		{1000 * time.Second, request, scale.Plan{Replicas: 1, Why: "requests are in flight", Again: time.Second}},
		{2000 * time.Second, nil, scale.Plan{Replicas: 1, Why: "requests are in flight", Again: time.Second}},
		{2001 * time.Second, answer, scale.Plan{Replicas: 1, Why: "load", Again: 90 * time.Second}},
	})
}

func TestNothingIsTakenAwayUnseen(t *testing.T) {
	in := scale.Input{Replicas: 4, Ready: 4, Min: 1, Settings: read(t, nil), Load: &scale.Load{Since: now}}
	unseen := scale.Plan{Replicas: 4, Why: "the load was not watched for a whole window yet", Again: time.Second}
	tell(t, in, []step{
		{0, nil, unseen},
		{59 * time.Second, nil, unseen},
		{60 * time.Second, nil, scale.Plan{Replicas: 2, Why: "at most half is taken away at a time", Again: time.Second}},
		{61 * time.Second, nil, scale.Plan{Replicas: 2, Why: "replicas were taken away just now", Again: time.Second}},
		{62 * time.Second, nil, scale.Plan{Replicas: 1, Why: "at most half is taken away at a time"}},
	})
	in.Load = &scale.Load{Since: now.Add(-time.Hour)}
	tell(t, in, []step{
		{0, func(in *scale.Input) { in.Load.Since = time.Time{} }, unseen}, // a router is lost
		{time.Hour, nil, unseen},
	})
	in.Load = &scale.Load{Since: now.Add(-time.Hour)}
	in.Load.History.Forget(now.Add(-time.Minute))
	in.Settings = read(t, map[string]string{"window": "2m"}) // it was 1m so far
	tell(t, in, []step{
		{0, nil, unseen},
		{59 * time.Second, nil, unseen},
		{60 * time.Second, nil, scale.Plan{Replicas: 2, Why: "at most half is taken away at a time", Again: time.Second}},
	})
}

func TestPanicOnlyAdds(t *testing.T) {
	load := func(busy float64) func(*scale.Input) {
		return func(in *scale.Input) { in.Load.History.Add(in.Now.Add(-time.Second), in.Now, busy, 1) }
	}
	tell(t, scale.Input{
		Replicas: 1, Ready: 1, Min: 1, Settings: read(t, map[string]string{"target": "10", "target-utilization-percentage": "100"}),
		Load: &scale.Load{Since: now.Add(-time.Hour)},
	}, []step{
		{time.Second, load(60), scale.Plan{Replicas: 1, Why: "load"}}, // 10 on average in 6 s
		{2 * time.Second, load(120), scale.Plan{Replicas: 3, Why: "panic", Again: time.Second}},
		{3 * time.Second, load(20), scale.Plan{Replicas: 4, Why: "panic", Again: time.Second}},
		{62 * time.Second, nil, scale.Plan{Replicas: 4, Why: "panic", Again: time.Second}},
		{63 * time.Second, nil, scale.Plan{Replicas: 2, Why: "at most half is taken away at a time", Again: time.Second}},
		{65 * time.Second, nil, scale.Plan{Replicas: 1, Why: "at most half is taken away at a time"}},
	})
}

func TestScaleDownDelay(t *testing.T) {
	load := func(busy float64) func(*scale.Input) {
		return func(in *scale.Input) {
			in.Load.History = scale.History{}
			in.Load.History.Add(in.Now.Add(-6*time.Second), in.Now, 6*busy, 1)
		}
	}
	held := func(n int32) scale.Plan {
		return scale.Plan{Replicas: n, Why: "scale-down delay", Again: time.Second}
	}
	tell(t, scale.Input{
		Replicas: 4, Ready: 4, Min: 1, Load: &scale.Load{Since: now.Add(-time.Hour)},
		Settings: read(t, map[string]string{"target": "10", "target-utilization-percentage": "100", "window": "6s", "scale-down-delay": "30s"}),
	}, []step{
		{0, load(40), scale.Plan{Replicas: 4, Why: "load", Again: time.Second}},
		{10 * time.Second, load(20), held(4)},
		{20 * time.Second, load(30), held(4)},
		{30 * time.Second, load(20), held(4)},
		{31 * time.Second, load(20), held(3)},
		{50 * time.Second, load(20), held(3)},
		{51 * time.Second, load(20), scale.Plan{Replicas: 2, Why: "load", Again: time.Second}},
		{52 * time.Second, load(50), scale.Plan{Replicas: 5, Why: "panic", Again: time.Second}},
	})
}

func read(t *testing.T, settings map[string]string) scale.Settings {
	t.Helper()
	s, err := scale.Read(prefixed(settings))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
