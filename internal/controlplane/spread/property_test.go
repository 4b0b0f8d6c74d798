// SPDX-License-Identifier: Apache-2.0

package spread

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// world is a cluster of random nodes, and a Deployment whose Pods a random
// scheduler places.
type world struct {
	in        Input
	made      int
	scheduler string
	grace     time.Duration // of Pods that are evicted
	skew      time.Duration // of the clock that tells when Pods were made
	evicts    []time.Time
}

// Schedulers: Kubernetes' own, as its weights have it, would rather fill a node
// than use one that it is to avoid.
const (
	spreads  = "spreads"
	stubborn = "takes the fullest node"
	whimsy   = "takes any node"
)

func newWorld(t *rapid.T) *world {
	w := &world{
		scheduler: rapid.SampledFrom([]string{spreads, stubborn, whimsy}).Draw(t, "the scheduler"),
		grace:     time.Duration(rapid.IntRange(1, 300).Draw(t, "grace")) * time.Second,
		skew:      time.Duration(rapid.SampledFrom([]int{0, 0, 1, -1, 30, -30, 300, -300}).Draw(t, "skew")) * time.Second,
		in:        Input{Deployment: deployment(rapid.Int32Range(0, 5).Draw(t, "replicas")), Now: now},
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "nodes") {
		n := node(fmt.Sprint("node", i))
		if rapid.IntRange(0, 4).Draw(t, "architecture") == 0 {
			arm(&n)
		}
		if e := rapid.SampledFrom([]corev1.TaintEffect{"", "", "", corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule}).Draw(t, "taint"); e != "" {
			tainted(e)(&n)
		}
		w.in.Nodes = append(w.in.Nodes, n)
	}
	return w
}

// takes is how the scheduler sees it.
func (w *world) takes(n *corev1.Node) bool {
	return !n.Spec.Unschedulable && n.Status.Conditions[0].Status == corev1.ConditionTrue &&
		!slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Effect == corev1.TaintEffectNoSchedule })
}

func (w *world) live(node string) (n int) {
	for _, p := range w.in.Pods {
		if p.DeletionTimestamp == nil && p.Spec.NodeName == node {
			n++
		}
	}
	return n
}

// settle lets Pods end whose time has come, and makes and places those that are
// missing.
func (w *world) settle(t *rapid.T) {
	w.in.Pods = slices.DeleteFunc(w.in.Pods, func(p corev1.Pod) bool {
		return p.DeletionTimestamp != nil && !w.in.Now.Before(p.DeletionTimestamp.Time)
	})
	live := len(w.in.Pods)
	for _, p := range w.in.Pods {
		if p.DeletionTimestamp != nil {
			live--
		}
	}
	for ; live < int(*w.in.Deployment.Spec.Replicas); live++ {
		var can []*corev1.Node
		for i := range w.in.Nodes {
			if w.takes(&w.in.Nodes[i]) {
				can = append(can, &w.in.Nodes[i])
			}
		}
		if len(can) == 0 {
			return
		}
		to := can[rapid.IntRange(0, len(can)-1).Draw(t, "node of a Pod")]
		switch w.scheduler {
		case spreads:
			to = slices.MinFunc(can, func(a, b *corev1.Node) int {
				return w.live(a.Name) + 100*len(a.Spec.Taints) - w.live(b.Name) - 100*len(b.Spec.Taints)
			})
		case stubborn:
			to = slices.MaxFunc(can, func(a, b *corev1.Node) int { return w.live(a.Name) - w.live(b.Name) })
		}
		w.made++
		p := pod(fmt.Sprint("pod", w.made), to.Name, 0)
		p.CreationTimestamp = metav1.NewTime(w.in.Now.Add(w.skew))
		p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(w.in.Now)
		w.in.Pods = append(w.in.Pods, p)
	}
}

func (w *world) delete(i int, grace time.Duration) {
	w.in.Pods[i].DeletionTimestamp = new(metav1.NewTime(w.in.Now.Add(grace)))
}

// disturb is what happens in a cluster: drains, power cuts, and their ends.
func (w *world) disturb(t *rapid.T) {
	n := &w.in.Nodes[rapid.IntRange(0, len(w.in.Nodes)-1).Draw(t, "node")]
	switch rapid.SampledFrom([]string{"drain", "uncordon", "cut", "boot", "nothing"}).Draw(t, "event") {
	case "drain":
		cordoned(n)
		for i, p := range w.in.Pods {
			if p.Spec.NodeName == n.Name && p.DeletionTimestamp == nil {
				w.delete(i, w.grace)
			}
		}
	case "uncordon":
		n.Spec.Unschedulable = false
	case "cut", "boot":
		status := corev1.ConditionTrue
		if n.Status.Conditions[0].Status == status {
			status = corev1.ConditionUnknown
		}
		n.Status.Conditions[0] = corev1.NodeCondition{Type: corev1.NodeReady, Status: status, LastTransitionTime: metav1.NewTime(w.in.Now)}
		for i := range w.in.Pods {
			if w.in.Pods[i].Spec.NodeName == n.Name {
				w.in.Pods[i].Status.Conditions[0] = corev1.PodCondition{Type: corev1.PodReady, Status: status, LastTransitionTime: metav1.NewTime(w.in.Now)}
			}
		}
	}
}

