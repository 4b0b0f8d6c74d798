// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/controller"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
	"github.com/serin-dev/serin/internal/testkit/eventually"
)

func TestFirstModelBecomesReady(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	s := wait(t, ns, isReady)

	const want = `clusterServingRuntimeName: kserve-sklearnserver
address: {url: http://iris.NS.svc.cluster.local}
components:
  predictor:
    address: {url: http://iris-predictor.NS.svc.cluster.local}
    latestCreatedRevision: iris-predictor-00001
    latestReadyRevision: iris-predictor-00001
    latestRolledoutRevision: iris-predictor-00001
    traffic: [{latestRevision: true, percent: 100, revisionName: iris-predictor-00001}]
    url: http://iris-predictor.NS.example.com
conditions:
- {type: IngressReady, status: "True"}
- {type: LatestDeploymentReady, status: "True", severity: Info}
- {type: PredictorConfigurationReady, status: "True", severity: Info}
- {type: PredictorReady, status: "True"}
- {type: PredictorRouteReady, status: "True", severity: Info}
- {type: Ready, status: "True"}
- {type: RoutesReady, status: "True", severity: Info}
- {type: Servable, status: "True", severity: Info}
modelStatus:
  copies: {failedCopies: 0, totalCopies: 1}
  states: {activeModelState: Loaded, targetModelState: Loaded}
  transitionStatus: UpToDate
observedGeneration: 1
url: http://iris.NS.example.com
`
	var status v1beta1.InferenceServiceStatus
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(want, "NS", ns)), &status); err != nil {
		t.Fatal(err)
	}
	for i := range s.Status.Conditions {
		if s.Status.Conditions[i].LastTransitionTime.IsZero() {
			t.Errorf("%s has no time", s.Status.Conditions[i].Type)
		}
		s.Status.Conditions[i].LastTransitionTime = metav1.Time{}
	}
	if diff := cmp.Diff(status, s.Status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{
		"RevisionCreated": "Created revision iris-predictor-00001",
		"RolledOut":       "Revision iris-predictor-00001 has all traffic",
	}, events(t, ns, 2)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestNothingIsWrittenWhenNothingChanges(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	s := wait(t, ns, isReady)
	before := writes.now()

	patch(t, s, `{"metadata":{"labels":{"team":"iris"}}}`)
	var pods corev1.PodList
	if err := api.List(t.Context(), &pods, client.InNamespace(ns)); err != nil {
		t.Fatal(err)
	}
	patch(t, &pods.Items[0], `{"metadata":{"annotations":{"seen":"yes"}}}`)
	// Of a change that moves no weight, the generation is all there is to say.
	apply(t, ns, model("one", "50"))
	wait(t, ns, isReady)

	want := []string{"PATCH inferenceservices/iris/status"}
	if diff := cmp.Diff(want, writes.since(before, ns)); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

func TestCanaryPromotionAndRollbackRestartNothing(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	wait(t, ns, isReady)

	release := node.hold(t, ns, "iris-predictor-00002")
	apply(t, ns, model("two", "10"))
	s := wait(t, ns, func(s *v1beta1.InferenceService) bool {
		return condition(s, v1beta1.ConditionReady).Status == metav1.ConditionUnknown
	})
	if got := traffic(s); got != "100% 00001" {
		t.Errorf("traffic while the canary starts: %s", got)
	}
	release()
	wait(t, ns, hasTraffic("10% 00002, 90% 00001"))
	pods := podNames(t, ns)

	steps := writes.now()
	apply(t, ns, model("two", "50"))
	wait(t, ns, hasTraffic("50% 00002, 50% 00001"))
	if diff := cmp.Diff([]string{"PATCH inferenceservices/iris/status"}, writes.since(steps, ns)); diff != "" {
		t.Errorf("writes for a change of weights (-want +got):\n%s", diff)
	}
	apply(t, ns, model("two", ""))
	wait(t, ns, hasTraffic("100% 00002"))
	apply(t, ns, model("two", "0"))
	s = wait(t, ns, hasTraffic("0% 00002, 100% 00001"))
	if !isReady(s) {
		t.Errorf("a warm rollback is not Ready at once: %+v", condition(s, v1beta1.ConditionReady))
	}
	if diff := cmp.Diff(pods, podNames(t, ns)); diff != "" {
		t.Errorf("Pods (-before +after):\n%s", diff)
	}
	p := s.Status.Components[v1beta1.Predictor]
	if p.LatestRolledoutRevision != "iris-predictor-00001" || p.PreviousRolledoutRevision != "iris-predictor-00001" {
		t.Errorf("after the rollback R=%s P=%s", p.LatestRolledoutRevision, p.PreviousRolledoutRevision)
	}
}

func TestAnnotationsThatMakeNoSenseChangeNothing(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	deployment := func() map[string]string {
		t.Helper()
		var d appsv1.Deployment
		if err := api.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "iris-predictor-00001-deployment"}, &d); err != nil {
			t.Fatal(err)
		}
		delete(d.Annotations, "deployment.kubernetes.io/revision") // the deployment controller's
		return d.Annotations
	}
	apply(t, ns, model("one", "")+"minReplicas: 0\nmaxReplicas: 4\nscaleTarget: 7")
	wait(t, ns, isReady)
	want := map[string]string{
		"serin.dev/active": "true", "serin.dev/min-replicas": "0", "serin.dev/max-replicas": "4",
		"autoscaling.knative.dev/min-scale": "0", "autoscaling.knative.dev/max-scale": "4", "autoscaling.knative.dev/target": "7",
	}
	eventually.Holds(t, func(context.Context) (any, bool) {
		diff := cmp.Diff(want, deployment())
		return diff, diff == ""
	})
	for key, complaint := range map[string]string{
		"autoscaling.knative.dev/window": `annotation autoscaling.knative.dev/window "soon": write whole seconds from 6s to 1h0m0s, such as 90s or 2m`,
		"serving.kserve.io/metrics":      `annotation serving.kserve.io/metrics "soon" belongs to the HorizontalPodAutoscaler`,
		v1beta1.AnnotationSticky:         `annotation serin.dev/sticky: "soon" names nothing to stick to`,
	} {
		annotate(t, ns, key, `"soon"`)
		s := wait(t, ns, func(s *v1beta1.InferenceService) bool {
			return s.Status.ModelStatus.TransitionStatus == v1beta1.InvalidSpec
		})
		if got := s.Status.ModelStatus.LastFailureInfo.Message; !strings.Contains(got, complaint) {
			t.Errorf("%s: %s, want %s", key, got, complaint)
		}
		if got := traffic(s); got != "100% 00001" {
			t.Errorf("%s: traffic is %s", key, got)
		}
		if diff := cmp.Diff(want, deployment()); diff != "" {
			t.Errorf("%s: the Deployment's annotations (-before +after):\n%s", key, diff)
		}
		annotate(t, ns, key, "null")
		wait(t, ns, isReady)
	}
}

