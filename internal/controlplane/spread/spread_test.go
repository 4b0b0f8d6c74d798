// SPDX-License-Identifier: Apache-2.0

package spread

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(-d)) }

// node is one that takes Pods, but for the changes.
func node(name string, change ...func(*corev1.Node)) corev1.Node {
	n := corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelArchStable: "amd64", corev1.LabelOSStable: "linux"}},
		Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: ago(time.Hour)}},
		},
	}
	for _, c := range change {
		c(&n)
	}
	return n
}

// pod is one that is ready, but for the changes.
func pod(name, node string, age time.Duration, change ...func(*corev1.Pod)) corev1.Pod {
	p := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: ago(age), Labels: map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: "1"}},
		Spec:       corev1.PodSpec{NodeName: node},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: ago(age)}},
		},
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func deployment(replicas int32) *appsv1.Deployment {
	return &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &replicas}}
}

// summary is what matters of a Plan.
func summary(p Plan) string {
	if p.Evict == nil {
		return fmt.Sprintf("again %v", p.Again)
	}
	var to []string
	for _, n := range p.To {
		to = append(to, n.Name)
	}
	return fmt.Sprintf("evict %s to %s, the %s", p.Evict.Name, strings.Join(to, " or "), p.Record)
}

func cordoned(n *corev1.Node) { n.Spec.Unschedulable = true }
func unready(n *corev1.Node)  { n.Status.Conditions[0].Status = corev1.ConditionUnknown }
func justReady(n *corev1.Node) {
	n.Status.Conditions[0].LastTransitionTime = ago(10 * time.Second)
}
func arm(n *corev1.Node) { n.Labels[corev1.LabelArchStable] = "arm64" }

func tainted(e corev1.TaintEffect) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "control-plane", Effect: e}} }
}

func ending(grace time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.DeletionTimestamp = new(ago(-grace)) }
}

