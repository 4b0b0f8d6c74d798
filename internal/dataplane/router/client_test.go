// SPDX-License-Identifier: Apache-2.0

package router

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/serin-dev/serin/internal/dataplane/routing"
)

// bookmark ends the objects that there are, as an API server does in a watch with
// sendInitialEvents.
const bookmark = `{"type":"BOOKMARK","object":{"apiVersion":%q,"kind":%q,"metadata":{"resourceVersion":"10","annotations":{"k8s.io/initial-events-end":"true"}}}}` + "\n"

// apiServer serves two watches, of services and of Pods.
func apiServer(t *testing.T, services, pods <-chan string) *rest.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		events := map[string]<-chan string{"/apis/serving.kserve.io/v1beta1/inferenceservices": services, "/api/v1/pods": pods}[r.URL.Path]
		if q := r.URL.Query(); events == nil || q.Get("watch") == "" || q.Get("sendInitialEvents") != "true" {
			t.Errorf("asked for %s", r.URL)
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		for {
			select {
			case event := <-events:
				fmt.Fprint(w, event)
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}

func event(t *testing.T, kind string, object any) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"type": kind, "object": object})
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

// The router reads the watches of an API server by its own clients: the table is there
// when both have sent all objects, and has what they send later.
func TestWatchesOfAnAPIServer(t *testing.T) {
	services, pods := make(chan string), make(chan string)
	cfg := apiServer(t, services, pods)
	forServices, err := clientOfServices(cfg)
	if err != nil {
		t.Fatal(err)
	}
	forPods, err := clientOfPods(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := newRouter(Config{Domain: "example.com", Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	watched := make(chan error, 1)
	go func() { watched <- r.watch(t.Context(), forServices, forPods) }()
	t.Cleanup(func() {
		if err := <-watched; err != nil {
			t.Error(err)
		}
	})

	services <- event(t, "ADDED", decoded(t, validService))
	services <- fmt.Sprintf(bookmark, "serving.kserve.io/v1beta1", "InferenceService")
	var p corev1.Pod
	if err := json.Unmarshal([]byte(podJSON(t)), &p); err != nil {
		t.Fatal(err)
	}
	pods <- event(t, "ADDED", p)
	if r.view.Load() != nil {
		t.Error("there is a table before all Pods are known")
	}
	pods <- fmt.Sprintf(bookmark, "v1", "Pod")
	ask := routing.Request{Host: "iris.team.example.com", Header: func(name string) string {
		return map[string]string{"Knative-Serving-Tag": "prev"}[name]
	}}
	eventually(t, "the table is there", func() (string, bool) {
		v := r.view.Load()
		return fmt.Sprintf("%+v", v), v != nil
	})
	c, err := r.view.Load().table.Route(ask)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(2, len(c.Service.Traffic)); diff != "" || c.Revision.Ready() != 1 || c.Service.Sticky.Header != "X-User" {
		t.Errorf("the request gets %+v of %+v", c.Revision, c.Service)
	}
	services <- event(t, "MODIFIED", decoded(t, strings.ReplaceAll(validService, "tag: prev", "tag: other")))
	eventually(t, "the tag is gone", func() (string, bool) {
		_, err := r.view.Load().table.Route(ask)
		return fmt.Sprint(err), err != nil
	})
	services <- event(t, "DELETED", decoded(t, validService))
	eventually(t, "the service is gone", func() (string, bool) {
		_, err := r.view.Load().table.Route(ask)
		return fmt.Sprint(err), err != nil && strings.HasPrefix(err.Error(), "no InferenceService")
	})
}

func podJSON(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(decoded(t, validPod))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Only what routing needs is decoded: reading a service allocates as much whatever else
// it has.
func TestDecodingAServiceCostsWhatRoutingNeeds(t *testing.T) {
	small := decoded(t, validService)
	large := decoded(t, validService)
	large["metadata"].(map[string]any)["managedFields"] = []any{map[string]any{"fieldsV1": strings.Repeat("x", 100_000)}}
	for i := range 1000 {
		large["spec"].(map[string]any)["predictor"].(map[string]any)[fmt.Sprint("field-", i)] = map[string]any{"a": []any{1, "b"}}
	}
	cost := func(o map[string]any) float64 {
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return testing.AllocsPerRun(20, func() {
			if o, _, err := (slimDecoder{}).Decode(b, nil, nil); err != nil || o.(*slim[service]).part.Name != "iris" {
				t.Fatal(o, err)
			}
		})
	}
	if few, many := cost(small), cost(large); many > few+5 {
		t.Errorf("a large service costs %v allocations, a small one %v", many, few)
	}
}