func TestOldManifestReusesItsRevision(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	wait(t, ns, isReady)
	apply(t, ns, model("two", ""))
	wait(t, ns, hasTraffic("100% 00002"))
	pods := podNames(t, ns)
	apply(t, ns, model("one", ""))
	wait(t, ns, hasTraffic("100% 00001"))
	if diff := cmp.Diff(pods, podNames(t, ns)); diff != "" {
		t.Errorf("Pods (-before +after):\n%s", diff)
	}
}

func TestMissingModelBlocksAndTrafficStays(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	wait(t, ns, isReady)
	apply(t, ns, model("missing", ""))
	s := wait(t, ns, func(s *v1beta1.InferenceService) bool {
		return s.Status.ModelStatus.TransitionStatus == v1beta1.BlockedByFailedLoad
	})
	f := *s.Status.ModelStatus.LastFailureInfo
	if !strings.HasPrefix(f.Location, "iris-predictor-00002-deployment-") {
		t.Errorf("the failure is located at %q", f.Location)
	}
	f.Location = ""
	want := v1beta1.FailureInfo{
		Reason: v1beta1.ModelLoadFailed, Message: "there is no such object", ModelRevisionName: "iris-predictor-00002", ExitCode: 1,
	}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("lastFailureInfo (-want +got):\n%s", diff)
	}
	if got := traffic(s); got != "100% 00001" {
		t.Errorf("traffic: %s", got)
	}
	if c := condition(s, v1beta1.ConditionReady); c.Status != metav1.ConditionFalse || c.Message != "Revision iris-predictor-00002: there is no such object" {
		t.Errorf("Ready: %+v", c)
	}
	if c := condition(s, v1beta1.ConditionServable); c.Status != metav1.ConditionTrue {
		t.Errorf("Servable: %+v", c)
	}
}

