// SPDX-License-Identifier: Apache-2.0

// Package spread decides which Pod of a Deployment should be evicted so that
// its Pods share fewer nodes. The scheduler spreads Pods only when it places
// them: after each node was drained in turn, all Pods are on the last node.
//
// A Deployment, its Pods and all nodes go in; at most one Pod comes out, with
// the nodes that can take its replacement. Decide names a Pod only while the
// Deployment is at rest, and only if another node, with one Pod more, would have
// fewer Pods than that node. Fits checks whether the Pods of others on a node
// leave room.
//
// The scheduler places the replacement. If it puts it on the same node again,
// the eviction was in vain, and the next one waits twice as long. Record holds
// the evictions on the Deployment.
package spread

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/resource"
	schedulingv1 "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"github.com/serin-dev/serin/api/v1beta1"
)

const (
	// rest is how long all Pods and the target node must have been ready, so that a
	// rollout, a drain or a flapping node is over.
	rest = 30 * time.Second
	// overdue bounds the wait for a deleted Pod after its grace. On a dead node it
	// stays until the node is removed.
	overdue = 30 * time.Second
)

// Input is everything that a decision depends on.
type Input struct {
	Deployment *appsv1.Deployment
	// Pods are the Pods of the Deployment.
	Pods []corev1.Pod
	// Nodes are all nodes of the cluster.
	Nodes []corev1.Node
	// Last holds the previous evictions.
	Last Record
	Now  time.Time
}

// Plan is what to do. A zero Plan means: nothing, until something changes.
type Plan struct {
	// Evict is the Pod to evict, if there is one.
	Evict *corev1.Pod
	// To are the nodes that can take its replacement, emptiest first.
	To []*corev1.Node
	// Record is what to write on the Deployment before the eviction.
	Record Record
	// Again is the time to the next decision although nothing changes.
	Again time.Duration
}

// Decide returns the Pod to evict, or when to ask again. Same Input, same Plan.
func Decide(in Input) Plan {
	pods, wait := atRest(in)
	if wait > 0 || len(pods) < 2 {
		return Plan{Again: wait}
	}
	victim, to, wait := move(in, pods)
	if len(to) == 0 {
		return Plan{Again: wait}
	}
	vain := slices.ContainsFunc(pods, func(p corev1.Pod) bool {
		return p.Spec.NodeName == victim.Spec.NodeName && in.Last.made(p.CreationTimestamp.Time)
	})
	if wait := in.Last.wait(in.Now, vain); wait > 0 {
		return Plan{Again: wait}
	}
	return Plan{Evict: victim, To: to, Record: in.Last.next(in.Now)}
}

// atRest returns the Pods of a Deployment that has all its Pods, each ready for a
// while and of one template, and none that is being deleted. Otherwise it returns
// none, and how long to wait if only time is missing.
func atRest(in Input) (pods []corev1.Pod, wait time.Duration) {
	for _, p := range in.Pods {
		if v1beta1.PodFinished(&p) {
			continue
		}
		if p.DeletionTimestamp != nil { // when its grace ends
			wait = max(wait, p.DeletionTimestamp.Add(overdue).Sub(in.Now))
			continue
		}
		ready := v1beta1.PodReady(&p)
		if ready == nil {
			return nil, 0
		}
		wait = max(wait, restLeft(ready.LastTransitionTime, in.Now))
		pods = append(pods, p)
	}
	want := int32(1)
	if r := in.Deployment.Spec.Replicas; r != nil {
		want = *r
	}
	const template = appsv1.DefaultDeploymentUniqueLabelKey
	if len(pods) != int(want) || slices.ContainsFunc(pods, func(p corev1.Pod) bool { return p.Labels[template] != pods[0].Labels[template] }) {
		return nil, 0
	}
	if wait > 0 {
		return nil, wait
	}
	return pods, 0
}

