// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// callTimeout bounds one call to the API, so that a worker never hangs in it for long.
	callTimeout = 10 * time.Second
	// haltGrace bounds the grace period of containers when the node goes down.
	haltGrace = 4 * time.Second
	// lookAgain bounds how long a worker sleeps. Timers follow the monotonic clock, but tokens expire
	// by the wall clock, which may be set.
	lookAgain = time.Minute
	// settleFor bounds how long the status waits for a container to become ready.
	settleFor = 50 * time.Millisecond
)

// worker manages one Pod. All fields below ended belong to the goroutine in run; other goroutines
// reach them through post.
type worker struct {
	node   *node
	log    *slog.Logger
	dir    podDir
	ip     string
	fork   *forker
	taken  sync.Map                   // by container: a sentence about the port that it could not get
	latest atomic.Pointer[corev1.Pod] // the Pod as the watch saw it last
	lost   atomic.Bool                // the Pod is gone from the API
	news   chan struct{}              // latest or lost changed; holds one
	inbox  chan func()
	ended  chan struct{}

	startTime *metav1.Time

	view    view
	shown   corev1.PodStatus // what the API shows, as far as the node wrote it
	runs    map[string]*instance
	volumes volumes
	retry   time.Time // when to try a failed call again
	others  sync.WaitGroup
}

// instance is a running process of a container.
type instance struct {
	*process
	target
	log      *logFile
	ctx      context.Context // ends when the container begins to stop: for its probes
	cancel   context.CancelFunc
	stopping bool
	killAt   time.Time
	endHook  context.CancelFunc // while its preStop hook runs
}

func newWorker(n *node, pod *corev1.Pod) *worker {
	w := &worker{
		node:  n,
		log:   n.Log.With("pod", pod.Namespace+"/"+pod.Name),
		dir:   podDirOf(n.Dir, pod.UID),
		ip:    n.address(pod),
		news:  make(chan struct{}, 1),
		inbox: make(chan func()),
		ended: make(chan struct{}),
		shown: pod.Status,
		runs:  map[string]*instance{},
	}
	w.latest.Store(pod)
	w.fork = newForker(n.traced, w.enter)
	w.view = restored(pod, time.Now())
	if w.startTime = pod.Status.StartTime; w.startTime == nil {
		now := metav1.Now()
		w.startTime = &now
	}
	return w
}

// update passes the worker a new version of the Pod.
func (w *worker) update(pod *corev1.Pod) {
	w.latest.Store(pod)
	w.notify()
}

// forget tells the worker that the Pod is gone from the API.
func (w *worker) forget() {
	w.lost.Store(true)
	w.notify()
}

func (w *worker) notify() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// post runs f in the worker's goroutine. It reports false if the worker has ended.
func (w *worker) post(f func()) bool {
	select {
	case w.inbox <- f:
		return true
	case <-w.ended:
		return false
	}
}

// ask is post that waits until f has run.
func (w *worker) ask(f func()) bool {
	done := make(chan struct{})
	if !w.post(func() { f(); close(done) }) {
		return false
	}
	<-done
	return true
}

// run manages the Pod until it is gone, or until ctx and all processes of the Pod have ended.
func (w *worker) run(ctx context.Context) {
	// Processes are started until all that may ask for one has ended, not until ctx has.
	forking, stop := context.WithCancel(context.WithoutCancel(ctx))
	go w.fork.run(forking)
	defer func() { stop(); <-w.fork.ended }()
	defer w.others.Wait()
	defer close(w.ended)
	w.refresh()
	halt := ctx.Done()
	for {
		again, over := w.step(ctx)
		if over {
			return
		}
		timer := time.NewTimer(again)
		select {
		case <-halt:
			halt, w.view.halting = nil, true
		case <-w.news:
			w.refresh()
		case f := <-w.inbox:
			f()
		case <-timer.C:
		}
		timer.Stop()
		w.drain()
	}
}

// drain runs everything else in the inbox, so that it leads to one status update.
func (w *worker) drain() {
	for {
		select {
		case <-w.news:
			w.refresh()
		case f := <-w.inbox:
			f()
		default:
			return
		}
	}
}

// refresh takes over the latest version of the Pod, except the address and the start time, which the
// node decides.
func (w *worker) refresh() {
	pod := w.latest.Load().DeepCopy()
	if w.lost.Load() { // deleted by force: its processes get a second
		now, grace := metav1.Now(), int64(1)
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &now, &grace
	}
	relabelled := !maps.Equal(w.view.pod.Labels, pod.Labels) || !maps.Equal(w.view.pod.Annotations, pod.Annotations)
	pod.Status.PodIP, pod.Status.PodIPs, pod.Status.StartTime = w.ip, []corev1.PodIP{{IP: w.ip}}, w.startTime
	w.view.pod = pod
	if relabelled && w.volumes.dirs != nil {
		w.volumes.renew = time.Now() // downward volumes show labels and annotations
	}
}