func TestRuntimeThatComesLaterHelps(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, "model: {modelFormat: {name: sklearn}, storageUri: 'gs://b/one', runtime: later}")
	s := wait(t, ns, func(s *v1beta1.InferenceService) bool { return s.Status.ModelStatus != nil })
	if m := s.Status.ModelStatus; m.TransitionStatus != v1beta1.InvalidSpec || m.LastFailureInfo.Reason != v1beta1.RuntimeNotRecognized {
		t.Fatalf("modelStatus: %+v, %+v", m, m.LastFailureInfo)
	}
	if err := api.Create(t.Context(), runtimeNamed(ns, "later", "example/one")); err != nil {
		t.Fatal(err)
	}
	s = wait(t, ns, isReady)
	if s.Status.ServingRuntimeName != "later" {
		t.Errorf("servingRuntimeName: %q", s.Status.ServingRuntimeName)
	}
}

func TestChangedRuntimeChangesNothingThatRuns(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	runtime := runtimeNamed(ns, "mine", "example/one")
	if err := api.Create(t.Context(), runtime); err != nil {
		t.Fatal(err)
	}
	apply(t, ns, "model: {modelFormat: {name: sklearn}, storageUri: 'gs://b/one', runtime: mine}")
	wait(t, ns, isReady)
	if err := api.Delete(t.Context(), runtime); err != nil {
		t.Fatal(err)
	}
	apply(t, ns, "canaryTrafficPercent: 7\nmodel: {modelFormat: {name: sklearn}, storageUri: 'gs://b/one', runtime: mine}")
	wait(t, ns, isReady)
	apply(t, ns, "canaryTrafficPercent: 7\nmodel: {modelFormat: {name: sklearn}, storageUri: 'gs://b/two', runtime: mine}")
	s := wait(t, ns, func(s *v1beta1.InferenceService) bool { return !isReady(s) })
	if m := s.Status.ModelStatus; m.TransitionStatus != v1beta1.InvalidSpec || traffic(s) != "100% 00001" {
		t.Errorf("a new template without its runtime: %+v, traffic %s", m, traffic(s))
	}
}

func TestDeletedServiceLeavesNothingAndMayComeBack(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	first := wait(t, ns, isReady)
	if err := api.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	apply(t, ns, model("two", "")) // while the objects of the first are still there
	second := wait(t, ns, isReady)
	for _, p := range podsOf(t, ns) {
		if p.CreationTimestamp.Before(&second.CreationTimestamp) && p.DeletionTimestamp == nil {
			t.Errorf("Pod %s of the deleted service counts", p.Name)
		}
	}
	if err := api.Delete(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		left := ownedObjects(ctx, t, ns)
		return left, len(left) == 0
	})
}

func TestQuickChangesMakeEachRevisionOnce(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	for i := range 30 {
		apply(t, ns, model(fmt.Sprintf("m%d", i%6), ""))
	}
	wait(t, ns, func(s *v1beta1.InferenceService) bool {
		p := s.Status.Components[v1beta1.Predictor]
		return isReady(s) && p.LatestRolledoutRevision == p.LatestCreatedRevision
	})
	var list appsv1.ControllerRevisionList
	if err := api.List(t.Context(), &list, client.InNamespace(ns)); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{} // by hash
	numbers := map[int64]string{}
	for _, r := range list.Items {
		hash := r.Labels[v1beta1.LabelTemplateHash]
		if other, ok := names[hash]; ok {
			t.Errorf("%s and %s are the same template", other, r.Name)
		}
		if other, ok := numbers[r.Revision]; ok {
			t.Errorf("%s and %s have the same number", other, r.Name)
		}
		names[hash], numbers[r.Revision] = r.Name, r.Name
	}
}

func TestHistoryHasAnEnd(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	wait(t, ns, isReady)
	for i := 2; i <= 13; i++ { // none of these will ever serve
		apply(t, ns, model(fmt.Sprintf("m%d/missing", i), ""))
		wait(t, ns, func(s *v1beta1.InferenceService) bool {
			return s.Status.Components[v1beta1.Predictor].LatestCreatedRevision == fmt.Sprintf("iris-predictor-%05d", i)
		})
	}
	var want []string
	for _, i := range []int{1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13} { // the first serves
		want = append(want, fmt.Sprintf("ControllerRevision iris-predictor-%05d", i))
	}
	want = append(want, "Deployment iris-predictor-00001-deployment", "Deployment iris-predictor-00013-deployment")
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		scaleIdle(ctx, t, ns)
		var got []string
		for _, o := range ownedObjects(ctx, t, ns) {
			if !strings.HasPrefix(o, "Pod ") {
				got = append(got, o)
			}
		}
		diff := cmp.Diff(want, got)
		return diff, diff == ""
	})
}

