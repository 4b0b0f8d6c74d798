// SPDX-License-Identifier: Apache-2.0

package scale_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/serin-dev/serin/internal/controlplane/scale"
)

// scenario is a day in the life of a simulated service, told in seconds.
type scenario struct {
	name     string
	about    string
	settings map[string]string
	min, max int32
	seconds  int
	rate     func(second float64) float64 // requests per second
	noise    bool                         // requests come at random, not evenly

	// Bounds that the simulation must keep.
	short int // most seconds in a row with fewer ready replicas than needed
	turns int // how often the replica count may turn from rising to falling or back
	peak  int32
	last  int32 // replicas at the end
}

// A replica of the simulated service works on 10 requests at a time, each for
// 100 ms; the target is 7 of these 10. A Pod takes a second to start.
const (
	serviceTime = 100 * time.Millisecond
	slots       = 10
	startTime   = time.Second
	most        = slots * float64(time.Second/serviceTime) // requests per second and replica
)

var scenarios = []scenario{
	{
		name: "step", about: "The load becomes five times as much, and goes back.",
		min: 1, seconds: 300, short: 3, turns: 2, peak: 24, last: 1,
		rate: func(s float64) float64 { return 60 + between(s, 60, 150, 240) },
	},
	{
		name: "ramp", about: "The load grows twentyfold within three minutes, and stays.",
		min: 1, seconds: 300, short: 0, turns: 1, peak: 18, last: 18,
		rate: func(s float64) float64 { return 60 + 1140*math.Min(1, math.Max(0, (s-30)/180)) },
	},
	{
		name: "spike", about: "Ten times the load, for five seconds.",
		min: 1, seconds: 200, short: 3, turns: 2, peak: 56, last: 1,
		rate: func(s float64) float64 { return 60 + between(s, 60, 65, 540) },
	},
	{
		name: "noise", about: "Requests come at random, 200 per second on average. No replica comes or goes.",
		min: 1, seconds: 400, short: 0, turns: 0, peak: 3, last: 3, noise: true,
		rate: func(float64) float64 { return 200 },
	},
	{
		name: "on-off", about: "Ten busy seconds in every forty: replicas are there for the next time.",
		min: 1, seconds: 300, short: 3, turns: 8, peak: 20, last: 19,
		rate: func(s float64) float64 { return 5 + between(math.Mod(s, 40), 20, 30, 250) },
	},
	{
		name: "to-zero", about: "A few requests, silence, and a few more, with minReplicas 0 and a window of 20 seconds.",
		settings: map[string]string{"window": "20s"},
		min:      0, seconds: 180, short: 2, turns: 4, peak: 1, last: 0,
		rate: func(s float64) float64 { return between(s, 10, 30, 5) + between(s, 90, 120, 5) },
	},
}

// between is value from start to end, and nothing else.
func between(s, start, end, value float64) float64 {
	if s >= start && s < end {
		return value
	}
	return 0
}

// sample is one second of a simulation.
type sample struct {
	inFlight, needed float64
	replicas, ready  int32
}

// service is a simulated service and its autoscaler.
type service struct {
	scenario
	in       scale.Input
	random   *rand.Rand
	due      float64         // requests that came, in part
	waiting  int             // for a free slot
	working  []time.Duration // when each ends
	starting []time.Duration // when each Pod is ready
	busy     float64         // request-seconds since the last report
	begun    float64
}

const moment = 10 * time.Millisecond

// simulate plays a scenario and returns a sample for each second.
func simulate(t *testing.T, sc scenario) []sample {
	t.Helper()
	settings := map[string]string{"target": "10"}
	maps.Copy(settings, sc.settings)
	s := &service{scenario: sc, random: rand.New(rand.NewPCG(1, 2))}
	begin := max(sc.min, int32(math.Ceil(sc.rate(0)/most/.7)))
	s.in = scale.Input{
		Active: true, Replicas: begin, Ready: begin, Min: sc.min, Max: sc.max,
		Settings: read(t, settings),
		Load:     &scale.Load{Since: now, Until: now},
	}
	var samples []sample
	for at := time.Duration(0); at < time.Duration(sc.seconds)*time.Second; at += moment {
		s.live(at)
		held := s.waiting > 0 && s.in.Ready == 0
		if at%time.Second == 0 || held && s.in.Replicas == 0 {
			s.decide(at)
		}
		if at%time.Second == 0 {
			samples = append(samples, sample{
				inFlight: float64(s.waiting + len(s.working)),
				needed:   math.Ceil(s.rate(at.Seconds())/most - 1e-9),
				replicas: s.in.Replicas, ready: s.in.Ready,
			})
		}
	}
	return samples
}

