// SPDX-License-Identifier: Apache-2.0

package node

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// container is the state of one container of a Pod.
//
//	           start                exit
//	(nothing) ------> running -----------------> ended
//	    ^  \            ^                         |  |
//	    |   waiting     '---- after a back-off ---'  '--> stays so, if the restart policy says so
type container struct {
	running  *corev1.ContainerStateRunning    // set while its process runs
	ended    *corev1.ContainerStateTerminated // how its process ended, until the next one runs
	last     *corev1.ContainerStateTerminated // how the process before that ended
	waiting  corev1.ContainerStateWaiting     // why the latest try to start it failed
	retryAt  time.Time                        // no new try before this
	tries    int                              // failed tries in a row
	backoff  backoff
	id       string
	program  string
	restarts int32
	started  bool // the startup probe has succeeded
	ready    bool // the readiness probe says so
}

// view is one Pod as the decisions see it: what is wanted and what is.
type view struct {
	pod         *corev1.Pod
	containers  map[string]container // init containers included
	initialized bool                 // the init containers have done their work
	halting     bool                 // the node is going down
	final       corev1.PodPhase      // Succeeded or Failed, once that is settled
	reason      string               // why it failed as a whole
	message     string
}

// plan is what to do next for a Pod.
type plan struct {
	start       []string  // containers to start now
	stop        []string  // containers that should not run (they may be stopping already)
	initialized bool      // see view
	expired     bool      // the Pod was active for longer than it may
	stopped     bool      // nothing runs and nothing will
	again       time.Time // when to decide again if nothing changes; zero is never
}

// decide returns what to do for a Pod now. Same view, same plan; it performs no I/O.
func decide(v view, now time.Time) plan {
	p := plan{initialized: v.initialized}
	if at := deadline(v.pod); v.final == "" && !at.IsZero() {
		p.expired = !now.Before(at)
		p.lookAt(at, now)
	}
	switch {
	case v.pod.DeletionTimestamp != nil, v.halting, p.expired, settled(phase(v)):
		p.teardown(v)
	default:
		p.run(v, now)
	}
	return p
}

// run brings up the init containers in order, then the others together.
func (p *plan) run(v view, now time.Time) {
	blocked := false
	for i := range v.pod.Spec.InitContainers {
		c := &v.pod.Spec.InitContainers[i]
		if v.initialized && !sidecar(c) {
			continue
		}
		p.keep(v, c, now)
		if !v.initialized && !passed(c, v.containers[c.Name]) {
			blocked = true
			break
		}
	}
	if blocked {
		return
	}
	p.initialized = true
	for i := range v.pod.Spec.Containers {
		p.keep(v, &v.pod.Spec.Containers[i], now)
	}
}

// keep starts a container that should run and does not, now or when its back-off is over.
func (p *plan) keep(v view, c *corev1.Container, now time.Time) {
	s := v.containers[c.Name]
	if s.running != nil || (s.ended != nil && !restarts(v, c)) {
		return
	}
	if at := s.startAt(now); now.Before(at) {
		p.lookAt(at, now)
		return
	}
	p.start = append(p.start, c.Name)
}

// teardown stops everything: sidecars after the others and in reverse order, because the others
// may need them to the end.
func (p *plan) teardown(v view) {
	var sidecars []string
	for i := range v.pod.Spec.InitContainers {
		c := &v.pod.Spec.InitContainers[i]
		switch {
		case v.containers[c.Name].running == nil:
		case sidecar(c):
			sidecars = append(sidecars, c.Name)
		default:
			p.stop = append(p.stop, c.Name)
		}
	}
	for i := range v.pod.Spec.Containers {
		if name := v.pod.Spec.Containers[i].Name; v.containers[name].running != nil {
			p.stop = append(p.stop, name)
		}
	}
	if n := len(sidecars); len(p.stop) == 0 && n > 0 {
		p.stop = sidecars[n-1:]
	}
	p.stopped = len(p.stop) == 0
}

func (p *plan) lookAt(at, now time.Time) {
	if at.After(now) && (p.again.IsZero() || at.Before(p.again)) {
		p.again = at
	}
}

// startAt returns the earliest time for the next start of a container that does not run. An end in
// the future means that the clock was set back since: such a container does not wait longer.
func (s container) startAt(now time.Time) time.Time {
	if s.ended == nil || s.ended.FinishedAt.After(now) {
		return s.retryAt
	}
	if at := s.backoff.until(s.ended.FinishedAt.Time); at.After(s.retryAt) {
		return at
	}
	return s.retryAt
}

// restarts reports whether a container that ended is started again.
func restarts(v view, c *corev1.Container) bool {
	if v.pod.DeletionTimestamp != nil || v.final != "" {
		return false
	}
	if sidecar(c) {
		return true
	}
	end := v.containers[c.Name].ended
	ok := end != nil && end.ExitCode == 0
	switch v.pod.Spec.RestartPolicy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return !ok
	case corev1.RestartPolicyAlways:
	}
	return !ok || !isInit(v.pod, c.Name)
}

// passed reports whether the next init container may begin after this one.
func passed(c *corev1.Container, s container) bool {
	if sidecar(c) {
		return s.running != nil && s.started
	}
	return s.ended != nil && s.ended.ExitCode == 0
}

// phase returns the Pod's phase.
func phase(v view) corev1.PodPhase {
	if v.final != "" {
		return v.final
	}
	if !v.initialized {
		for i := range v.pod.Spec.InitContainers {
			c := &v.pod.Spec.InitContainers[i]
			if s := v.containers[c.Name]; s.ended != nil && s.ended.ExitCode != 0 && !restarts(v, c) {
				return corev1.PodFailed
			}
		}
		return corev1.PodPending
	}
	result := corev1.PodSucceeded
	active := false
	for i := range v.pod.Spec.Containers {
		c := &v.pod.Spec.Containers[i]
		s := v.containers[c.Name]
		switch {
		case s.running == nil && s.ended == nil && s.last == nil:
			return corev1.PodPending
		case s.ended == nil || restarts(v, c):
			active = true
		case s.ended.ExitCode != 0:
			result = corev1.PodFailed
		}
	}
	if active {
		return corev1.PodRunning
	}
	return result
}

func settled(p corev1.PodPhase) bool { return p == corev1.PodSucceeded || p == corev1.PodFailed }

// sidecar reports whether an init container keeps running beside the others.
func sidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

func isInit(pod *corev1.Pod, name string) bool {
	for i := range pod.Spec.InitContainers {
		if pod.Spec.InitContainers[i].Name == name {
			return true
		}
	}
	return false
}

// deadline is when the Pod has been active for as long as it may; zero is never.
func deadline(pod *corev1.Pod) time.Time {
	if pod.Spec.ActiveDeadlineSeconds == nil || pod.Status.StartTime == nil {
		return time.Time{}
	}
	return pod.Status.StartTime.Add(time.Duration(*pod.Spec.ActiveDeadlineSeconds) * time.Second)
}
