// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// The states of containers that tables speak of.
func running() container {
	return container{running: &corev1.ContainerStateRunning{}, started: true, ready: true}
}

func starting() container { return container{running: &corev1.ContainerStateRunning{}} }

func exited(code int32, ago time.Duration) container {
	return container{ended: &corev1.ContainerStateTerminated{ExitCode: code, FinishedAt: metav1.NewTime(now.Add(-ago))}}
}

func crashing(delay, ago time.Duration) container {
	c := exited(1, ago)
	c.backoff = backoff{delay: delay, last: now.Add(-ago - time.Second)}
	return c
}

// testView is a Pod with init containers i1 and i2, a sidecar s between them if the states name
// one, and containers a and b.
func testView(policy corev1.RestartPolicy, states map[string]container, changes ...func(*view)) view {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", UID: "u1"}}
	pod.Spec.RestartPolicy = policy
	for _, name := range []string{"i1", "s", "i2"} {
		c := corev1.Container{Name: name}
		if _, named := states[name]; name == "s" && !named {
			continue
		} else if name == "s" {
			always := corev1.ContainerRestartPolicyAlways
			c.RestartPolicy = &always
		}
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, c)
	}
	pod.Spec.Containers = []corev1.Container{{Name: "a"}, {Name: "b"}}
	v := view{pod: pod, containers: states}
	for _, change := range changes {
		change(&v)
	}
	return v
}

func deleting(v *view)    { t := metav1.NewTime(now); v.pod.DeletionTimestamp = &t }
func initDone(v *view)    { v.initialized = true }
func halting(v *view)     { v.halting = true }
func activeFor(v *view)   { activeSince(v, 100*time.Second) }
func notYet(v *view)      { activeSince(v, 10*time.Second) }
func finalFailed(v *view) { v.final = corev1.PodFailed }

func activeSince(v *view, ago time.Duration) {
	limit, start := int64(60), metav1.NewTime(now.Add(-ago))
	v.pod.Spec.ActiveDeadlineSeconds, v.pod.Status.StartTime = &limit, &start
}

type states = map[string]container

