// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// canary is a world with a canary at 10%, and a tag for both.
func canaryWorld() *world {
	w := newWorld()
	w.annotate(v1beta1.AnnotationTagRouting, true)
	w.target = Target{Hash: "2", Model: "m2"}
	w.isvc.Spec.Predictor.CanaryTrafficPercent = new(int64(10))
	for n, name := range []string{"iris-predictor-00001", "iris-predictor-00002"} {
		w.revisions = append(w.revisions, Revision{Name: name, Number: n + 1, Hash: string(rune('1' + n)), Model: "m", Health: Health{Ready: 1}})
	}
	w.isvc.Status.Components = map[v1beta1.Component]v1beta1.ComponentStatus{v1beta1.Predictor: {
		LatestRolledoutRevision: "iris-predictor-00001", LatestReadyRevision: "iris-predictor-00002", LatestCreatedRevision: "iris-predictor-00002",
	}}
	return w
}

// addresses is all that a status says of where a service is.
func addresses(st v1beta1.InferenceServiceStatus) []string {
	c := st.Components[v1beta1.Predictor]
	out := []string{st.URL, c.URL}
	for _, a := range []*v1beta1.Address{st.Address, c.Address} {
		if a != nil {
			out = append(out, a.URL)
		}
	}
	for _, t := range c.Traffic {
		out = append(out, t.Tag+" "+t.URL)
	}
	for _, c := range st.Conditions {
		if c.Reason == ReasonAddressTaken {
			out = append(out, c.Type+": "+c.Message)
		}
	}
	return out
}

func TestWhereAServiceIs(t *testing.T) {
	const (
		outside = "http://iris.ns.example.com"
		inside  = "http://iris.ns.svc.cluster.local"
		name    = " is a name of InferenceService other, which had it first: give one of the two another name"
	)
	for what, c := range map[string]struct {
		in   Input
		want []string
	}{
		"a name of its own": {Input{}, []string{
			outside, "http://iris-predictor.ns.example.com", inside, "http://iris-predictor.ns.svc.cluster.local",
			"latest http://latest-iris-predictor.ns.example.com", "prev http://prev-iris-predictor.ns.example.com",
		}},
		"a private one": {Input{Private: true}, []string{
			inside, "http://iris-predictor.ns.svc.cluster.local", inside, "http://iris-predictor.ns.svc.cluster.local", "latest ", "prev ",
		}},
		"another's name": {Input{Taken: map[string]string{"iris": "other"}}, []string{
			"", "http://iris-predictor.ns.example.com", "http://iris-predictor.ns.svc.cluster.local",
			"latest http://latest-iris-predictor.ns.example.com", "prev http://prev-iris-predictor.ns.example.com",
			"IngressReady: iris" + name, "PredictorRouteReady: iris" + name, "Ready: iris" + name, "RoutesReady: iris" + name,
		}},
		"another's predictor": {Input{Taken: map[string]string{"iris-predictor": "other"}}, []string{
			outside, "", inside,
			"latest http://latest-iris-predictor.ns.example.com", "prev http://prev-iris-predictor.ns.example.com",
			"IngressReady: iris-predictor" + name, "PredictorRouteReady: iris-predictor" + name, "Ready: iris-predictor" + name, "RoutesReady: iris-predictor" + name,
		}},
		"another's tag": {Input{Taken: map[string]string{"prev-iris-predictor": "prev-iris"}}, []string{
			outside, "http://iris-predictor.ns.example.com", inside, "http://iris-predictor.ns.svc.cluster.local",
			"latest http://latest-iris-predictor.ns.example.com", "prev ",
			"PredictorRouteReady: prev-iris-predictor, the host of tag prev, is a name of InferenceService prev-iris, which had it first: ask for the tag by the header Knative-Serving-Tag",
			"RoutesReady: prev-iris-predictor, the host of tag prev, is a name of InferenceService prev-iris, which had it first: ask for the tag by the header Knative-Serving-Tag",
		}},
	} {
		t.Run(what, func(t *testing.T) {
			in := canaryWorld().input()
			in.Private, in.Taken = c.in.Private, c.in.Taken
			p := Decide(in)
			if diff := cmp.Diff(c.want, addresses(p.Status)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]weight{{"iris-predictor-00002", 10}, {"iris-predictor-00001", 90}}, weights(p)); diff != "" {
				t.Errorf("traffic: %s", diff)
			}
		})
	}
}

