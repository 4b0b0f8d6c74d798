// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/operator"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// eventApplyFailed is the reason of the only event that no decision plans.
const eventApplyFailed = "ApplyFailed"

// recordFailure records an event about a failure that no status shows: the status
// cannot be written, or an old object cannot be deleted.
func (w writer) recordFailure(ctx context.Context, s *v1beta1.InferenceService, err error) {
	w.recordEvent(ctx, s, 0, corev1.EventTypeWarning, eventApplyFailed, err.Error())
}

// recordEvent writes an event, the n-th of its decision. Its name is a hash of the
// service's version and the message, so that a repetition after a crash is the
// same event. It begins with the version, because kubectl lists events by name.
func (w writer) recordEvent(ctx context.Context, s *v1beta1.InferenceService, n int, kind, reason, message string) {
	sum := sha256.Sum256([]byte(string(s.UID) + s.ResourceVersion + reason + message))
	version, _ := strconv.ParseUint(s.ResourceVersion, 10, 64) // the hash has it, too
	operator.Record(ctx, w.client, fieldOwner, operator.Event{
		Name: fmt.Sprintf("%s.%016x.%d.%x", s.Name, version, n, sum[:4]),
		Regarding: corev1.ObjectReference{
			APIVersion:      v1beta1.Kind.GroupVersion().String(),
			Kind:            v1beta1.Kind.Kind,
			Namespace:       s.Namespace,
			Name:            s.Name,
			UID:             s.UID,
			ResourceVersion: s.ResourceVersion,
		},
		Type:    kind,
		Reason:  reason,
		Message: message,
	})
}

// mostEvents bounds how many events of a Pod are read.
const mostEvents = 200

// readEvents reads the events of Pods whose status does not say why they are not
// ready. There is no informer of events: they are many, and these are few. Without
// them, the service's status says less.
func (r *reconciler) readEvents(ctx context.Context, s *snapshot, now time.Time) {
	for i := range s.revisions {
		rev := &s.revisions[i]
		pod := rollout.Unexplained(rev.observed(now))
		if pod == nil {
			continue
		}
		var list corev1.EventList
		if err := r.api.List(ctx, &list, client.InNamespace(pod.Namespace), client.Limit(mostEvents),
			client.MatchingFields{"involvedObject.uid": string(pod.UID)}); err != nil {
			log.FromContext(ctx).Error(err, "the events of a Pod cannot be read", "pod", pod.Name)
		}
		rev.events = list.Items
	}
}
