// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// patchStatus writes a part of a status, as anybody with the right to may.
func patchStatus(t *testing.T, namespace, patch string) {
	t.Helper()
	s := &v1beta1.InferenceService{}
	s.Namespace, s.Name = namespace, "iris"
	if err := api.Status().Patch(t.Context(), s, client.RawPatch(types.MergePatchType, []byte(patch)), client.FieldOwner("stranger")); err != nil {
		t.Fatal(err)
	}
}

// What others wrote into a status beside our fields stays, and keeps nothing
// from its end: an old revision goes to zero all the same.
func TestWhatOthersAddToAStatusKeepsNothingRunning(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	wait(t, ns, isReady)
	patchStatus(t, ns, `{"status":{"components":{"explainer":{"latestReadyRevision":"x"}}}}`)
	apply(t, ns, model("two", ""))
	s := wait(t, ns, hasTraffic("100% 00002"))
	if s.Status.Components["explainer"].LatestReadyRevision != "x" {
		t.Fatal("what others added is gone, so this test shows nothing")
	}
	d := &appsv1.Deployment{}
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		err := api.Get(ctx, client.ObjectKey{Namespace: ns, Name: "iris-predictor-00001-deployment"}, d)
		return fmt.Sprint(d.Annotations, err), err == nil && d.Annotations[v1beta1.AnnotationActive] == "false"
	})
}

// A status that somebody wrote is written anew.
func TestAHostileStatusIsPutRight(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	wait(t, ns, isReady)
	patchStatus(t, ns, `{"status":{"url":"http://victim.ns.example.com","components":{"predictor":{"latestRolledoutRevision":"victim-predictor-00001","latestReadyRevision":"iris-predictor-999999999","traffic":[{"revisionName":"victim-predictor-00001","percent":100}]}}}}`)
	wait(t, ns, func(s *v1beta1.InferenceService) bool {
		return traffic(s) == "100% 00001" && strings.HasPrefix(s.Status.URL, "http://iris."+ns) && isReady(s)
	})
}

// Records and Pods that only look like a revision's are nobody's.
func TestRecordsOfStrangers(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	s := wait(t, ns, isReady)
	var mine appsv1.ControllerRevision
	if err := api.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "iris-predictor-00001"}, &mine); err != nil {
		t.Fatal(err)
	}
	for i, raw := range []string{`{"hash":1}`, `{}`, `{"pod":[]}`, `{"hash":"h","pod":{"spec":{"containers":[]}}}`} {
		cr := mine.DeepCopy()
		cr.ResourceVersion, cr.UID = "", ""
		cr.Name, cr.Revision = fmt.Sprint("stranger-", i), 1<<62
		cr.Data = runtime.RawExtension{Raw: []byte(raw)}
		if err := api.Create(t.Context(), cr); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, ns, model("two", ""))
	now := wait(t, ns, func(s *v1beta1.InferenceService) bool { return isReady(s) && traffic(s) == "100% 00002" })
	if now.UID != s.UID {
		t.Error("it is another service")
	}
}

// The newcomer says who has its name, and has it when that one is gone.
func TestANewcomerWithATakenName(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	first := wait(t, ns, isReady)
	newcomer := &v1beta1.InferenceService{Spec: first.Spec}
	newcomer.Namespace, newcomer.Name = ns, "iris-predictor"
	if err := api.Create(t.Context(), newcomer); err != nil {
		t.Fatal(err)
	}
	says := func(want string) {
		t.Helper()
		eventually.Holds(t, func(ctx context.Context) (any, bool) {
			err := api.Get(ctx, client.ObjectKeyFromObject(newcomer), newcomer)
			c := condition(newcomer, v1beta1.ConditionIngressReady)
			got := strings.TrimSpace(fmt.Sprint(c.Status, " ", c.Reason, " ", c.Message, " ", newcomer.Status.URL))
			return fmt.Sprint(got, err), got == want
		})
	}
	says("False AddressTaken iris-predictor is a name of InferenceService iris, which had it first: give one of the two another name")
	wait(t, ns, isReady)
	if err := api.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	says("True   http://iris-predictor." + ns + ".example.com")
}
