// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/testkit/eventually"
)

var (
	modelA = "sha256:" + strings.Repeat("a", 64)
	modelB = "sha256:" + strings.Repeat("b", 64)
)

const modelsName = "iris-predictor-models"

// told is the data of the ConfigMap of digests, nil if there is none.
func told(ctx context.Context, namespace string) map[string]string {
	var cm corev1.ConfigMap
	if api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: modelsName}, &cm) != nil {
		return nil
	}
	return cm.Data
}

func waitTold(t *testing.T, namespace string, want map[string]string) {
	t.Helper()
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		got := told(ctx, namespace)
		return got, cmp.Equal(got, want)
	})
}

func TestModelOfARevisionIsRecordedOnce(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	before := writes.now()
	node.store(ns, modelA)
	apply(t, ns, model("one", ""))
	s := wait(t, ns, isReady)
	if got := s.Status.ModelDigests["iris-predictor-00001"]; string(got) != modelA {
		t.Errorf("the status names %q", got)
	}
	waitTold(t, ns, map[string]string{"iris-predictor-00001": modelA})

	node.store(ns, modelB)
	apply(t, ns, model("two", "10"))
	wait(t, ns, hasTraffic("10% 00002, 90% 00001"))
	waitTold(t, ns, map[string]string{"iris-predictor-00001": modelA, "iris-predictor-00002": modelB})
	for revision, want := range map[string]string{"iris-predictor-00001": modelA, "iris-predictor-00002": modelB} {
		var cr appsv1.ControllerRevision
		if err := api.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: revision}, &cr); err != nil {
			t.Fatal(err)
		}
		if got := cr.Annotations[v1beta1.AnnotationModelDigest]; got != want {
			t.Errorf("the record of %s says %q", revision, got)
		}
	}

	apply(t, ns, model("two", "20"))
	wait(t, ns, hasTraffic("20% 00002, 80% 00001"))
	all := writes.since(before, ns)
	for write, want := range map[string]int{"PATCH controllerrevisions/": 2, "POST configmaps": 1, "PUT configmaps": 2, "DELETE pods": 0} {
		if n := len(slices.DeleteFunc(slices.Clone(all), func(w string) bool { return !strings.HasPrefix(w, write) })); n != want {
			t.Errorf("%d times %s, want %d: %q", n, write, want, all)
		}
	}
}

func TestPodWithAnotherModelIsReplaced(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	node.store(ns, modelA)
	apply(t, ns, model("one", ""))
	wait(t, ns, isReady)
	node.store(ns, modelB)
	apply(t, ns, model("one", "")+"minReplicas: 2\n")
	before := writes.now()
	scaleTo(t, ns, 2)
	eventually.Holds(t, func(context.Context) (any, bool) {
		all := writes.since(before, ns)
		return all, slices.ContainsFunc(all, func(w string) bool { return strings.HasPrefix(w, "DELETE pods") })
	})
	if s, err := get(t.Context(), ns); err != nil || condition(s, v1beta1.ConditionPredictorReady).Status == metav1.ConditionTrue {
		t.Errorf("a Pod with another model counts: %+v, %v", s.Status, err)
	}
	node.store(ns, modelA)
	wait(t, ns, isReady)
	for _, p := range podsOf(t, ns) {
		if !v1beta1.PodLeaving(&p) && v1beta1.PodModelDigest(&p) != modelA {
			t.Errorf("Pod %s serves %q", p.Name, v1beta1.PodModelDigest(&p))
		}
	}
}

// scaleTo is the autoscaler's part.
func scaleTo(t *testing.T, namespace string, replicas int32) {
	t.Helper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "iris-predictor-00001-deployment"}}
	patch(t, d, fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas))
}

func TestConfigMapOfModelsIsKept(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	node.store(ns, modelA)
	apply(t, ns, model("one", ""))
	wait(t, ns, isReady)
	want := map[string]string{"iris-predictor-00001": modelA}
	waitTold(t, ns, want)
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: modelsName}}
	if err := api.Delete(t.Context(), cm.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	waitTold(t, ns, want)
	patch(t, cm, `{"data":{"iris-predictor-00001":"`+modelB+`","iris-predictor-00002":"`+modelB+`"}}`)
	waitTold(t, ns, want)

	annotate(t, ns, v1beta1.AnnotationMutableModel, `"true"`)
	waitTold(t, ns, nil)
	wait(t, ns, func(s *v1beta1.InferenceService) bool {
		return isReady(s) && len(s.Status.ModelDigests) == 0
	})
	annotate(t, ns, v1beta1.AnnotationMutableModel, "null")
	waitTold(t, ns, want)
}

