// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// Only what keeps Pods from being told which model to get keeps a foreign Pod.
func TestRefusalsThatKeepAForeignPod(t *testing.T) {
	t.Parallel()
	const one = "iris-predictor-00001"
	p := rollout.Plan{Revisions: []rollout.PlannedRevision{{Name: one, Digest: "sha256:" + strings.Repeat("a", 64), Foreign: []string{"b"}}}}
	for name, c := range map[string]struct {
		refusal rollout.Refusal
		goes    bool
	}{
		"an address":                   {rollout.Refusal{Message: "Service iris exists and is not Serin's"}, true},
		"a Deployment":                 {rollout.Refusal{Revision: one, Deployment: true, Message: "exceeded quota"}, true},
		"a record, or what tells Pods": {rollout.Refusal{Revision: one, Message: "ConfigMap iris-predictor-models exists"}, false},
	} {
		s := &snapshot{
			revisions: []revision{{record: &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Name: one}}, pods: []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "b"}}}}},
			refusals:  []rollout.Refusal{c.refusal},
		}
		if got := len(s.foreign(t.Context(), p)) > 0; got != c.goes {
			t.Errorf("while %s is refused, the foreign Pod goes: %t", name, got)
		}
	}
}
