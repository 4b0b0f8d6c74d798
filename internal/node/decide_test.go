// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// The states of containers that tables speak of.
func running() container {
	return container{running: &v1.ContainerStateRunning{}, started: true, ready: true}
}

func starting() container { return container{running: &v1.ContainerStateRunning{}} }

func exited(code int32, ago time.Duration) container {
	return container{ended: &v1.ContainerStateTerminated{ExitCode: code, FinishedAt: metav1.NewTime(now.Add(-ago))}}
}

func crashing(delay, ago time.Duration) container {
	c := exited(1, ago)
	c.backoff = backoff{delay: delay, last: now.Add(-ago - time.Second)}
	return c
}

// testView is a Pod with init containers i1 and i2, a sidecar s between them if the states name
// one, and containers a and b.
func testView(policy v1.RestartPolicy, states map[string]container, changes ...func(*view)) view {
	pod := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", UID: "u1"}}
	pod.Spec.RestartPolicy = policy
	for _, name := range []string{"i1", "s", "i2"} {
		c := v1.Container{Name: name}
		if _, named := states[name]; name == "s" && !named {
			continue
		} else if name == "s" {
			always := v1.ContainerRestartPolicyAlways
			c.RestartPolicy = &always
		}
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, c)
	}
	pod.Spec.Containers = []v1.Container{{Name: "a"}, {Name: "b"}}
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
func finalFailed(v *view) { v.final = v1.PodFailed }

func activeSince(v *view, ago time.Duration) {
	limit, start := int64(60), metav1.NewTime(now.Add(-ago))
	v.pod.Spec.ActiveDeadlineSeconds, v.pod.Status.StartTime = &limit, &start
}

type states = map[string]container

