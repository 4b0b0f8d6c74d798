// SPDX-License-Identifier: Apache-2.0

package router

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"
	"pgregory.net/rapid"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/dataplane/routing"
)

// use makes in all that there is.
func (r *router) use(in routing.Input) {
	var services, pods []any
	for _, s := range in.Services {
		services = append(services, &slim[service]{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name}, part: &service{Service: s}})
	}
	for _, p := range in.Pods {
		pods = append(pods, &slim[routing.Pod]{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Addr}, part: &p})
	}
	if err := errors.Join(r.mirror.services.Replace(services, ""), r.mirror.pods.Replace(pods, "")); err != nil {
		panic(err)
	}
	r.change(r.mirror.take())
}

// shown describes a router's table, but for its counters.
func shown(table *routing.Table) map[string]string {
	out := map[string]string{}
	for r := range table.Revisions {
		c, ok := table.Rebind(routing.Choice{Revision: r})
		out[r.Name] = fmt.Sprintf("%d Pods, %v, %+v", r.Ready(), ok, c.Service)
	}
	return out
}

// Whatever a reflector does with its objects, in whatever order, the table is that of
// the objects that there are.
func TestTableIsOfWhatThereIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRouter(Config{Domain: "example.com", Loopback: true, Log: slog.New(slog.DiscardHandler)})
		services, pods := map[string]any{}, map[string]any{}
		change := func(s cache.ReflectorStore, objects map[string]any, key string, next any) error {
			old := objects[key]
			if objects[key] = next; next == nil {
				delete(objects, key)
			}
			switch {
			case rapid.IntRange(0, 5).Draw(t, "replace") == 0:
				return s.Replace(slices.Collect(maps.Values(objects)), "")
			case next != nil && old == nil:
				return s.Add(next)
			case next != nil:
				return s.Update(next)
			case old != nil:
				return s.Delete(old)
			}
			return nil
		}
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			n := rapid.IntRange(0, 3).Draw(t, "which")
			var next any
			var err error
			if rapid.Bool().Draw(t, "a service") {
				if rapid.IntRange(0, 3).Draw(t, "there") > 0 {
					next = &slim[service]{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: fmt.Sprint("iris-", n)}, part: &service{Service: routing.Service{
						Namespace: "team", Name: fmt.Sprint("iris-", n), Traffic: []routing.Share{{Revision: fmt.Sprintf("iris-%d-%d", n, rapid.IntRange(1, 2).Draw(t, "revision")), Percent: 100}},
					}}}
				}
				err = change(&r.mirror.services, services, fmt.Sprint(n), next)
			} else {
				if rapid.IntRange(0, 3).Draw(t, "there") > 0 {
					p := podOf(fmt.Sprint("127.1.2.", rapid.IntRange(0, 2).Draw(t, "address"))) // an ended Pod's may be used again
					p.Name = fmt.Sprint("pod-", n)
					revision := fmt.Sprintf("iris-%d-%d", n/2, rapid.IntRange(1, 2).Draw(t, "revision"))
					p.Labels[v1beta1.LabelRevision], p.OwnerReferences[0].Name = revision, v1beta1.DeploymentName(revision)+"-5d4f"
					setReady(p, rapid.IntRange(0, 3).Draw(t, "ready") > 0)
					next = p
				}
				err = change(&r.mirror.pods, pods, fmt.Sprint(n), next)
			}
			if err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "at once") {
				r.change(r.mirror.take())
			}
		}
		r.change(r.mirror.take())
		var in routing.Input
		for _, o := range services {
			in.Services = append(in.Services, o.(*slim[service]).part.Service)
		}
		for _, o := range pods {
			if p := r.slimPod(o).(*slim[routing.Pod]).part; p != nil {
				in.Pods = append(in.Pods, *p)
			}
		}
		if diff := cmp.Diff(shown(routing.Build(in)), shown(r.view.Load().table)); diff != "" {
			t.Fatal(diff)
		}
		if len(r.mirror.services.known) != len(in.Services) || len(r.mirror.pods.known) != len(in.Pods) {
			t.Fatalf("%d services and %d Pods are kept, want %d and %d", len(r.mirror.services.known), len(r.mirror.pods.known), len(in.Services), len(in.Pods))
		}
	})
}

// What changes nothing about the routes makes no table, and wakes nobody.
func TestEventWithoutARoutingChangeIsDropped(t *testing.T) {
	r := newRouter(Config{Domain: "example.com", Loopback: true, Log: slog.New(slog.DiscardHandler)})
	u, p := object(t, "metadata: {name: iris, namespace: team}\nstatus: {components: {predictor: {traffic: [{revisionName: iris-predictor-00001, percent: 100}]}}}"), podOf("127.1.2.3")
	event := func() {
		t.Helper()
		if err := errors.Join(r.mirror.services.Update(u), r.mirror.pods.Update(p)); err != nil {
			t.Fatal(err)
		}
	}
	event()
	r.change(r.mirror.take())
	<-r.mirror.due
	before := r.view.Load()
	if before.table.Revision("team", "iris-predictor-00001").Ready() != 1 {
		t.Fatal("the Pod is not in the table")
	}
	u = u.DeepCopy()
	for field, value := range map[string]string{"metadata": "resourceVersion", "status": "observedGeneration"} {
		if err := unstructured.SetNestedField(u.Object, "9", field, value); err != nil {
			t.Fatal(err)
		}
	}
	p.ResourceVersion, p.Status.Message = "9", "all is well"
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodScheduled})
	event()
	select {
	case <-r.mirror.due:
		t.Error("a table is due")
	default:
	}
	if r.change(r.mirror.take()); r.view.Load() != before {
		t.Error("there is another table")
	}
}

// The warning about an annotation is logged once for each text.
func TestUnreadableAnnotationIsLoggedOnce(t *testing.T) {
	log := &strings.Builder{}
	r := newRouter(Config{Log: slog.New(slog.NewTextHandler(log, nil))})
	for i, sticky := range []string{"x", "x", "header:X-User", "x", "y"} {
		u := object(t, "metadata: {name: iris, namespace: team, annotations: {serin.dev/sticky: '"+sticky+"'}}")
		u.SetResourceVersion(fmt.Sprint(i))
		if err := r.mirror.services.Update(u); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "inferenceservice=team/iris annotation=serin.dev/sticky"); n != 3 {
		t.Errorf("logged %d times: %s", n, log)
	}
}