// decide does what Decide says, if that is right.
func (w *world) decide(t *rapid.T) Plan {
	p := Decide(w.in)
	if again := Decide(w.in); summary(again) != summary(p) {
		t.Fatalf("%s, and then %s", summary(p), summary(again))
	}
	if p.Evict == nil {
		return p
	}
	here := w.live(p.Evict.Spec.NodeName)
	for _, n := range p.To {
		if w.live(n.Name) > here-2 {
			t.Fatalf("%s, where %d are, from a node with %d", summary(p), w.live(n.Name), here)
		}
		if !w.takes(n) || len(n.Spec.Taints) > 0 {
			t.Fatalf("%s, which takes none: %+v", summary(p), n)
		}
	}
	for _, o := range w.in.Pods {
		if o.DeletionTimestamp != nil && w.in.Now.Before(o.DeletionTimestamp.Time) || o.Status.Conditions[0].Status != corev1.ConditionTrue {
			t.Fatalf("%s, but %s is ending or not ready", summary(p), o.Name)
		}
	}
	if len(p.To) == 0 || len(w.in.Pods) < int(*w.in.Deployment.Spec.Replicas) {
		t.Fatalf("%s of %d", summary(p), len(w.in.Pods))
	}
	w.in.Last = p.Record
	w.evicts = append(w.evicts, w.in.Now)
	w.delete(slices.IndexFunc(w.in.Pods, func(o corev1.Pod) bool { return o.Name == p.Evict.Name }), w.grace)
	return p
}

func TestEvictsOnlyWhatHelpsAndNeverForLong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			w.settle(t)
			w.disturb(t)
			w.decide(t)
			w.in.Now = w.in.Now.Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "seconds")) * time.Second)
		}
		// From here on nothing happens by itself.
		w.evicts = nil
		quiet := w.in.Now
		for w.in.Now.Before(quiet.Add(72 * time.Hour)) {
			w.settle(t)
			p := w.decide(t)
			switch {
			case p.Evict != nil:
				w.in.Now = w.in.Now.Add(10 * time.Second)
			case p.Again > 0:
				w.in.Now = w.in.Now.Add(p.Again)
			case slices.ContainsFunc(w.in.Pods, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil }):
				w.in.Now = w.in.Now.Add(10 * time.Second)
			default: // then time alone changes nothing
				w.in.Now = w.in.Now.Add(24 * time.Hour)
				if p := w.decide(t); p.Evict != nil || p.Again > 0 {
					t.Fatalf("first nothing, and a day later %s", summary(p))
				}
			}
		}
		w.check(t, quiet)
	})
}

// check looks at three days in which nothing else happened.
func (w *world) check(t *rapid.T, quiet time.Time) {
	if w.scheduler == spreads && len(w.evicts) > int(*w.in.Deployment.Spec.Replicas) {
		t.Errorf("%d evictions of %d Pods, though the scheduler spreads them", len(w.evicts), *w.in.Deployment.Spec.Replicas)
	}
	for day := range 3 {
		n := 0
		for _, at := range w.evicts {
			if at.Sub(quiet)/(24*time.Hour) == time.Duration(day) {
				n++
			}
		}
		if day == 0 && n > most+atOnce || day > 0 && n > 5 {
			t.Errorf("%d evictions on day %d: %v", n, day, w.evicts)
		}
	}
	if w.scheduler != spreads || slices.ContainsFunc(w.in.Pods, func(p corev1.Pod) bool { return p.Status.Conditions[0].Status != corev1.ConditionTrue }) {
		return
	}
	for i := range w.in.Nodes {
		full := &w.in.Nodes[i]
		for j := range w.in.Nodes {
			n := &w.in.Nodes[j]
			if w.takes(n) && len(n.Spec.Taints) == 0 && n.Labels[corev1.LabelArchStable] == full.Labels[corev1.LabelArchStable] && w.live(n.Name) < w.live(full.Name)-1 {
				t.Errorf("%s has %d Pods for ever, and %s could have more than %d", full.Name, w.live(full.Name), n.Name, w.live(n.Name))
			}
		}
	}
}
