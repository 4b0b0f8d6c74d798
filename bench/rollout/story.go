// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// step is one apply and its result.
type step struct {
	kind          string
	before, after shares
	began         time.Time // apply was called
	applied       time.Time // apply returned
	end           time.Time // the next step begins
}

// story applies one manifest after the other and waits for the result of each.
type story struct {
	system *system
	load   *generator
	rng    *rand.Rand
	dwell  time.Duration
	toZero bool

	stable   manifest // of the revision that has what a canary leaves
	revision string   // its name
	traffic  shares   // now
	fresh    int      // templates that were made up
	steps    []step
	woken    []time.Time // when the load came back
	cycles   int
}

// cycle is one way in which a rollout goes.
type cycle struct {
	name string
	run  func(*story, context.Context) error
}

var cycles = []cycle{
	{"promote", (*story).promote},
	{"rollback", (*story).rollback},
	{"pin", (*story).pin},
	{"abort", (*story).abort},
	{"replace", (*story).replace},
}

// begin starts the first model and waits for its first answer.
func (s *story) begin(ctx context.Context) error {
	s.stable = manifest{model: "model", args: "--enable_docs_url=True", toZero: s.toZero}
	generation, err := s.system.apply(ctx, s.stable)
	if err != nil {
		return err
	}
	isvc, err := s.system.wait(ctx, "the first model serves", func(isvc *v1beta1.InferenceService) bool {
		return isvc.Status.ObservedGeneration >= generation && len(traffic(isvc)) == 1
	})
	if err != nil {
		return err
	}
	s.revision, s.traffic = latest(isvc), traffic(isvc)
	return s.load.waitAnswer(ctx)
}

// tell runs all kinds of cycles, equally often, in random order.
func (s *story) tell(ctx context.Context, n int) error {
	start, shown := time.Now(), time.Time{}
	var order []int
	for s.cycles = range n {
		if len(order) == 0 {
			order = s.rng.Perm(len(cycles))
		}
		c := cycles[order[0]]
		order = order[1:]
		if err := c.run(s, ctx); err != nil {
			return fmt.Errorf("cycle %d, %s: %w", s.cycles, c.name, err)
		}
		if s.toZero {
			if err := s.nap(ctx); err != nil {
				return fmt.Errorf("cycle %d: %w", s.cycles, err)
			}
		}
		if time.Since(shown) > 10*time.Second || s.load.failed.Load() > 0 && s.cycles%10 == 0 {
			shown = time.Now()
			fmt.Printf("%6.0fs  cycle %d of %d: %s; %d requests without answer\n", time.Since(start).Seconds(), s.cycles+1, n, c.name, s.load.failed.Load())
		}
	}
	s.cycles = n
	return nil
}

// promote rolls a canary out.
func (s *story) promote(ctx context.Context) error {
	_, err := s.rollOut(ctx, s.another())
	return err
}

// rollOut promotes a canary. It returns the stable manifest from before.
func (s *story) rollOut(ctx context.Context, m manifest) (before manifest, err error) {
	before = s.stable
	if err := s.canary(ctx, "canary", m); err != nil {
		return before, err
	}
	if err := s.step(ctx, "promote", m, func(n string) shares { return shares{n: 100} }); err != nil {
		return before, err
	}
	s.stable, s.revision = m, only(s.traffic)
	return before, nil
}

// rollback takes the traffic from a rolled out revision by canaryTrafficPercent
// 0 on its own template.
func (s *story) rollback(ctx context.Context) error {
	return s.back(ctx, "rollback", s.another(), func(m manifest) manifest { return m })
}

// pin does the same with a manifest that lost its args and runtime, which makes
// another revision.
func (s *story) pin(ctx context.Context) error {
	m := s.another()
	for m.model == s.stable.model || m.args == "" {
		m = s.another()
	}
	return s.back(ctx, "pin", m, func(m manifest) manifest { m.args = ""; return m })
}

func (s *story) back(ctx context.Context, kind string, m manifest, change func(manifest) manifest) error {
	good := s.revision
	before, err := s.rollOut(ctx, m)
	if err != nil {
		return err
	}
	s.stable, s.revision = before, good
	return s.step(ctx, kind, change(m).at(0), func(n string) shares { return shares{n: 0, good: 100} })
}