func TestDecide(t *testing.T) {
	const nothing = "again 0s"
	both := []corev1.Pod{pod("old", "a", time.Hour), pod("young", "a", time.Minute)}
	for name, tt := range map[string]struct {
		replicas int32
		pods     []corev1.Pod
		nodes    []corev1.Node
		last     Record
		want     string
	}{
		"both Pods on one of two nodes": {
			2, both,
			[]corev1.Node{node("a"), node("b")},
			Record{},
			"evict young to b, the 1 2026-11-30T12:00:00Z",
		},
		"one Pod on each": {2, []corev1.Pod{pod("1", "a", time.Hour), pod("2", "b", time.Hour)}, []corev1.Node{node("a"), node("b"), node("c")}, Record{}, nothing},
		"one Pod":         {1, both[:1], []corev1.Node{node("a"), node("b")}, Record{}, nothing},
		"one node":        {2, both, []corev1.Node{node("a")}, Record{}, nothing},
		"three Pods on two nodes": {
			3, append([]corev1.Pod{pod("other", "b", time.Hour)}, both...), []corev1.Node{node("a"), node("b")}, Record{}, nothing,
		},
		"three Pods, and a third node": {
			3, append([]corev1.Pod{pod("other", "b", time.Hour)}, both...),
			[]corev1.Node{node("a"), node("b"), node("c")},
			Record{},
			"evict young to c, the 1 2026-11-30T12:00:00Z",
		},
		"four Pods on one node, and emptier nodes first": {
			4, append([]corev1.Pod{pod("third", "a", time.Hour), pod("other", "b", time.Hour)}, both...),
			[]corev1.Node{node("a"), node("b"), node("c")},
			Record{},
			"evict young to c or b, the 1 2026-11-30T12:00:00Z",
		},
		"the node with Pods is cordoned": {2, both, []corev1.Node{node("a", cordoned), node("b")}, Record{}, "evict young to b, the 1 2026-11-30T12:00:00Z"},
		"the other is cordoned":          {2, both, []corev1.Node{node("a"), node("b", cordoned)}, Record{}, nothing},
		"the other is not ready":         {2, both, []corev1.Node{node("a"), node("b", unready)}, Record{}, nothing},
		"the other has been ready for 10 s, and a third for longer, but it is cordoned": {
			2, both, []corev1.Node{node("a"), node("b", justReady), node("c", cordoned)}, Record{}, "again 20s",
		},
		"the other is a control plane":                 {2, both, []corev1.Node{node("a"), node("b", tainted(corev1.TaintEffectNoSchedule))}, Record{}, nothing},
		"the scheduler would rather not use the other": {2, both, []corev1.Node{node("a"), node("b", tainted(corev1.TaintEffectPreferNoSchedule))}, Record{}, nothing},
		"the taint is tolerated": {
			2,
			[]corev1.Pod{both[0], pod("young", "a", time.Minute, func(p *corev1.Pod) {
				p.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
			})},
			[]corev1.Node{node("a"), node("b", tainted(corev1.TaintEffectNoSchedule))},
			Record{},
			"evict young to b, the 1 2026-11-30T12:00:00Z",
		},
		"the other has another architecture": {2, both, []corev1.Node{node("a"), node("b", arm)}, Record{}, nothing},
		"the node selector leaves out the other": {
			2,
			[]corev1.Pod{both[0], pod("young", "a", time.Minute, func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"pool": "edge"} })},
			[]corev1.Node{node("a"), node("b")},
			Record{},
			nothing,
		},
		"a Pod is not ready": {
			2,
			[]corev1.Pod{both[0], pod("young", "a", time.Minute, func(p *corev1.Pod) { p.Status.Conditions = nil })},
			[]corev1.Node{node("a"), node("b")},
			Record{},
			nothing,
		},
		"a Pod has been ready for 12 s": {2, []corev1.Pod{both[0], pod("young", "a", 12*time.Second)}, []corev1.Node{node("a"), node("b")}, Record{}, "again 18s"},
		"a Pod that is ready in an hour, by the clock of its node": {
			2, []corev1.Pod{both[0], pod("young", "a", -time.Hour)}, []corev1.Node{node("a"), node("b")}, Record{}, "again 30s",
		},
		"a Pod is missing": {3, both, []corev1.Node{node("a"), node("b")}, Record{}, nothing},
		"a rollout": {
			2,
			[]corev1.Pod{both[0], pod("young", "a", time.Minute, func(p *corev1.Pod) { p.Labels = map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: "2"} })},
			[]corev1.Node{node("a"), node("b")},
			Record{},
			nothing,
		},
		"a third Pod is about to end":     {2, append([]corev1.Pod{pod("gone", "b", time.Hour, ending(time.Minute))}, both...), []corev1.Node{node("a"), node("b")}, Record{}, "again 1m30s"},
		"a third Pod cannot end any more": {2, append([]corev1.Pod{pod("gone", "c", time.Hour, ending(-time.Minute))}, both...), []corev1.Node{node("a"), node("b")}, Record{}, "evict young to b, the 1 2026-11-30T12:00:00Z"},
		"a third Pod has ended": {
			2, append([]corev1.Pod{pod("done", "b", time.Hour, func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })}, both...),
			[]corev1.Node{node("a"), node("b")},
			Record{},
			"evict young to b, the 1 2026-11-30T12:00:00Z",
		},
		"four helped": {2, both, []corev1.Node{node("a"), node("b")}, Record{4, now.Add(-3 * time.Minute)}, "evict young to b, the 5 2026-11-30T12:00:00Z"},
		"the first one was a moment ago": {
			2, []corev1.Pod{pod("old", "a", time.Hour), pod("young", "a", 32*time.Second)}, []corev1.Node{node("a"), node("b")}, Record{1, now.Add(-32 * time.Second)}, "again 28s",
		},
		"seven helped": {2, both, []corev1.Node{node("a"), node("b")}, Record{7, now.Add(-150 * time.Second)}, "evict young to b, the 8 2026-11-30T12:00:00Z"},
		"the third was in vain": {
			2, []corev1.Pod{both[0], pod("young", "a", 3*time.Minute)}, []corev1.Node{node("a"), node("b")}, Record{3, now.Add(-3 * time.Minute)}, "again 1m0s",
		},
		"the third was in vain, by another clock": {
			2, []corev1.Pod{both[0], pod("young", "a", 3*time.Minute+50*time.Second)}, []corev1.Node{node("a"), node("b")}, Record{3, now.Add(-3 * time.Minute)}, "again 1m0s",
		},
		"the third was in vain, and its pause is over": {
			2,
			[]corev1.Pod{both[0], pod("young", "a", 4*time.Minute)},
			[]corev1.Node{node("a"), node("b")},
			Record{3, now.Add(-4 * time.Minute)},
			"evict young to b, the 4 2026-11-30T12:00:00Z",
		},
		"the last one was a day ago": {
			2, both, []corev1.Node{node("a"), node("b")}, Record{3, now.Add(-24 * time.Hour)}, "evict young to b, the 1 2026-11-30T12:00:00Z",
		},
		"the clock was set":   {2, both, []corev1.Node{node("a"), node("b")}, Record{3, now.Add(time.Hour)}, "evict young to b, the 4 2026-11-30T12:00:00Z"},
		"the node is unknown": {2, both, []corev1.Node{node("b")}, Record{}, nothing},
		"no Pods wanted":      {0, nil, []corev1.Node{node("a"), node("b")}, Record{}, nothing},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{Deployment: deployment(tt.replicas), Pods: tt.pods, Nodes: tt.nodes, Last: tt.last, Now: now}
			got := summary(Decide(in))
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			slices.Reverse(in.Pods)
			slices.Reverse(in.Nodes)
			if again := summary(Decide(in)); again != got {
				t.Errorf("the other way round: %s, and not %s", again, got)
			}
		})
	}
}