func TestDecideStartsAndStopsContainersInOrder(t *testing.T) {
	ok := exited(0, time.Minute)
	for name, c := range map[string]struct {
		view view
		want plan
	}{
		"a new Pod starts its first init container": {
			testView(corev1.RestartPolicyAlways, states{}),
			plan{start: []string{"i1"}},
		},
		"the second init container waits for the first": {
			testView(corev1.RestartPolicyAlways, states{"i1": running()}),
			plan{},
		},
		"the second init container follows the first": {
			testView(corev1.RestartPolicyAlways, states{"i1": ok}),
			plan{start: []string{"i2"}},
		},
		"a container that ended later than now need not wait: the clock was set back": {
			testView(corev1.RestartPolicyAlways, states{"i1": ok, "i2": ok, "a": exited(1, -time.Hour), "b": starting()}, initDone),
			plan{initialized: true, start: []string{"a"}},
		},
		"a failed init container waits for its back-off": {
			testView(corev1.RestartPolicyAlways, states{"i1": crashing(10*time.Second, 3*time.Second)}),
			plan{again: now.Add(7 * time.Second)},
		},
		"a failed init container is tried again": {
			testView(corev1.RestartPolicyOnFailure, states{"i1": crashing(10*time.Second, 10*time.Second)}),
			plan{start: []string{"i1"}},
		},
		"a failed init container that may not restart fails the Pod": {
			testView(corev1.RestartPolicyNever, states{"i1": exited(1, 0)}),
			plan{stopped: true},
		},
		"a sidecar has to have started": {
			testView(corev1.RestartPolicyAlways, states{"i1": ok, "s": starting()}),
			plan{},
		},
		"a sidecar that has started lets the next go on": {
			testView(corev1.RestartPolicyAlways, states{"i1": ok, "s": running()}),
			plan{start: []string{"i2"}},
		},
		"containers start together after the init containers": {
			testView(corev1.RestartPolicyAlways, states{"i1": ok, "i2": ok}),
			plan{start: []string{"a", "b"}, initialized: true},
		},
		"a sidecar that crashed is started again beside the others": {
			testView(corev1.RestartPolicyNever, states{"s": exited(1, 0), "a": running(), "b": running()}, initDone),
			plan{start: []string{"s"}, initialized: true},
		},
		"the first restart is immediate": {
			testView(corev1.RestartPolicyAlways, states{"a": exited(1, 0), "b": running()}, initDone),
			plan{start: []string{"a"}, initialized: true},
		},
		"a success is not started again on failure only": {
			testView(corev1.RestartPolicyOnFailure, states{"a": ok, "b": running()}, initDone),
			plan{initialized: true},
		},
		"the earliest back-off counts": {
			testView(corev1.RestartPolicyAlways, states{"a": crashing(20*time.Second, 0), "b": crashing(10*time.Second, 0)}, initDone),
			plan{initialized: true, again: now.Add(10 * time.Second)},
		},
		"a failed start is tried again later": {
			testView(corev1.RestartPolicyAlways, states{"a": {retryAt: now.Add(time.Second)}, "b": running()}, initDone),
			plan{initialized: true, again: now.Add(time.Second)},
		},
		"a deleted Pod stops all but its sidecar": {
			testView(corev1.RestartPolicyAlways, states{"s": running(), "a": running(), "b": running()}, initDone, deleting),
			plan{stop: []string{"a", "b"}, initialized: true},
		},
		"a sidecar stops after the others": {
			testView(corev1.RestartPolicyAlways, states{"s": running(), "a": ok, "b": ok}, initDone, deleting),
			plan{stop: []string{"s"}, initialized: true},
		},
		"a deleted Pod stops a running init container and starts nothing": {
			testView(corev1.RestartPolicyAlways, states{"i1": running()}, deleting),
			plan{stop: []string{"i1"}},
		},
		"a deleted Pod without processes is stopped": {
			testView(corev1.RestartPolicyAlways, states{}, deleting),
			plan{stopped: true},
		},
		"a node that goes down stops its Pods": {
			testView(corev1.RestartPolicyAlways, states{"a": running(), "b": exited(1, 0)}, initDone, halting),
			plan{stop: []string{"a"}, initialized: true},
		},
		"a Pod that has completed stops its sidecar": {
			testView(corev1.RestartPolicyNever, states{"s": running(), "a": ok, "b": exited(3, 0)}, initDone),
			plan{stop: []string{"s"}, initialized: true},
		},
		"a Pod that failed in an earlier life starts nothing": {
			testView(corev1.RestartPolicyAlways, states{}, finalFailed),
			plan{stopped: true},
		},
		"a Pod past its deadline stops": {
			testView(corev1.RestartPolicyAlways, states{"a": running(), "b": running()}, initDone, activeFor),
			plan{stop: []string{"a", "b"}, initialized: true, expired: true},
		},
		"a deadline to come is looked at": {
			testView(corev1.RestartPolicyAlways, states{"a": running(), "b": running()}, initDone, notYet),
			plan{initialized: true, again: now.Add(50 * time.Second)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, decide(c.view, now), cmp.AllowUnexported(plan{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPhase(t *testing.T) {
	ok, bad := exited(0, time.Minute), exited(1, time.Minute)
	lived := container{last: &corev1.ContainerStateTerminated{}}
	for name, c := range map[string]struct {
		view view
		want corev1.PodPhase
	}{
		"new":                           {testView(corev1.RestartPolicyAlways, states{}), corev1.PodPending},
		"initializing":                  {testView(corev1.RestartPolicyAlways, states{"i1": running()}), corev1.PodPending},
		"init failed for good":          {testView(corev1.RestartPolicyNever, states{"i1": bad}), corev1.PodFailed},
		"init failed for now":           {testView(corev1.RestartPolicyOnFailure, states{"i1": bad}), corev1.PodPending},
		"one of two never started":      {testView(corev1.RestartPolicyAlways, states{"a": running()}, initDone), corev1.PodPending},
		"running":                       {testView(corev1.RestartPolicyAlways, states{"a": running(), "b": running()}, initDone), corev1.PodRunning},
		"between two restarts":          {testView(corev1.RestartPolicyAlways, states{"a": bad, "b": ok}, initDone), corev1.PodRunning},
		"to be continued by a new node": {testView(corev1.RestartPolicyAlways, states{"a": lived, "b": lived}, initDone), corev1.PodRunning},
		"one still runs":                {testView(corev1.RestartPolicyNever, states{"a": bad, "b": running()}, initDone), corev1.PodRunning},
		"all succeeded":                 {testView(corev1.RestartPolicyOnFailure, states{"a": ok, "b": ok}, initDone), corev1.PodSucceeded},
		"one failed":                    {testView(corev1.RestartPolicyNever, states{"a": ok, "b": bad}, initDone), corev1.PodFailed},
		"deleted and ended":             {testView(corev1.RestartPolicyAlways, states{"a": ok, "b": ok}, initDone, deleting), corev1.PodSucceeded},
		"settled earlier":               {testView(corev1.RestartPolicyAlways, states{}, finalFailed), corev1.PodFailed},
	} {
		t.Run(name, func(t *testing.T) {
			if got := phase(c.view); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestRestored(t *testing.T) {
	isRunning := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	done := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 0}}
	for name, c := range map[string]struct {
		policy corev1.RestartPolicy
		phase  corev1.PodPhase
		init   corev1.ContainerState
		main   corev1.ContainerState
		want   []string // what starts first
		after  corev1.PodPhase
	}{
		"a running Pod begins with its init containers": {corev1.RestartPolicyAlways, corev1.PodRunning, done, isRunning, []string{"i1"}, corev1.PodPending},
		"a Pod that may not restart has failed":         {corev1.RestartPolicyNever, corev1.PodRunning, done, isRunning, nil, corev1.PodFailed},
		"a Pod that completed unseen has succeeded":     {corev1.RestartPolicyOnFailure, corev1.PodRunning, done, done, nil, corev1.PodSucceeded},
		"a Pod that failed stays so":                    {corev1.RestartPolicyAlways, corev1.PodFailed, done, isRunning, nil, corev1.PodFailed},
		"a Pod that was new is new":                     {corev1.RestartPolicyNever, corev1.PodPending, isRunning, corev1.ContainerState{}, []string{"i1"}, corev1.PodPending},
	} {
		t.Run(name, func(t *testing.T) {
			pod := testView(c.policy, nil).pod
			pod.Status.Phase = c.phase
			pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "i1", State: c.init}, {Name: "i2", State: done}}
			for _, name := range []string{"a", "b"} {
				pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{Name: name, State: c.main})
			}
			v := restored(pod, now)
			if diff := cmp.Diff(c.want, decide(v, now).start); diff != "" {
				t.Error(diff)
			}
			if got := phase(v); got != c.after {
				t.Errorf("phase %s, want %s", got, c.after)
			}
		})
	}
}