// What somebody wrote into a status does not become what is decided.
func TestAHostileStatus(t *testing.T) {
	target := func(name string, percent int64) v1beta1.TrafficTarget {
		return v1beta1.TrafficTarget{RevisionName: name, Percent: &percent}
	}
	const huge = int64(4611686018427387904)
	for what, change := range map[string]func(in *Input, c *v1beta1.ComponentStatus){
		"a share of all memory": func(_ *Input, c *v1beta1.ComponentStatus) {
			c.Traffic = []v1beta1.TrafficTarget{target("iris-predictor-00002", huge), target("iris-predictor-00001", -huge)}
		},
		"and a canary that is not ready": func(in *Input, c *v1beta1.ComponentStatus) {
			c.Traffic = []v1beta1.TrafficTarget{target("iris-predictor-00002", huge), target("iris-predictor-00001", huge)}
			in.Min = 2
		},
		"and an invalid spec": func(in *Input, c *v1beta1.ComponentStatus) {
			c.Traffic = []v1beta1.TrafficTarget{target("iris-predictor-00002", huge), target("iris-predictor-00001", huge)}
			in.Target.Invalid = &Invalid{v1beta1.InvalidPredictorSpec, strings.Repeat("ä", 100_000)}
		},
		"a canary of all memory": func(in *Input, _ *v1beta1.ComponentStatus) {
			in.Service.Spec.Predictor.CanaryTrafficPercent = new(huge)
		},
		"a canary below nothing": func(in *Input, _ *v1beta1.ComponentStatus) {
			in.Service.Spec.Predictor.CanaryTrafficPercent = new(-huge)
		},
		"another's revisions": func(_ *Input, c *v1beta1.ComponentStatus) {
			c.Traffic = []v1beta1.TrafficTarget{target("victim-predictor-00001", 100)}
			c.LatestRolledoutRevision, c.PreviousRolledoutRevision = "victim-predictor-00001", "victim-predictor-00002"
		},
		"a minimum below nothing": func(in *Input, _ *v1beta1.ComponentStatus) { in.Min = -1 << 31 },
		"an idle revision of the future": func(in *Input, _ *v1beta1.ComponentStatus) {
			in.Revisions[0].IdleSince = in.Now.AddDate(7000, 0, 0)
			in.Service.Spec.Predictor.CanaryTrafficPercent = nil
		},
	} {
		t.Run(what, func(t *testing.T) {
			in := canaryWorld().input()
			c := in.Service.Status.Components[v1beta1.Predictor]
			change(&in, &c)
			in.Service.Status.Components[v1beta1.Predictor] = c
			p := Decide(in)
			sum := int64(0)
			for _, w := range weights(p) {
				if sum += w.Percent; w.Percent < 0 || w.Percent > 100 || !strings.HasPrefix(w.Revision, "iris-predictor-") {
					t.Errorf("a share of %+v", w)
				}
			}
			if sum != 100 {
				t.Errorf("the shares sum to %d: %+v", sum, weights(p))
			}
			for _, c := range p.Status.Conditions {
				if len(c.Message) > maxMessage {
					t.Errorf("%s has %d bytes", c.Type, len(c.Message))
				}
			}
			for _, r := range p.Revisions {
				if r.IdleSince.After(in.Now) {
					t.Errorf("%s is idle since %v", r.Name, r.IdleSince)
				}
			}
		})
	}
}

// A name of somebody else's is no fault of a service that has no such tag.
func TestTagsThatAreNotUsedMayBeTaken(t *testing.T) {
	in := canaryWorld().input()
	in.Service.Spec.Predictor.CanaryTrafficPercent = nil
	in.Taken = map[string]string{"latest-iris-predictor": "latest-iris", "prev-iris-predictor": "prev-iris"}
	in.Service.Annotations = nil
	p := Decide(in)
	if diff := cmp.Diff([]weight{{"iris-predictor-00002", 100}}, weights(p)); diff != "" {
		t.Fatalf("traffic: %s", diff)
	}
	for _, c := range p.Status.Conditions {
		if c.Reason == ReasonAddressTaken {
			t.Errorf("%s: %s", c.Type, c.Message)
		}
	}
}

// What the routers' own code says against the traffic is said in the status.
func TestUnroutableTrafficIsACondition(t *testing.T) {
	in := canaryWorld().input()
	in.Routable = func(namespace, name string, traffic []v1beta1.TrafficTarget) error {
		return fmt.Errorf("%s/%s cannot be routed: a bug with %d revisions", namespace, name, len(traffic))
	}
	for _, c := range Decide(in).Status.Conditions {
		if c.Type == v1beta1.ConditionRoutesReady {
			if c.Status != metav1.ConditionFalse || c.Reason != ReasonUnroutable || !strings.HasSuffix(c.Message, "iris cannot be routed: a bug with 2 revisions") {
				t.Errorf("the routes are %+v", c)
			}
			return
		}
	}
	t.Error("nothing is said of the routes")
}

func TestNumbersThatSomebodyElseWrote(t *testing.T) {
	revisions := []Revision{{Number: 3}}
	for name, want := range map[string]int{
		"iris-predictor-00007": 8, "iris-predictor-99999999": 100_000_000, "iris-predictor-999999999": 4, "iris-predictor-9223372036854775807": 4,
		"victim-predictor-00009": 4, "iris-predictor--0009": 4, "9": 4, "": 4,
	} {
		if got := NextNumber("iris", revisions, v1beta1.ComponentStatus{LatestReadyRevision: name}); got != want {
			t.Errorf("after %q comes %d, want %d", name, got, want)
		}
	}
}

// A status of the longest messages fits its schema, and a crash loop that says
// one of them writes no second status.
func TestAFailureOfManyWords(t *testing.T) {
	w := canaryWorld()
	in := w.input()
	words := strings.Repeat("ä", 100_000)
	in.Revisions[1].Health = Health{Failed: 1, Failure: &v1beta1.FailureInfo{Reason: v1beta1.ModelLoadFailed, Message: cut(words), Time: &metav1.Time{Time: epoch}}}
	in.Revisions[1].Ready = 0
	first := Decide(in).Status
	if f := lastFailure(first); f == nil || len(f.Message) > maxMessage || !strings.HasSuffix(f.Message, "ä ...") {
		t.Fatalf("the failure is %.20v", f)
	}
	in.Service.Status = first
	in.Revisions[1].Failure = &v1beta1.FailureInfo{Reason: v1beta1.ModelLoadFailed, Message: cut(words), Time: &metav1.Time{Time: epoch.Add(1)}}
	if diff := cmp.Diff(first, Decide(in).Status); diff != "" {
		t.Error(diff)
	}
}