func TestFits(t *testing.T) {
	wants := func(cpu, memory string) corev1.Pod {
		return corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory),
		}}}}}}
	}
	ended := wants("10", "1Gi")
	ended.Status.Phase = corev1.PodSucceeded
	for name, tt := range map[string]struct {
		there []corev1.Pod
		want  bool
	}{
		"an empty node":       {nil, true},
		"exactly enough":      {[]corev1.Pod{wants("900m", "896Mi")}, true},
		"too little CPU":      {[]corev1.Pod{wants("901m", "1Mi")}, false},
		"too little memory":   {[]corev1.Pod{wants("1m", "897Mi")}, false},
		"no place for a Pod":  {[]corev1.Pod{wants("0", "0"), wants("0", "0"), wants("0", "0")}, false},
		"Pods that are over":  {[]corev1.Pod{ended, ended, ended}, true},
		"more than there was": {[]corev1.Pod{wants("2", "0")}, false},
	} {
		n := node("a")
		n.Status.Allocatable = corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Gi"), corev1.ResourcePods: resource.MustParse("3"),
		}
		before, p := n.DeepCopy(), wants("100m", "128Mi")
		if got := Fits(&p, &n, tt.there); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
		if diff := cmp.Diff(before, &n); diff != "" {
			t.Errorf("%s: the node was changed:\n%s", name, diff)
		}
	}
}

func FuzzRecord(f *testing.F) {
	for _, s := range []string{"", "1 2026-11-30T12:00:00Z", "-5 2026-11-30T12:00:00+01:00", "99999999999999999999 x", "3", "1 9999-12-31T23:59:59Z more"} {
		f.Add(s, int64(0))
	}
	f.Fuzz(func(t *testing.T, s string, at int64) {
		r, err := ParseRecord(s)
		if err != nil && r != (Record{}) {
			t.Errorf("%q is refused and gives %v", s, r)
		}
		for range 20 {
			for _, vain := range []bool{false, true} {
				if wait := r.wait(time.Unix(at, 0), vain); wait < 0 || wait > firstPause<<(most-1) {
					t.Errorf("%q waits for %v", s, wait)
				}
			}
			r = r.next(time.Unix(at, 0))
			if r.Count < 1 || r.Count > most {
				t.Errorf("%q becomes %v", s, r)
			}
		}
		again, err := ParseRecord(r.String())
		if inRange := r.Last.Year() >= 0 && r.Last.Year() <= 9999; inRange && (err != nil || again.Count != r.Count || !again.Last.Equal(r.Last)) {
			t.Errorf("%v becomes %v, error %v", r, again, err)
		}
	})
}
