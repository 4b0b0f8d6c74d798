// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"
)

// Reasons why a container waits to be started, as kubectl users know them.
const (
	reasonVolumes = "ContainerCreating"
	reasonConfig  = "CreateContainerConfigError"
	reasonImage   = "ErrImageNeverPull"
	reasonCreate  = "CreateContainerError"
	reasonRun     = "RunContainerError"
)

// startError is why a container could not be started.
type startError struct {
	reason string // of the waiting container
	err    error
}

func (e *startError) Error() string { return e.err.Error() }

// start starts a container, or notes why that failed and when to try again.
func (w *worker) start(ctx context.Context, name string) {
	spec, c := specOf(w.view.pod, name), w.view.containers[name]
	restarts := c.restarts
	if c.ended != nil || c.last != nil {
		restarts++
	}
	w.taken.Delete(name)
	r, failure := w.launch(ctx, spec, restarts)
	now := time.Now()
	if failure != nil {
		w.failed(name, c, failure, now)
		return
	}
	if c.ended != nil {
		c.last, c.backoff = c.ended, c.backoff.restarted(now)
	}
	c.ended, c.waiting, c.retryAt, c.tries = nil, corev1.ContainerStateWaiting{}, time.Time{}, 0
	c.running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(r.startedAt)}
	c.id, c.program, c.restarts = "serin://"+uuid.NewString(), r.cmd.Path, restarts
	c.started, c.ready = false, false
	w.view.containers[name] = c
	w.runs[name] = r
	w.log.Info("container started", "container", name, "pid", r.cmd.Process.Pid, "restarts", restarts)
	w.containerEvent(name, corev1.EventTypeNormal, "Started", fmt.Sprintf("Started container %s (%s for image %s)", name, r.cmd.Path, spec.Image))
	w.others.Go(func() {
		<-r.done
		w.post(func() { w.exited(name, r) })
	})
	if spec.Lifecycle == nil || spec.Lifecycle.PostStart == nil {
		w.begin(name, r)
		return
	}
	w.others.Go(func() { w.postStart(name, r, spec.Lifecycle.PostStart) })
}

// failed records a failed start. It emits an event once per reason, not once per try.
func (w *worker) failed(name string, c container, failure *startError, now time.Time) {
	why := corev1.ContainerStateWaiting{Reason: failure.reason, Message: failure.Error()}
	if c.waiting != why {
		w.log.Info("container not started", "container", name, "reason", failure.reason, "err", failure.err)
		reason := "Failed"
		if failure.reason == reasonVolumes {
			reason = "FailedMount"
		}
		w.containerEvent(name, corev1.EventTypeWarning, reason, failure.Error())
	}
	c.waiting = why
	// The first tries come soon, because a missing object is often just being created.
	c.retryAt = now.Add(min(100*time.Millisecond<<min(c.tries, 10), 30*time.Second))
	c.tries++
	w.view.containers[name] = c
}

// launch makes all that a container needs and starts its process.
func (w *worker) launch(ctx context.Context, c *corev1.Container, restarts int32) (*instance, *startError) {
	if w.volumes.dirs == nil || w.volumes.stale(time.Now()) {
		if err := w.makeVolumes(ctx); err != nil {
			return nil, &startError{reasonVolumes, err}
		}
	}
	s, argv, failure := w.prepare(ctx, c)
	if failure != nil {
		return nil, failure
	}
	log, err := createLog(w.dir.log(c.Name, restarts))
	if err != nil {
		return nil, &startError{reasonCreate, err}
	}
	_ = os.Remove(w.dir.log(c.Name, restarts-2)) // kubectl logs --previous needs one only
	p, err := spawn(argv, s, w.dir.marker(c.Name), c.Stdin, log)
	if err != nil {
		log.close()
		return nil, &startError{reasonRun, err}
	}
	if err := w.dir.record(c.Name, p.cmd.Process.Pid); err != nil {
		w.log.Error("record the process", "container", c.Name, "err", err)
	}
	r := &instance{process: p, target: target{c, w.view.pod.Status.PodIP, s}, log: log}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return r, nil
}

