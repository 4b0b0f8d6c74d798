// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/api/v1beta1"
)

// How long a Pod may take without a word. None of these is a deadline: what
// takes longer is explained, and goes on.
const (
	// createPatience is for volumes and images.
	createPatience = 5 * time.Second
	// eventPatience is that where only events say what is wrong. Most Pods whose
	// images are pulled run by then, and need no look at their events.
	eventPatience = 20 * time.Second
	// readyPatience is for a model to load, where no probe says how long it may.
	readyPatience = 30 * time.Second
)

// late is what keeps a Pod from being ready, without a failure.
type late struct {
	pod       *corev1.Pod
	container *corev1.Container // nil if it is the Pod as a whole
	// probe is the one that does not succeed: readiness or startup.
	probe *corev1.Probe
	kind  string
	// sentence says it, if no event is needed for that.
	sentence string
	since    time.Time
	// patience is how long that may take without a word.
	patience time.Duration
	// untold is set for what is told only when the Deployment has given up.
	untold bool
}

// due reports whether it is time to say what keeps a Pod.
func (o Observed) due(l *late) bool {
	return !o.Now.IsZero() && (overdue(o.Deployment) || !l.untold && !o.Now.Before(l.since.Add(l.patience)))
}

// look is when to look at a late Pod again: when it is time to say what keeps it,
// then ever more seldom.
func (o Observed) look(l *late) time.Time {
	switch {
	case o.Now.IsZero() || l.untold:
		return time.Time{}
	case !o.due(l):
		return l.since.Add(l.patience)
	}
	return o.seldom(l.since)
}

// seldom is when to look for an event again that is about what began then: events
// may come later than what they tell of.
func (o Observed) seldom(since time.Time) time.Time {
	const least, most = 10 * time.Second, 10 * time.Minute
	return o.Now.Add(min(max(o.Now.Sub(since), least), most))
}

// lateness finds the first thing that keeps a Pod from being ready. The Pod has not failed.
func (o Observed) lateness(p *corev1.Pod) *late {
	since := later(p.CreationTimestamp.Time, transition(p, corev1.PodScheduled))
	switch all := p.Status.ContainerStatuses; {
	case !scheduled(p):
		return &late{pod: p, since: p.CreationTimestamp.Time, patience: readyPatience, sentence: o.unclaimed(p)}
	case len(all) == 0 && len(p.Status.InitContainerStatuses) == 0:
		return &late{pod: p, since: since, patience: eventPatience}
	}
	for _, st := range p.Status.InitContainerStatuses {
		l, ended := o.initLateness(p, st, since)
		if l != nil {
			return l
		}
		since = later(since, ended)
	}
	for _, st := range p.Status.ContainerStatuses {
		if l := o.containerLateness(p, st, since); l != nil {
			return l
		}
	}
	return gated(p)
}

func scheduled(p *corev1.Pod) bool {
	return len(p.Status.ContainerStatuses) > 0 || slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue
	})
}

// initLateness is about one init container. It returns nil, and when it was done,
// if the next may begin.
func (o Observed) initLateness(p *corev1.Pod, st corev1.ContainerStatus, since time.Time) (*late, time.Time) {
	c := o.container(st.Name)
	switch {
	case st.State.Terminated != nil:
		return nil, st.State.Terminated.FinishedAt.Time
	case st.State.Running == nil:
		return creating(p, c, st, since), time.Time{}
	case ptr.Deref(c.RestartPolicy, "") == corev1.ContainerRestartPolicyAlways:
		l := o.containerLateness(p, st, since)
		if l != nil && l.kind == readiness { // only its start keeps the others waiting
			return nil, time.Time{}
		}
		return l, time.Time{}
	case c.Image == "": // a webhook added it, perhaps to run beside the others
		return nil, time.Time{}
	}
	return &late{
		pod: p, container: c, since: st.State.Running.StartedAt.Time, patience: readyPatience,
		untold:   c.Name == v1beta1.ContainerFetch, // a large model may take hours
		sentence: fmt.Sprintf("the init container %s has not ended, and the others start when it has: %s", c.Name, logs(p, c.Name)),
	}, time.Time{}
}