// move returns the youngest Pod of the fullest node, and the nodes that can take
// one more and would still have fewer. If there are none, it returns how long to
// wait for one that has not been ready for long.
func move(in Input, pods []corev1.Pod) (victim *corev1.Pod, to []*corev1.Node, wait time.Duration) {
	on := map[string][]*corev1.Pod{}
	for i := range pods {
		on[pods[i].Spec.NodeName] = append(on[pods[i].Spec.NodeName], &pods[i])
	}
	from := slices.DeleteFunc(nodes(in.Nodes), func(n *corev1.Node) bool { return len(on[n.Name]) < 2 })
	slices.SortFunc(from, func(a, b *corev1.Node) int {
		return cmp.Or(cmp.Compare(len(on[b.Name]), len(on[a.Name])), strings.Compare(a.Name, b.Name))
	})
	for _, full := range from {
		victim := slices.MinFunc(on[full.Name], func(a, b *corev1.Pod) int {
			return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
		})
		for _, n := range nodes(in.Nodes) {
			if len(on[n.Name])+1 >= len(on[full.Name]) || !takes(n, full, victim) {
				continue
			}
			switch left := restLeft(nodeReady(n).LastTransitionTime, in.Now); {
			case left <= 0:
				to = append(to, n)
			case wait == 0 || left < wait:
				wait = left
			}
		}
		if len(to) > 0 {
			slices.SortFunc(to, func(a, b *corev1.Node) int {
				return cmp.Or(cmp.Compare(len(on[a.Name]), len(on[b.Name])), strings.Compare(a.Name, b.Name))
			})
			return victim, to, 0
		}
	}
	return nil, nil, wait
}

// takes reports whether a node is ready and takes a Pod that another has, as
// far as the objects tell. A taint of PreferNoSchedule counts as one of
// NoSchedule: the scheduler would prefer the node where the Pod is. A node of
// another architecture does not count: there may be no image for it.
func takes(n, from *corev1.Node, p *corev1.Pod) bool {
	if n.Spec.Unschedulable || n.DeletionTimestamp != nil || nodeReady(n) == nil {
		return false
	}
	for _, l := range []string{corev1.LabelArchStable, corev1.LabelOSStable} {
		if n.Labels[l] != from.Labels[l] {
			return false
		}
	}
	if _, tainted := schedulingv1.FindMatchingUntoleratedTaint(logr.Discard(), n.Spec.Taints, p.Spec.Tolerations, nil, false); tainted {
		return false
	}
	matches, err := nodeaffinity.GetRequiredNodeAffinity(p).Match(n)
	return err == nil && matches
}

// Fits reports whether a node has the resources for one more Pod like p, beside
// those that are there.
func Fits(p *corev1.Pod, n *corev1.Node, there []corev1.Pod) bool {
	free := n.Status.Allocatable.DeepCopy()
	take := func(p *corev1.Pod) {
		for name, amount := range requests(p) {
			left := free[name]
			left.Sub(amount)
			free[name] = left
		}
	}
	for i := range there {
		if !v1beta1.PodFinished(&there[i]) {
			take(&there[i])
		}
	}
	take(p)
	for name := range requests(p) {
		if left := free[name]; left.Sign() < 0 {
			return false
		}
	}
	return true
}

// requests returns the resources that the scheduler counts of a Pod, and one Pod.
func requests(p *corev1.Pod) corev1.ResourceList {
	r := resource.PodRequests(p, resource.PodResourcesOptions{UseStatusResources: true})
	r[corev1.ResourcePods] = *apiresource.NewQuantity(1, apiresource.DecimalSI)
	return r
}

func nodeReady(n *corev1.Node) *corev1.NodeCondition {
	return condition(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// restLeft returns how much of rest is left since a time. Another clock may have
// recorded it, so the result is at most rest.
func restLeft(began metav1.Time, now time.Time) time.Duration {
	return min(rest, rest-now.Sub(began.Time))
}

func condition[C any](all []C, is func(C) bool) *C {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return &all[i]
	}
	return nil
}

func nodes(list []corev1.Node) []*corev1.Node {
	out := make([]*corev1.Node, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}
