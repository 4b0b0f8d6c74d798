// SPDX-License-Identifier: Apache-2.0

package autoscaler

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/serin-dev/serin/api/v1beta1"
)

// A report of the routers reconciles each second, so an error is recorded once,
// whatever its size, and another error again.
func TestBrokenAnnotationsAreRecordedOnce(t *testing.T) {
	d := &appsv1.Deployment{}
	d.Namespace, d.Name = "models", "iris"
	d.Annotations = map[string]string{v1beta1.AnnotationActive: "true", v1beta1.AnnotationMinReplicas: "0", v1beta1.AnnotationMaxReplicas: "0"}
	c := fake.NewClientBuilder().WithObjects(d).Build() // a mock: the API server's own tests are in TestAutoscaler
	r := &reconciler{client: c, loads: newLoads(true)}
	logged := 0
	ctx := log.IntoContext(t.Context(), funcr.New(func(_, args string) { logged += len(args) }, funcr.Options{}))

	for i, broken := range []string{"foo", "bar"} {
		d.Annotations[v1beta1.PrefixAutoscaling+broken] = strings.Repeat("x", 200_000)
		if err := c.Update(ctx, d); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if _, err := r.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(d)}); err != nil {
				t.Fatal(err)
			}
		}
		var events corev1.EventList
		if err := c.List(ctx, &events); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(i+1, len(events.Items)); diff != "" {
			t.Errorf("events: %s", diff)
		}
		if logged > 1000*(i+1) {
			t.Errorf("%d bytes are logged", logged)
		}
		if message := fmt.Sprint(events.Items); !strings.Contains(message, v1beta1.PrefixAutoscaling+broken) {
			t.Errorf("no event names %s: %.500s", broken, message)
		}
	}
}
