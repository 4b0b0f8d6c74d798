// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestProbingIsEagerUntilTheFirstSuccessAndCountsOnlyRegularFailures(t *testing.T) {
	for name, c := range map[string]struct {
		probe   corev1.Probe
		eager   bool
		healthy func(after time.Duration) bool
		want    []string // judgements with their time
		probes  int      // until the last of them
	}{
		"ready at once": {
			corev1.Probe{PeriodSeconds: 10},
			true,
			func(after time.Duration) bool { return true },
			[]string{"healthy 0s"},
			1,
		},
		"ready after 100 ms": {
			corev1.Probe{PeriodSeconds: 10},
			true,
			func(after time.Duration) bool { return after >= 100*time.Millisecond },
			[]string{"healthy 100ms"},
			11,
		},
		"never ready: three periods and not three probes": {
			corev1.Probe{PeriodSeconds: 2},
			true,
			func(time.Duration) bool { return false },
			[]string{"unhealthy 4s"},
			51,
		},
		"without eagerness": {
			corev1.Probe{PeriodSeconds: 1, FailureThreshold: 2},
			false,
			func(after time.Duration) bool { return after > 5*time.Second },
			[]string{"unhealthy 2s"},
			2,
		},
		"lost and found": {
			corev1.Probe{PeriodSeconds: 1, FailureThreshold: 1},
			true,
			func(after time.Duration) bool { return after < 2*time.Second || after > 4*time.Second },
			[]string{"healthy 0s", "unhealthy 2s", "healthy 5s"},
			6,
		},
		"two successes in a row": {
			corev1.Probe{PeriodSeconds: 1, SuccessThreshold: 2},
			true,
			func(after time.Duration) bool { return true },
			[]string{"healthy 1s"},
			2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProbing(&c.probe, c.eager, now)
			at := now.Add(p.first())
			var got []string
			latest, probes := undecided, 0
			for len(got) < len(c.want) && probes < 1000 {
				probes++
				j, _ := p.observe(c.healthy(at.Sub(now)), at)
				if j != undecided && j != latest {
					latest = j
					word := map[judgement]string{healthy: "healthy", unhealthy: "unhealthy"}[j]
					got = append(got, fmt.Sprint(word, " ", at.Sub(now)))
				}
				at = at.Add(p.pause(at))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if probes != c.probes {
				t.Errorf("%d probes, want %d", probes, c.probes)
			}
		})
	}
}