// Pods of a new revision would read which model they must get from a ConfigMap
// that says it of other revisions, so there is no new revision until it is gone.
func TestNoRevisionStartsBesideAnothersConfigMap(t *testing.T) {
	t.Parallel()
	deleted := metav1.OwnerReference{APIVersion: v1beta1.GroupVersion.String(), Kind: v1beta1.Kind.Kind, Name: "iris", UID: "00000000-0000-0000-0000-000000000001", Controller: new(true)}
	for name, c := range map[string]struct {
		meta metav1.ObjectMeta
		says string
	}{
		"a user's":                              {metav1.ObjectMeta{}, "is not Serin's"},
		"a user's, with the label of a service": {metav1.ObjectMeta{Labels: map[string]string{v1beta1.LabelService: "iris"}}, "is not Serin's"},
		"a deleted service's": {metav1.ObjectMeta{
			Labels:          map[string]string{v1beta1.LabelService: "iris", v1beta1.LabelComponent: "predictor"},
			OwnerReferences: []metav1.OwnerReference{deleted},
			Finalizers:      []string{"example.com/slow"}, // or the garbage collector is fast
		}, "is not as Serin made it for iris"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := newNamespace(t)
			theirs := &corev1.ConfigMap{ObjectMeta: c.meta, Data: map[string]string{"iris-predictor-00001": modelB}}
			theirs.Namespace, theirs.Name = ns, modelsName
			if err := api.Create(t.Context(), theirs); err != nil {
				t.Fatal(err)
			}
			node.store(ns, modelA)
			before := writes.now()
			apply(t, ns, model("one", ""))
			wait(t, ns, isRefused("ConfigMap "+modelsName+" exists and "+c.says+": delete it"))
			if diff := cmp.Diff(theirs.Data, told(t.Context(), ns)); diff != "" {
				t.Error(diff)
			}
			for _, w := range writes.since(before, ns) {
				if strings.HasPrefix(w, "POST controllerrevisions") || strings.HasPrefix(w, "PATCH deployments/") {
					t.Errorf("a revision starts: %s", w)
				}
			}
			patch(t, theirs, `{"metadata":{"finalizers":null}}`)
			if err := api.Delete(t.Context(), theirs); client.IgnoreNotFound(err) != nil {
				t.Fatal(err)
			}
			wait(t, ns, isReady)
			waitTold(t, ns, map[string]string{"iris-predictor-00001": modelA})
		})
	}
}

// Traffic moves between the revisions that there are, whoever has the ConfigMap.
func TestStrangersConfigMapIsLeftAlone(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	node.store(ns, modelA)
	apply(t, ns, model("one", ""))
	wait(t, ns, isReady)
	apply(t, ns, model("two", "10"))
	wait(t, ns, hasTraffic("10% 00002, 90% 00001"))
	waitTold(t, ns, map[string]string{"iris-predictor-00001": modelA, "iris-predictor-00002": modelA})
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: modelsName}}
	patch(t, cm, `{"metadata":{"labels":null,"ownerReferences":null},"data":{"a":"b"}}`)
	theirs := told(t.Context(), ns)
	apply(t, ns, model("two", "20"))
	wait(t, ns, func(s *v1beta1.InferenceService) bool {
		return traffic(s) == "20% 00002, 80% 00001" && strings.Contains(condition(s, v1beta1.ConditionReady).Message, "ConfigMap "+modelsName+" exists and is not Serin's: delete it")
	})
	apply(t, ns, model("three", "20"))
	s := wait(t, ns, isRefused("ConfigMap "+modelsName+" exists and is not Serin's"))
	if got := traffic(s); got != "20% 00002, 80% 00001" {
		t.Errorf("traffic: %s", got)
	}
	if diff := cmp.Diff(theirs, told(t.Context(), ns)); diff != "" {
		t.Error(diff)
	}
	if err := api.Delete(t.Context(), cm); err != nil {
		t.Fatal(err)
	}
	wait(t, ns, hasTraffic("20% 00003, 80% 00001"))
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		got := told(ctx, ns)
		return got, got["iris-predictor-00003"] == modelA && got["iris-predictor-00001"] == modelA
	})
}

// What somebody took the label from, which the cache selects by, gets it again.
func TestConfigMapOfModelsKeepsItsLabel(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	node.store(ns, modelA)
	apply(t, ns, model("one", ""))
	wait(t, ns, isReady)
	waitTold(t, ns, map[string]string{"iris-predictor-00001": modelA})
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: modelsName}}
	patch(t, cm, `{"metadata":{"labels":null},"data":{"iris-predictor-00001":"`+modelB+`"}}`)
	waitTold(t, ns, map[string]string{"iris-predictor-00001": modelA})
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		err := api.Get(ctx, client.ObjectKeyFromObject(cm), cm)
		return cm.Labels, err == nil && cm.Labels[v1beta1.LabelService] == "iris"
	})
	wait(t, ns, isReady)
}
