// SPDX-License-Identifier: Apache-2.0

package router

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/serin-dev/serin/api/v1beta1"
)

// BenchmarkStatusToSplit measures the time from the write of a status to the
// first request that is split anew, with many other services in the table, and
// while these change all the time.
func BenchmarkStatusToSplit(b *testing.B) {
	for _, c := range []struct {
		others int
		churn  bool
	}{{0, false}, {5000, false}, {5000, true}} {
		b.Run(fmt.Sprintf("others=%d,churn=%v", c.others, c.churn), func(b *testing.B) {
			others := others(b, c.others)
			w := newWorld(b, others...)
			w.pod(one, true, ok)
			w.pod(two, true, ok)
			to, from := one, two
			w.service(target(to, 100, ""))
			eventually(b, "the service answers", func() (string, bool) {
				status, revision := w.ask()
				return fmt.Sprint(status, revision), status == 200
			})
			if c.churn {
				stop, stopped := make(chan struct{}), make(chan struct{})
				defer func() { close(stop); <-stopped }()
				go func() {
					defer close(stopped)
					w.churn(others, stop)
				}()
			}
			var took []time.Duration
			for b.Loop() {
				to, from = from, to
				w.service(target(to, 100, ""), target(from, 0, ""))
				written := time.Now()
				for revision := ""; revision != to; {
					_, revision = w.ask()
				}
				took = append(took, time.Since(written))
			}
			slices.Sort(took)
			for _, p := range []int{50, 99} {
				b.ReportMetric(float64(took[len(took)*p/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", p))
			}
		})
	}
}

// others are services beside the one that is asked.
func others(tb testing.TB, n int) []runtime.Object {
	tb.Helper()
	var out []runtime.Object
	for i := range n {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&v1beta1.InferenceService{
			TypeMeta:   metav1.TypeMeta{APIVersion: v1beta1.GroupVersion.String(), Kind: "InferenceService"},
			ObjectMeta: metav1.ObjectMeta{Namespace: "kserve-test", Name: fmt.Sprint("other-", i)},
			Status: v1beta1.InferenceServiceStatus{Components: map[v1beta1.Component]v1beta1.ComponentStatus{
				v1beta1.Predictor: {Traffic: []v1beta1.TrafficTarget{
					target(fmt.Sprintf("other-%d-00002", i), 10, "latest"), target(fmt.Sprintf("other-%d-00001", i), 90, "prev"),
				}},
			}},
		})
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, &unstructured.Unstructured{Object: content})
	}
	return out
}

// churn writes one of the services every few milliseconds until stop.
func (w *world) churn(services []runtime.Object, stop chan struct{}) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		service, _ := services[i%len(services)].(*unstructured.Unstructured)
		if _, err := w.services.Resource(v1beta1.Resource).Namespace("kserve-test").
			Update(w.t.Context(), service, metav1.UpdateOptions{}); err != nil {
			w.t.Errorf("update: %v", err)
			return
		}
	}
}