// live lets a moment pass: requests come, begin and end, Pods become ready.
func (s *service) live(at time.Duration) {
	s.due += s.rate(at.Seconds()) * moment.Seconds()
	come := math.Floor(s.due)
	s.due -= come
	if s.noise {
		come, s.due = s.poisson(s.rate(at.Seconds())*moment.Seconds()), 0
	}
	s.waiting += int(come)
	s.begun += come
	s.working = after(s.working, at)
	for s.waiting > 0 && len(s.working) < int(s.in.Ready)*slots {
		s.waiting--
		s.working = append(s.working, at+serviceTime)
	}
	s.busy += float64(s.waiting+len(s.working)) * moment.Seconds()
	s.starting = after(s.starting, at)
	s.in.Ready = s.in.Replicas - int32(len(s.starting))
}

// decide reports the load and does what scale.Decide wants.
func (s *service) decide(at time.Duration) {
	s.in.Now = now.Add(at)
	s.in.Load.InFlight = int64(s.waiting + len(s.working))
	s.in.Load.History.Add(s.in.Load.Until, s.in.Now, s.busy, s.begun)
	s.in.Load.History.Forget(s.in.Now.Add(-s.in.Settings.Window))
	s.in.Load.Until = s.in.Now
	s.busy, s.begun = 0, 0
	plan := scale.Decide(s.in)
	for range plan.Replicas - s.in.Replicas {
		s.starting = append(s.starting, at+startTime)
	}
	if gone := int(s.in.Replicas - plan.Replicas); gone > 0 { // first those that do not serve yet
		s.starting = s.starting[:max(0, len(s.starting)-gone)]
	}
	s.in.State, s.in.Replicas = plan.State, plan.Replicas
	s.in.Ready = s.in.Replicas - int32(len(s.starting))
}

// after keeps the times that are still to come.
func after(times []time.Duration, at time.Duration) []time.Duration {
	kept := times[:0]
	for _, t := range times {
		if t > at {
			kept = append(kept, t)
		}
	}
	return kept
}

// poisson is a random number with that mean.
func (s *service) poisson(mean float64) float64 {
	n, p := -1.0, 1.0
	for limit := math.Exp(-mean); p > limit; n++ {
		p *= s.random.Float64()
	}
	return n
}

func TestSimulations(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			samples := simulate(t, sc)
			short, longest, turns, peak, direction := 0, 0, 0, int32(0), int32(0)
			for i, s := range samples {
				if float64(s.ready) < s.needed {
					short++
				} else {
					short = 0
				}
				longest = max(longest, short)
				peak = max(peak, s.replicas)
				if i > 0 && s.replicas != samples[i-1].replicas {
					step := s.replicas - samples[i-1].replicas
					if step > 0 != (direction > 0) {
						turns++
					}
					direction = step
				}
				if s.replicas == 0 && s.inFlight > 0 {
					t.Errorf("second %d: none, with %g requests in flight", i, s.inFlight)
				}
			}
			last := samples[len(samples)-1].replicas
			t.Logf("short for %d s, %d turns, peak %d, last %d", longest, turns, peak, last)
			if longest > sc.short {
				t.Errorf("fewer replicas than needed for %d s, more than %d", longest, sc.short)
			}
			if turns > sc.turns {
				t.Errorf("%d turns, more than %d", turns, sc.turns)
			}
			if peak > sc.peak {
				t.Errorf("%d replicas, more than %d", peak, sc.peak)
			}
			if last != sc.last {
				t.Errorf("%d replicas at the end, want %d", last, sc.last)
			}
		})
	}
}
