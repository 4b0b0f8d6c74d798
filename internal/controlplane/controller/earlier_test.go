// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// revisionService is the Service that earlier versions made for each revision.
func revisionService(s *v1beta1.InferenceService, revision string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.Namespace, Name: revision,
			Labels: map[string]string{
				v1beta1.LabelApp: revision, v1beta1.LabelRevision: revision,
				v1beta1.LabelService: s.Name, v1beta1.LabelComponent: string(v1beta1.Predictor),
			},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(s, v1beta1.Kind)},
		},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{v1beta1.LabelRevision: revision},
			Ports:    []corev1.ServicePort{{Name: "http", Port: 80}},
		},
	}
}

// The Services of revisions go. A user's copy of one, under another name, stays.
func TestServicesOfEarlierVersionsAreDeleted(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	s := wait(t, ns, isReady)
	exposed := revisionService(s, "iris-predictor-00001")
	exposed.Name, exposed.OwnerReferences = "exposed", nil
	for _, o := range []*corev1.Service{revisionService(s, "iris-predictor-00001"), exposed} {
		if err := api.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		err := api.Get(ctx, client.ObjectKey{Namespace: ns, Name: "iris-predictor-00001"}, &corev1.Service{})
		return fmt.Sprint(err), apierrors.IsNotFound(err)
	})
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(exposed), exposed); err != nil {
		t.Error(err)
	}
}