// step decides and acts until there is nothing to do, then writes the status. It returns how long to
// wait for the next message, and whether the worker is done.
func (w *worker) step(ctx context.Context) (again time.Duration, over bool) {
	var p plan
	for {
		p = decide(w.view, time.Now())
		w.view.initialized = p.initialized
		if p.expired {
			w.view.final, w.view.reason = corev1.PodFailed, "DeadlineExceeded"
			w.view.message = "the Pod was active for longer than its activeDeadlineSeconds"
		}
		for _, name := range p.stop {
			w.stop(name, w.grace(), "Stopping container "+name)
		}
		if len(p.start) == 0 {
			break
		}
		for _, name := range p.start {
			w.start(ctx, name)
		}
	}
	now := time.Now()
	at := earliest(now.Add(lookAgain), p.again, w.killOverdue(now), w.renewVolumes(ctx, now))
	gone, settled := false, w.settled(now)
	if settled.IsZero() {
		gone = w.show(ctx, now)
	}
	if p.stopped {
		if w.view.halting {
			return 0, true
		}
		if w.view.pod.DeletionTimestamp != nil {
			gone = gone || w.lost.Load() || w.remove(ctx, now)
			if gone {
				w.cleanUp()
				return 0, true
			}
		}
	}
	return max(time.Until(earliest(at, settled, w.retry)), 0), false
}

// settled returns until when the status is held back for the first probe of containers that just
// started. A quick container then becomes ready in one write, and not in two.
func (w *worker) settled(now time.Time) (until time.Time) {
	if w.view.halting || w.view.pod.DeletionTimestamp != nil {
		return time.Time{}
	}
	for name, r := range w.runs {
		at := r.startedAt.Add(settleFor)
		if r.spec.ReadinessProbe != nil && !r.stopping && !w.view.containers[name].ready && now.Before(at) {
			until = earliest(until, at)
		}
	}
	return until
}

// grace returns the grace period of the Pod's containers.
func (w *worker) grace() time.Duration {
	grace := 30 * time.Second
	if s := w.view.pod.Spec.TerminationGracePeriodSeconds; s != nil {
		grace = time.Duration(*s) * time.Second
	}
	if s := w.view.pod.DeletionGracePeriodSeconds; s != nil && w.view.pod.DeletionTimestamp != nil {
		grace = time.Duration(*s) * time.Second
	}
	if w.view.halting {
		grace = min(grace, haltGrace)
	}
	return grace
}

// cleanUp frees the address and the files of the Pod.
func (w *worker) cleanUp() {
	if err := os.RemoveAll(string(w.dir)); err != nil {
		w.log.Error("remove the Pod's directory", "err", err)
	}
	w.node.addresses.release(w.view.pod.UID)
	w.log.Info("pod removed")
}

// renewVolumes refreshes the volumes that are due, and returns when the next one is. While no
// process runs it does nothing: the next start makes the volumes anew.
func (w *worker) renewVolumes(ctx context.Context, now time.Time) time.Time {
	if len(w.runs) == 0 {
		return time.Time{}
	}
	if !w.volumes.stale(now) {
		return w.volumes.renew
	}
	if err := w.makeVolumes(ctx); err != nil {
		w.event(corev1.EventTypeWarning, "FailedMount", err.Error())
		w.volumes.renew = now.Add(time.Minute)
	}
	return w.volumes.renew
}

func (w *worker) makeVolumes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	vs, err := makeVolumes(w.lookup(ctx), w.dir, w.node.capacity, time.Now())
	if err == nil {
		w.volumes = vs
	}
	return err
}

func (w *worker) lookup(ctx context.Context) lookup {
	return lookup{ctx, w.node.client, w.view.pod}
}

func (w *worker) event(kind, reason, message string) {
	w.node.events.Event(w.latest.Load(), kind, reason, message)
}

// containerEvent is an event about one container. As those of kubelets, it names the
// container by its field.
func (w *worker) containerEvent(name, kind, reason, message string) {
	pod := w.latest.Load()
	field := "containers"
	if isInit(pod, name) {
		field = "initContainers"
	}
	w.node.events.Event(&corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
		FieldPath: fmt.Sprintf("spec.%s{%s}", field, name),
	}, kind, reason, message)
}

// earliest returns the earliest of some times; the zero time means never.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// container returns the state of a container and its process, if one runs. The worker's own
// goroutine must not call it: it would wait for itself.
func (w *worker) container(name string) (c container, r *instance, err error) {
	var spec *corev1.Container
	ok := w.ask(func() {
		spec, c, r = specOf(w.view.pod, name), w.view.containers[name], w.runs[name]
	})
	switch {
	case !ok:
		return c, nil, errors.New("the Pod is gone")
	case spec == nil:
		return c, nil, fmt.Errorf("the Pod has no container %q", name)
	}
	return c, r, nil
}