func TestWhatOthersChangeIsPutRight(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	wait(t, ns, isReady)
	d := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: ns, Name: "iris-predictor-00001-deployment"}
	d.Namespace, d.Name = key.Namespace, key.Name
	patch(t, d, `{"spec":{"template":{"spec":{"containers":[{"name":"kserve-container","image":"other"}]}}}}`)
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		err := api.Get(ctx, key, d)
		image := d.Spec.Template.Spec.Containers[0].Image
		return fmt.Sprint(image, err), err == nil && image != "other"
	})
	was := d.UID
	if err := api.Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		err := api.Get(ctx, key, d)
		return err, err == nil && d.UID != was
	})
	wait(t, ns, isReady)
}

func TestStrangersObjectsAreLeftAlone(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	theirs := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "iris-predictor-00001-deployment"},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "theirs"}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "theirs"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "theirs", Image: "theirs"}}},
			},
		},
	}
	if err := api.Create(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	apply(t, ns, model("one", ""))
	s := wait(t, ns, func(s *v1beta1.InferenceService) bool { return condition(s, v1beta1.ConditionReady).Message != "" })
	want := "Deployment iris-predictor-00001-deployment exists and is not Serin's: delete it, or give this service another name"
	if got := condition(s, v1beta1.ConditionReady); got.Status != metav1.ConditionFalse || !strings.Contains(got.Message, want) {
		t.Errorf("Ready: %+v, want %q", got, want)
	}
	var got appsv1.Deployment
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(theirs), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(theirs.Spec.Selector, got.Spec.Selector); diff != "" {
		t.Errorf("selector (-want +got):\n%s", diff)
	}
}

func TestStaleDecisionRecordsNoEvent(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	old := wait(t, ns, isReady)
	apply(t, ns, model("one", "10"))
	plan := rollout.Plan{Events: []rollout.Event{{Reason: "Outdated", Message: "It was so a moment ago"}}}
	if err := controller.Store(t.Context(), api, old, plan); !errors.Is(err, controller.ErrOutdated) {
		t.Errorf("Store = %v, want %v", err, controller.ErrOutdated)
	}
	if got, told := events(t, ns, 2)["Outdated"]; told {
		t.Errorf("there is an event: %s", got)
	}
}

func runtimeNamed(namespace, name, image string) *v1alpha1.ServingRuntime {
	return &v1alpha1.ServingRuntime{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.ServingRuntimeSpec{
			SupportedModelFormats: []v1alpha1.SupportedModelFormat{{Name: "sklearn"}},
			RuntimePodSpec:        v1alpha1.RuntimePodSpec{Containers: []corev1.Container{{Name: v1beta1.ContainerModel, Image: image}}},
		},
	}
}

// events returns the service's events, reason to message, once there are n.
func events(t *testing.T, namespace string, n int) map[string]string {
	t.Helper()
	got := map[string]string{}
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		var list corev1.EventList
		if err := api.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return err, false
		}
		for _, e := range list.Items {
			if e.InvolvedObject.Kind == v1beta1.Kind.Kind {
				got[e.Reason] = e.Message
			}
		}
		return got, len(got) >= n
	})
	return got
}

func podsOf(t *testing.T, namespace string) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	if err := api.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func podNames(t *testing.T, namespace string) []string {
	t.Helper()
	var names []string
	for _, p := range podsOf(t, namespace) {
		names = append(names, p.Name)
	}
	return names
}

// ownedObjects lists what the service made, sorted.
func ownedObjects(ctx context.Context, t *testing.T, namespace string) []string {
	t.Helper()
	var out []string
	for kind, list := range map[string]client.ObjectList{
		"ControllerRevision": &appsv1.ControllerRevisionList{},
		"Deployment":         &appsv1.DeploymentList{},
		"Service":            &corev1.ServiceList{},
		"Pod":                &corev1.PodList{},
	} {
		if err := api.List(ctx, list, client.InNamespace(namespace), client.HasLabels{v1beta1.LabelService}); err != nil && !apierrors.IsTimeout(err) {
			t.Fatal(err)
		}
		switch list := list.(type) {
		case *appsv1.ControllerRevisionList:
			for _, o := range list.Items {
				out = append(out, kind+" "+o.Name)
			}
		case *appsv1.DeploymentList:
			for _, o := range list.Items {
				out = append(out, kind+" "+o.Name)
			}
		case *corev1.ServiceList:
			for _, o := range list.Items {
				out = append(out, kind+" "+o.Name)
			}
		case *corev1.PodList:
			for _, o := range list.Items {
				out = append(out, kind+" "+o.Name)
			}
		}
	}
	slices.Sort(out)
	return out
}
