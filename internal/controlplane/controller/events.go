// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/serin-dev/serin/api/v1beta1"
)

// eventApplyFailed is the reason of the only event that no decision plans.
const eventApplyFailed = "ApplyFailed"

// maxEvent bounds an event's message, as Kubernetes' recorders do. It may quote
// what strangers wrote.
const maxEvent = 1024

// recordFailure records an event about a failure that no status shows: the status
// cannot be written, or an old object cannot be deleted.
func (w writer) recordFailure(ctx context.Context, s *v1beta1.InferenceService, err error) {
	w.recordEvent(ctx, s, 0, corev1.EventTypeWarning, eventApplyFailed, err.Error())
}

// recordEvent writes an event, the n-th of its decision. Its name is a hash of the
// service's version and the message, so that a repetition after a crash is the
// same event. It begins with the version, because kubectl lists events by name. A
// recorder of client-go would write in the background, and lose events in a
// crash. A failed write is logged: no rollout waits for an event.
func (w writer) recordEvent(ctx context.Context, s *v1beta1.InferenceService, n int, kind, reason, message string) {
	message = strings.ToValidUTF8(message[:min(len(message), maxEvent)], "")
	sum := sha256.Sum256([]byte(string(s.UID) + s.ResourceVersion + reason + message))
	version, _ := strconv.ParseUint(s.ResourceVersion, 10, 64) // the hash has it, too
	now := metav1.Now()
	err := w.client.Create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: fmt.Sprintf("%s.%016x.%d.%x", s.Name, version, n, sum[:4])},
		InvolvedObject: corev1.ObjectReference{
			APIVersion:      v1beta1.Kind.GroupVersion().String(),
			Kind:            v1beta1.Kind.Kind,
			Namespace:       s.Namespace,
			Name:            s.Name,
			UID:             s.UID,
			ResourceVersion: s.ResourceVersion,
		},
		Type:                kind,
		Reason:              reason,
		Message:             message,
		FirstTimestamp:      now,
		LastTimestamp:       now,
		Count:               1,
		Source:              corev1.EventSource{Component: string(fieldOwner)},
		ReportingController: string(fieldOwner),
	})
	if err != nil && !apierrors.IsAlreadyExists(err) && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		log.FromContext(ctx).Error(err, "cannot write event", "reason", reason, "message", message)
	}
}
