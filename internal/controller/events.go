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

// eventApplyFailed is the reason of the only event that no decision makes.
const eventApplyFailed = "ApplyFailed"

// maxEvent bounds an event's message, as Kubernetes' recorders do. What strangers
// wrote may be in it.
const maxEvent = 1024

// complain tells people of what no status says: that it cannot be written
// itself, or that something old cannot be let go.
func (w writer) complain(ctx context.Context, s *v1beta1.InferenceService, err error) {
	w.tell(ctx, s, 0, corev1.EventTypeWarning, eventApplyFailed, err.Error())
}

// tell writes an event, the n-th of its decision. Its name follows from what it
// says about which version of the service, so one that is told again after a
// crash is still one. Names begin with that version, because kubectl lists
// events in the order of names. A recorder of client-go would tell in the
// background, and nothing after a crash. No rollout waits for an event that
// cannot be written.
func (w writer) tell(ctx context.Context, s *v1beta1.InferenceService, n int, kind, reason, message string) {
	message = strings.ToValidUTF8(message[:min(len(message), maxEvent)], "")
	sum := sha256.Sum256([]byte(string(s.UID) + s.ResourceVersion + reason + message))
	version, _ := strconv.ParseUint(s.ResourceVersion, 10, 64) // the sum tells apart, too
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