func TestDecide(t *testing.T) {
	ok := exited(0, time.Minute)
	for name, c := range map[string]struct {
		view view
		want plan
	}{
		"a new Pod starts its first init container": {
			testView(v1.RestartPolicyAlways, states{}),
			plan{start: []string{"i1"}},
		},
		"the second init container waits for the first": {
			testView(v1.RestartPolicyAlways, states{"i1": running()}),
			plan{},
		},
		"the second init container follows the first": {
			testView(v1.RestartPolicyAlways, states{"i1": ok}),
			plan{start: []string{"i2"}},
		},
		"a failed init container waits for its back-off": {
			testView(v1.RestartPolicyAlways, states{"i1": crashing(10*time.Second, 3*time.Second)}),
			plan{again: now.Add(7 * time.Second)},
		},
		"a failed init container is tried again": {
			testView(v1.RestartPolicyOnFailure, states{"i1": crashing(10*time.Second, 10*time.Second)}),
			plan{start: []string{"i1"}},
		},
		"a failed init container that may not restart fails the Pod": {
			testView(v1.RestartPolicyNever, states{"i1": exited(1, 0)}),
			plan{stopped: true},
		},
		"a sidecar has to have started": {
			testView(v1.RestartPolicyAlways, states{"i1": ok, "s": starting()}),
			plan{},
		},
		"a sidecar that has started lets the next go on": {
			testView(v1.RestartPolicyAlways, states{"i1": ok, "s": running()}),
			plan{start: []string{"i2"}},
		},
		"containers start together after the init containers": {
			testView(v1.RestartPolicyAlways, states{"i1": ok, "i2": ok}),
			plan{start: []string{"a", "b"}, initialized: true},
		},
		"a sidecar that crashed is started again beside the others": {
			testView(v1.RestartPolicyNever, states{"s": exited(1, 0), "a": running(), "b": running()}, initDone),
			plan{start: []string{"s"}, initialized: true},
		},
		"the first restart is immediate": {
			testView(v1.RestartPolicyAlways, states{"a": exited(1, 0), "b": running()}, initDone),
			plan{start: []string{"a"}, initialized: true},
		},
		"a success is not started again on failure only": {
			testView(v1.RestartPolicyOnFailure, states{"a": ok, "b": running()}, initDone),
			plan{initialized: true},
		},
		"the earliest back-off counts": {
			testView(v1.RestartPolicyAlways, states{"a": crashing(20*time.Second, 0), "b": crashing(10*time.Second, 0)}, initDone),
			plan{initialized: true, again: now.Add(10 * time.Second)},
		},
		"a failed start is tried again later": {
			testView(v1.RestartPolicyAlways, states{"a": {retryAt: now.Add(time.Second)}, "b": running()}, initDone),
			plan{initialized: true, again: now.Add(time.Second)},
		},
		"a deleted Pod stops all but its sidecar": {
			testView(v1.RestartPolicyAlways, states{"s": running(), "a": running(), "b": running()}, initDone, deleting),
			plan{stop: []string{"a", "b"}, initialized: true},
		},
		"a sidecar stops after the others": {
			testView(v1.RestartPolicyAlways, states{"s": running(), "a": ok, "b": ok}, initDone, deleting),
			plan{stop: []string{"s"}, initialized: true},
		},
		"a deleted Pod stops a running init container and starts nothing": {
			testView(v1.RestartPolicyAlways, states{"i1": running()}, deleting),
			plan{stop: []string{"i1"}},
		},
		"a deleted Pod without processes is stopped": {
			testView(v1.RestartPolicyAlways, states{}, deleting),
			plan{stopped: true},
		},
		"a node that goes down stops its Pods": {
			testView(v1.RestartPolicyAlways, states{"a": running(), "b": exited(1, 0)}, initDone, halting),
			plan{stop: []string{"a"}, initialized: true},
		},
		"a Pod that has completed stops its sidecar": {
			testView(v1.RestartPolicyNever, states{"s": running(), "a": ok, "b": exited(3, 0)}, initDone),
			plan{stop: []string{"s"}, initialized: true},
		},
		"a Pod that failed in an earlier life starts nothing": {
			testView(v1.RestartPolicyAlways, states{}, finalFailed),
			plan{stopped: true},
		},
		"a Pod past its deadline stops": {
			testView(v1.RestartPolicyAlways, states{"a": running(), "b": running()}, initDone, activeFor),
			plan{stop: []string{"a", "b"}, initialized: true, expired: true},
		},
		"a deadline to come is looked at": {
			testView(v1.RestartPolicyAlways, states{"a": running(), "b": running()}, initDone, notYet),
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
	lived := container{last: &v1.ContainerStateTerminated{}}
	for name, c := range map[string]struct {
		view view
		want v1.PodPhase
	}{
		"new":                           {testView(v1.RestartPolicyAlways, states{}), v1.PodPending},
		"initializing":                  {testView(v1.RestartPolicyAlways, states{"i1": running()}), v1.PodPending},
		"init failed for good":          {testView(v1.RestartPolicyNever, states{"i1": bad}), v1.PodFailed},
		"init failed for now":           {testView(v1.RestartPolicyOnFailure, states{"i1": bad}), v1.PodPending},
		"one of two never started":      {testView(v1.RestartPolicyAlways, states{"a": running()}, initDone), v1.PodPending},
		"running":                       {testView(v1.RestartPolicyAlways, states{"a": running(), "b": running()}, initDone), v1.PodRunning},
		"between two restarts":          {testView(v1.RestartPolicyAlways, states{"a": bad, "b": ok}, initDone), v1.PodRunning},
		"to be continued by a new node": {testView(v1.RestartPolicyAlways, states{"a": lived, "b": lived}, initDone), v1.PodRunning},
		"one still runs":                {testView(v1.RestartPolicyNever, states{"a": bad, "b": running()}, initDone), v1.PodRunning},
		"all succeeded":                 {testView(v1.RestartPolicyOnFailure, states{"a": ok, "b": ok}, initDone), v1.PodSucceeded},
		"one failed":                    {testView(v1.RestartPolicyNever, states{"a": ok, "b": bad}, initDone), v1.PodFailed},
		"deleted and ended":             {testView(v1.RestartPolicyAlways, states{"a": ok, "b": ok}, initDone, deleting), v1.PodSucceeded},
		"settled earlier":               {testView(v1.RestartPolicyAlways, states{}, finalFailed), v1.PodFailed},
	} {
		t.Run(name, func(t *testing.T) {
			if got := phase(c.view); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestRestored(t *testing.T) {
	isRunning := v1.ContainerState{Running: &v1.ContainerStateRunning{}}
	done := v1.ContainerState{Terminated: &v1.ContainerStateTerminated{ExitCode: 0}}
	for name, c := range map[string]struct {
		policy v1.RestartPolicy
		phase  v1.PodPhase
		init   v1.ContainerState
		main   v1.ContainerState
		want   []string // what starts first
		after  v1.PodPhase
	}{
		"a running Pod begins with its init containers": {v1.RestartPolicyAlways, v1.PodRunning, done, isRunning, []string{"i1"}, v1.PodPending},
		"a Pod that may not restart has failed":         {v1.RestartPolicyNever, v1.PodRunning, done, isRunning, nil, v1.PodFailed},
		"a Pod that completed unseen has succeeded":     {v1.RestartPolicyOnFailure, v1.PodRunning, done, done, nil, v1.PodSucceeded},
		"a Pod that failed stays so":                    {v1.RestartPolicyAlways, v1.PodFailed, done, isRunning, nil, v1.PodFailed},
		"a Pod that was new is new":                     {v1.RestartPolicyNever, v1.PodPending, isRunning, v1.ContainerState{}, []string{"i1"}, v1.PodPending},
	} {
		t.Run(name, func(t *testing.T) {
			pod := testView(c.policy, nil).pod
			pod.Status.Phase = c.phase
			pod.Status.InitContainerStatuses = []v1.ContainerStatus{{Name: "i1", State: c.init}, {Name: "i2", State: done}}
			for _, name := range []string{"a", "b"} {
				pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, v1.ContainerStatus{Name: name, State: c.main})
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