func (o Observed) containerLateness(p *corev1.Pod, st corev1.ContainerStatus, since time.Time) *late {
	c := o.container(st.Name)
	if st.State.Running == nil {
		return creating(p, c, st, since)
	}
	since = st.State.Running.StartedAt.Time
	switch started := ptr.Deref(st.Started, true); {
	case !started && c.StartupProbe != nil:
		return &late{pod: p, container: c, probe: c.StartupProbe, kind: startup, since: since, patience: allowed(c.StartupProbe, 0)}
	case started && !st.Ready:
		probe := c.ReadinessProbe
		if probe == nil { // a webhook made it
			probe = &corev1.Probe{}
		}
		since = later(since, transition(p, corev1.ContainersReady)) // it may have been ready before
		return &late{pod: p, container: c, probe: probe, kind: readiness, since: since, patience: allowed(probe, readyPatience)}
	}
	return nil
}

// runsAgain returns what keeps a container that has failed before and runs now. Once
// that takes long, its end is no longer what is wrong with it.
func (o Observed) runsAgain(p *corev1.Pod, st corev1.ContainerStatus) *late {
	again := slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool { return c.Name == st.Name })
	if !again || st.State.Running == nil {
		return nil
	}
	return o.containerLateness(p, st, time.Time{})
}

// allowed is how long a probe may fail, by its own settings, and at least some time.
func allowed(p *corev1.Probe, least time.Duration) time.Duration {
	const most = int64(24 * 60 * 60) // so that no product is too large
	failing := time.Duration(min(int64(cmp.Or(p.PeriodSeconds, 10))*int64(cmp.Or(p.FailureThreshold, 3)), most)) * time.Second
	return time.Duration(p.InitialDelaySeconds)*time.Second + max(failing, least)
}

// creating is a container that no process runs for yet.
func creating(p *corev1.Pod, c *corev1.Container, st corev1.ContainerStatus, since time.Time) *late {
	if w := st.State.Waiting; w != nil && w.Message != "" {
		return &late{pod: p, container: c, since: since, patience: createPatience, sentence: uncreated(c.Name, w.Message)}
	}
	return &late{pod: p, container: c, since: since, patience: eventPatience}
}

func uncreated(container, why string) string {
	return fmt.Sprintf("container %s cannot be made yet: %s", container, advised(lastLine(why)))
}

// unclaimed says why no node has a Pod for which the scheduler found no fault.
func (o Observed) unclaimed(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return fmt.Sprintf("the Pod is not scheduled (%s): %s", c.Reason, lastLine(c.Message))
		}
	}
	return fmt.Sprintf("no scheduler takes the Pod: start %s, or correct schedulerName", cmp.Or(o.template().SchedulerName, corev1.DefaultSchedulerName))
}

// gated is a Pod whose containers are ready.
func gated(p *corev1.Pod) *late {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionFalse {
			return &late{
				pod: p, since: c.LastTransitionTime.Time, patience: readyPatience,
				sentence: "all containers are ready, and the Pod is not: " + cmp.Or(lastLine(c.Message), c.Reason),
			}
		}
	}
	return nil
}

// explain says what keeps the Pod; nothing if that is not known.
func (o Observed) explain(l *late) string {
	switch {
	case l.sentence != "":
		return l.sentence
	case l.probe != nil && l.container.Name == v1beta1.ContainerQueue && o.probedPort() != 0:
		return o.unreached(l.pod)
	case l.probe != nil:
		answer := ""
		if e := newest(o.of(l.pod), func(e *corev1.Event) bool {
			return about(e, l.container.Name) && failedProbe(e, l.kind) && !before(e, l.since)
		}); e != nil {
			answer = e.Message
		}
		return fmt.Sprintf("container %s is not ready: its %s", l.container.Name, o.describe(l.pod, l.container, l.probe, l.kind, answer))
	}
	e := newest(o.of(l.pod), func(e *corev1.Event) bool { return !before(e, l.since) })
	switch {
	case e == nil || e.Type != corev1.EventTypeWarning:
		return ""
	case l.container == nil:
		return "the Pod cannot be made yet: " + advised(lastLine(e.Message))
	}
	return uncreated(l.container.Name, e.Message)
}

func (o Observed) late(l *late) *v1beta1.FailureInfo {
	message := o.explain(l)
	if message == "" {
		return nil
	}
	return &v1beta1.FailureInfo{
		Location: l.pod.Name, Reason: v1beta1.RuntimeUnhealthy, Message: message, Time: &metav1.Time{Time: l.since},
	}
}

// transition is when a condition of a Pod last changed.
func transition(p *corev1.Pod, t corev1.PodConditionType) time.Time {
	for _, c := range p.Status.Conditions {
		if c.Type == t {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