// prepare computes the process of a container.
func (w *worker) prepare(ctx context.Context, c *corev1.Container) (s setting, argv []string, failure *startError) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	pod := w.view.pod
	given := map[string]string{"HOSTNAME": pod.Name, "POD_IP": pod.Status.PodIP}
	env, err := environment(pod, c, given, w.node.capacity, w.lookup(ctx))
	if err != nil {
		return s, nil, &startError{reasonConfig, err}
	}
	work, message := w.dir.container(c.Name, "work"), w.dir.container(c.Name, "message")
	if s.mounts, err = containerMounts(c, w.volumes.dirs, env, message); err != nil {
		return s, nil, &startError{reasonConfig, err}
	}
	if err := fresh(work, message); err != nil {
		return s, nil, &startError{reasonCreate, err}
	}
	s.dir = work
	if c.WorkingDir != "" {
		s.dir = s.mounts.resolve(c.WorkingDir)
		if s.dir != path.Clean(c.WorkingDir) { // a runtime makes the directory, and so do we within volumes
			_ = os.MkdirAll(s.dir, 0o777)
		}
		if info, err := os.Stat(s.dir); err != nil || !info.IsDir() {
			return s, nil, &startError{reasonCreate, fmt.Errorf("the working directory %s is neither in a volume nor on this machine", c.WorkingDir)}
		}
	}
	expand := func(list []string) []string {
		out := make([]string, len(list))
		for i, a := range list {
			out[i] = s.mounts.rewrite(expansion.Expand(a, expansion.MappingFuncFor(env)))
		}
		return out
	}
	argv, err = program(c.Image, expand(c.Command), w.node.Programs, runnable)
	if err != nil {
		return s, nil, &startError{reasonImage, err}
	}
	s.env = slices.Clone(w.node.Env)
	for _, k := range slices.Sorted(maps.Keys(env)) {
		s.env = append(s.env, k+"="+s.mounts.rewrite(env[k]))
	}
	s.env = append(s.env, w.dir.marker(c.Name)...)
	s.limits, s.fork = limitsOf(c, runtime.NumCPU(), maxProcesses()), w.fork
	return s, append(slices.Clone(argv), expand(c.Args)...), nil
}

// fresh makes an empty working directory and an empty termination message file.
func fresh(work, message string) error {
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	return os.WriteFile(message, nil, 0o600)
}

// runnable reports whether path is a program.
func runnable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// begin marks a container as started, and starts its probes.
func (w *worker) begin(name string, r *instance) {
	if r.stopping {
		return
	}
	if r.spec.StartupProbe == nil {
		w.begun(name, r)
		return
	}
	w.watch(name, r, "Startup", r.spec.StartupProbe, func(j judgement) {
		if j == healthy {
			w.begun(name, r)
			return
		}
		w.stop(name, w.probeGrace(r.spec.StartupProbe), fmt.Sprintf("Container %s failed startup probe, will be restarted", name))
	})
}

func (w *worker) begun(name string, r *instance) {
	w.change(name, func(c *container) { c.started, c.ready = true, r.spec.ReadinessProbe == nil })
	if p := r.spec.ReadinessProbe; p != nil {
		w.watch(name, r, "Readiness", p, func(j judgement) {
			w.change(name, func(c *container) { c.ready = j == healthy })
		})
	}
	if p := r.spec.LivenessProbe; p != nil {
		w.watch(name, r, "Liveness", p, func(j judgement) {
			if j == unhealthy {
				w.stop(name, w.probeGrace(p), fmt.Sprintf("Container %s failed liveness probe, will be restarted", name))
			}
		})
	}
}

// watch runs a probe in the background and calls act with its judgements in the worker's goroutine.
func (w *worker) watch(name string, r *instance, kind string, p *corev1.Probe, act func(judgement)) {
	failed := func(why string) {
		w.containerEvent(name, corev1.EventTypeWarning, "Unhealthy", fmt.Sprintf("%s probe failed: %s", kind, why))
	}
	w.others.Go(func() {
		w.node.watchProbe(r.ctx, r.target, p, kind != "Liveness", failed, func(j judgement) bool {
			w.post(func() {
				if w.runs[name] == r && !r.stopping {
					act(j)
				}
			})
			return kind == "Startup"
		})
	})
}

func (w *worker) change(name string, f func(*container)) {
	c := w.view.containers[name]
	f(&c)
	w.view.containers[name] = c
}

// probeGrace returns the grace period of a container that a failed probe stops.
func (w *worker) probeGrace(p *corev1.Probe) time.Duration {
	if p.TerminationGracePeriodSeconds != nil {
		return time.Duration(*p.TerminationGracePeriodSeconds) * time.Second
	}
	return w.grace()
}
