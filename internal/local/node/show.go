// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// retryAfter is the pause after a call to the API that failed.
const retryAfter = time.Second

// show writes the Pod's status if it changed. It reports whether the Pod is gone from the API.
func (w *worker) show(ctx context.Context, now time.Time) (gone bool) {
	if w.lost.Load() {
		return true
	}
	w.retry = time.Time{}
	st := podStatus(w.shown, w.view, now)
	if equality.Semantic.DeepEqual(w.shown, st) {
		return false
	}
	patch, err := statusPatch(w.view.pod.UID, w.shown, st)
	if err != nil {
		w.log.Error("compute the status patch", "err", err)
		return false
	}
	ctx, cancel := w.callContext(ctx)
	defer cancel()
	pod := w.view.pod
	_, err = w.node.client.CoreV1().Pods(pod.Namespace).
		Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		if apierrors.IsNotFound(err) {
			return true
		}
		w.log.Warn("write the status", "err", err)
		w.retry = now.Add(retryAfter)
		return false
	}
	w.shown = st
	return false
}

// remove deletes a Pod whose processes ended from the API. It reports whether the Pod is gone.
func (w *worker) remove(ctx context.Context, now time.Time) (gone bool) {
	ctx, cancel := w.callContext(ctx)
	defer cancel()
	pod, zero := w.view.pod, int64(0)
	err := w.node.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &zero, Preconditions: metav1.NewUIDPreconditions(string(pod.UID)),
	})
	// A conflict means that another Pod has the name.
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return true
	}
	w.log.Warn("delete the pod", "err", err)
	w.retry = now.Add(retryAfter)
	return false
}

// callContext bounds one call to the API: while the node stops, more tightly.
func (w *worker) callContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if w.view.halting {
		return context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	}
	return context.WithTimeout(ctx, callTimeout)
}

// statusPatch returns the patch from one status to another. Its UID makes it fail for another Pod of
// the same name.
func statusPatch(uid types.UID, from, to corev1.PodStatus) ([]byte, error) {
	before, err := json.Marshal(corev1.Pod{Status: from})
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: uid}, Status: to})
	if err != nil {
		return nil, err
	}
	return strategicpatch.CreateTwoWayMergePatch(before, after, corev1.Pod{})
}
