// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// hookGrace is the time between SIGTERM and SIGKILL if the preStop hook used up the grace period.
const hookGrace = 2 * time.Second

// stop begins to stop a container: preStop hook, SIGTERM, and SIGKILL when the grace period is
// over. Asking again can only shorten that period.
func (w *worker) stop(name string, grace time.Duration, why string) {
	r := w.runs[name]
	if r == nil {
		return
	}
	killAt := time.Now().Add(grace)
	if r.stopping {
		if killAt.Before(r.killAt) {
			r.killAt = killAt
		}
		return
	}
	r.stopping, r.killAt = true, killAt
	r.cancel()
	w.change(name, func(c *container) { c.ready = false })
	w.containerEvent(name, corev1.EventTypeNormal, "Killing", why)
	hook := r.spec.Lifecycle
	if hook == nil || hook.PreStop == nil || grace <= 0 {
		r.terminate()
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.endHook = cancel
	w.others.Go(func() { w.preStop(ctx, name, r, hook.PreStop) })
}

// preStop runs the hook, within the grace period, and then terminates the container.
func (w *worker) preStop(ctx context.Context, name string, r *instance, h *corev1.LifecycleHandler) {
	err := w.node.hook(ctx, r.target, h)
	w.post(func() {
		r.endHook()
		r.endHook = nil
		if w.runs[name] != r {
			return
		}
		if err != nil {
			w.containerEvent(name, corev1.EventTypeWarning, "FailedPreStopHook", fmt.Sprintf("preStop of container %s: %v", name, err))
		}
		if least := time.Now().Add(hookGrace); r.killAt.Before(least) && !w.view.halting {
			r.killAt = least
		}
		r.terminate()
	})
}

// postStart runs the hook; a container without its postStart is stopped.
func (w *worker) postStart(name string, r *instance, h *corev1.LifecycleHandler) {
	err := w.node.hook(r.ctx, r.target, h)
	w.post(func() {
		switch {
		case w.runs[name] != r || r.stopping:
		case err != nil:
			w.containerEvent(name, corev1.EventTypeWarning, "FailedPostStartHook", fmt.Sprintf("postStart of container %s: %v", name, err))
			w.stop(name, w.grace(), fmt.Sprintf("Container %s failed its postStart hook", name))
		default:
			w.begin(name, r)
		}
	})
}

// killOverdue kills containers whose grace period is over, and returns when the next one ends.
func (w *worker) killOverdue(now time.Time) (next time.Time) {
	for _, r := range w.runs {
		switch {
		case !r.stopping:
		case now.Before(r.killAt):
			next = earliest(next, r.killAt)
		case r.endHook != nil:
			r.endHook()
		default:
			r.kill()
		}
	}
	return next
}

// exited records how the process of a container ended.
func (w *worker) exited(name string, r *instance) {
	r.cancel()
	if r.endHook != nil {
		r.endHook()
	}
	delete(w.runs, name)
	_ = os.Remove(w.dir.container(name, "process"))
	c := w.view.containers[name]
	reason := "Completed"
	message := w.message(name, r)
	switch {
	case r.exitCode == 0:
	case r.setting.limits.data > 0 && r.log.ranOut && !r.stopping: // the message need not be among the last lines
		reason, message = "OOMKilled", "out of memory: limits.memory of the container is "+r.spec.Resources.Limits.Memory().String()
	default:
		reason = "Error"
		if why := w.portTaken(name, r); why != "" {
			message = strings.TrimSpace(message + "\n" + why) // last: the reason that people look for
		}
	}
	c.running = nil
	c.started, c.ready = false, false
	c.ended = &corev1.ContainerStateTerminated{
		ExitCode: r.exitCode, Signal: r.signal, Reason: reason, Message: message,
		StartedAt: metav1.NewTime(r.startedAt), FinishedAt: metav1.Now(), ContainerID: c.id,
	}
	w.view.containers[name] = c
	w.log.Info("container ended", "container", name, "exitCode", r.exitCode, "signal", r.signal)
	now := time.Now()
	if c.startAt(now).After(now) && restarts(w.view, r.spec) {
		w.containerEvent(name, corev1.EventTypeWarning, "BackOff", "Back-off restarting failed container "+name)
	}
}

// message returns the termination message of a container.
func (w *worker) message(name string, r *instance) string {
	const limit = 4096
	if f, err := os.Open(w.dir.container(name, "message")); err == nil {
		text, _ := io.ReadAll(io.LimitReader(f, limit))
		_ = f.Close()
		if len(text) > 0 {
			return string(text)
		}
	}
	if r.exitCode != 0 && r.spec.TerminationMessagePolicy == corev1.TerminationMessageFallbackToLogsOnError {
		return r.log.lastWords()
	}
	return ""
}