// abort applies the manifest from before the canary again.
func (s *story) abort(ctx context.Context) error {
	if err := s.canary(ctx, "canary", s.another()); err != nil {
		return err
	}
	return s.step(ctx, "abort", s.stable, func(string) shares { return shares{s.revision: 100} })
}

// replace replaces a canary that is starting or serving by another one.
func (s *story) replace(ctx context.Context) error {
	first := s.another()
	if s.rng.IntN(2) == 0 {
		if err := s.canary(ctx, "canary", first); err != nil {
			return err
		}
	} else if err := s.meet(ctx, first.at(10)); err != nil {
		return err
	}
	second := s.another()
	for second == first {
		second = s.another()
	}
	if err := s.canary(ctx, "replace", second); err != nil {
		return err
	}
	return s.step(ctx, "abort", s.stable, func(string) shares { return shares{s.revision: 100} })
}

// meet applies a manifest and waits only until the controller knows its revision.
func (s *story) meet(ctx context.Context, m manifest) error {
	generation, err := s.system.apply(ctx, m)
	if err != nil {
		return err
	}
	isvc, err := s.system.wait(ctx, "the controller saw the new spec", func(isvc *v1beta1.InferenceService) bool {
		return isvc.Status.ObservedGeneration >= generation
	})
	if err != nil {
		return err
	}
	// Its share may come just before the next step takes it away.
	s.traffic = shares{s.revision: 90, latest(isvc): 10}
	return nil
}

// canary gives a share to a manifest's revision.
func (s *story) canary(ctx context.Context, kind string, m manifest) error {
	percents := []int64{1, 10, 10, 25, 50}
	c := percents[s.rng.IntN(len(percents))]
	return s.step(ctx, kind, m.at(c), func(n string) shares { return shares{n: c, s.revision: 100 - c} })
}

// another returns a manifest with another template than the stable one. The
// template may be new, or that of an old revision.
func (s *story) another() manifest {
	for {
		m := manifest{model: "model", toZero: s.toZero}
		if s.rng.IntN(2) == 0 {
			m.model = "model-2"
		}
		switch s.rng.IntN(4) {
		case 0:
			m.args = "--enable_docs_url=True"
		case 1:
			m.args = "--enable_docs_url=False"
		case 2:
			s.fresh++
			m.args = fmt.Sprintf("--workers=%d", s.fresh)
		}
		if m != s.stable {
			return m
		}
	}
}

// step applies a manifest, waits until the status shows the wanted shares,
// which depend on the name of the manifest's revision, and lets them work for
// a while.
func (s *story) step(ctx context.Context, kind string, m manifest, want func(latest string) shares) error {
	st := step{kind: kind, before: s.traffic, began: time.Now()}
	generation, err := s.system.apply(ctx, m)
	if err != nil {
		return err
	}
	st.applied = time.Now()
	isvc, err := s.system.wait(ctx, kind, func(isvc *v1beta1.InferenceService) bool {
		return isvc.Status.ObservedGeneration >= generation && maps.Equal(traffic(isvc), want(latest(isvc)))
	})
	if err != nil {
		return err
	}
	st.after = traffic(isvc)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.dwell):
	}
	st.end = time.Now()
	s.steps, s.traffic = append(s.steps, st), st.after
	return nil
}

// nap stops the load until the revisions with a share have no Pods, and starts
// it again.
func (s *story) nap(ctx context.Context) error {
	s.load.paused.Store(true)
	defer func() {
		s.woken = append(s.woken, time.Now())
		s.load.paused.Store(false)
	}()
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	for {
		pods, err := s.system.pods(ctx)
		if err != nil {
			return err
		}
		awake := slices.IndexFunc(pods, func(p corev1.Pod) bool {
			return s.traffic[p.Labels[v1beta1.LabelRevision]] > 0 && p.DeletionTimestamp == nil
		})
		if awake < 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is still there %s after the last request", pods[awake].Name, stepTimeout)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// only is the single revision in s.
func only(s shares) string {
	for name := range s {
		return name
	}
	return ""
}
