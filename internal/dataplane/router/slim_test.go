// SPDX-License-Identifier: Apache-2.0

package router

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/dataplane/routing"
)

// object is an InferenceService as a list has it.
func object(tb testing.TB, text string) *unstructured.Unstructured {
	tb.Helper()
	b, err := yaml.YAMLToJSON([]byte("apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\n" + text))
	u := &unstructured.Unstructured{}
	if err == nil {
		err = u.UnmarshalJSON(b)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

// Whatever somebody wrote into a spec or a status, the router reads the traffic.
func TestSlimServiceKeepsTraffic(t *testing.T) {
	const (
		rest   = "status: {url: 'http://iris.team.example.com', components: {predictor: {traffic: [{revisionName: iris-predictor-00001, percent: 100}]}}}"
		status = "spec: {predictor: {}}\nstatus: "
	)
	digits := strings.Repeat("0f", 32)
	all := []routing.Share{{Revision: "iris-predictor-00001", Percent: 100}}
	for name, c := range map[string]struct {
		rest string
		want routing.Service
	}{
		"a timeout":                    {"spec: {predictor: {timeout: 60}}\n" + rest, routing.Service{HasHost: true, Timeout: time.Minute, Traffic: all}},
		"a timeout beyond any clock":   {"spec: {predictor: {timeout: 9999999999}}\n" + rest, routing.Service{HasHost: true, Timeout: 24 * time.Hour, Traffic: all}},
		"a timeout before any":         {"spec: {predictor: {timeout: -9223372036854775808}}\n" + rest, routing.Service{HasHost: true, Traffic: all}},
		"a timeout of a wrong type":    {"spec: {predictor: {timeout: soon}}\n" + rest, routing.Service{HasHost: true, Traffic: all}},
		"fields that are of no type":   {"spec: {predictor: {sklearn: {env: [{name: X, value: 1}], livenessProbe: {periodSeconds: often}}}}\n" + rest, routing.Service{HasHost: true, Traffic: all}},
		"a predictor that is a number": {"spec: {predictor: 1}\n" + rest, routing.Service{HasHost: true, Traffic: all}},

		"a tag and its host": {
			status + "{components: {predictor: {url: 'http://iris-predictor.team.example.com', traffic: [{revisionName: iris-predictor-00002, percent: 10, tag: latest, url: 'http://latest-iris-predictor.team.example.com'}, {revisionName: iris-predictor-00001, percent: 90, tag: prev}]}}}",
			routing.Service{HasPredictorHost: true, Traffic: []routing.Share{{Revision: "iris-predictor-00002", Percent: 10, Tag: "latest"}, {Revision: "iris-predictor-00001", Percent: 90, Tag: "prev", NoHost: true}}},
		},
		"a model": {
			status + "{modelDigests: {iris-predictor-00001: 'sha256:" + digits + "', other: 1}, components: {predictor: {traffic: [{revisionName: iris-predictor-00001, percent: 100}]}}}",
			routing.Service{Traffic: []routing.Share{{Revision: "iris-predictor-00001", Percent: 100, Model: routing.ParseModel("sha256:" + digits)}}},
		},
		"a model that is none":               {status + "{modelDigests: {iris-predictor-00001: 1}, components: {predictor: {traffic: [{revisionName: iris-predictor-00001, percent: 100}]}}}", routing.Service{Traffic: all}},
		"models that are a list":             {status + "{modelDigests: [1], components: {predictor: {traffic: [{revisionName: iris-predictor-00001, percent: 100}]}}}", routing.Service{Traffic: all}},
		"another's host":                     {status + "{url: 'http://victim.team.example.com', components: {predictor: {url: 'iris-predictor'}}}", routing.Service{}},
		"another service's revision":         {status + "{components: {predictor: {traffic: [{revisionName: victim-predictor-00001, percent: 100}]}}}", routing.Service{}},
		"a share of all memory":              {status + "{components: {predictor: {traffic: [{revisionName: iris-predictor-00001, percent: 4611686018427387904}]}}}", routing.Service{Traffic: all}},
		"a share beyond any number":          {status + "{components: {predictor: {traffic: [{revisionName: iris-predictor-00001, percent: 1.0e+308}]}}}", routing.Service{Traffic: all}},
		"a share below":                      {status + "{components: {predictor: {traffic: [{revisionName: iris-predictor-00001, percent: -1.0e+308}]}}}", routing.Service{Traffic: []routing.Share{{Revision: "iris-predictor-00001"}}}},
		"a share that is text":               {status + "{components: {predictor: {traffic: [{revisionName: iris-predictor-00001, percent: all}, 1, null, [], {}]}}}", routing.Service{Traffic: []routing.Share{{Revision: "iris-predictor-00001"}}}},
		"a time that Go cannot read":         {status + "{conditions: [{type: Ready, status: 'True', lastTransitionTime: now}], components: {predictor: {traffic: [{revisionName: iris-predictor-00001, percent: 100}]}}}", routing.Service{Traffic: all}},
		"traffic that is an object":          {status + "{components: {predictor: {traffic: {percent: 1}}}}", routing.Service{}},
		"components that are a list":         {status + "{components: [predictor]}", routing.Service{}},
		"a status that is a number":          {status + "1", routing.Service{}},
		"a private one":                      {"spec: {predictor: {labels: {networking.kserve.io/visibility: cluster-local}}}", routing.Service{Private: true}},
		"one that Open Data Hub exposes":     {"spec: {predictor: {labels: {networking.kserve.io/visibility: exposed}}}", routing.Service{}},
		"a visibility of an unknown meaning": {"spec: {predictor: {labels: {networking.knative.dev/visibility: 1, other: {}}}}", routing.Service{Private: true}},
		"a visibility of nothing":            {"spec: {predictor: {labels: {networking.knative.dev/visibility: ''}}}", routing.Service{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := slimService(object(t, "metadata: {name: iris, namespace: team, uid: u, creationTimestamp: '1970-01-01T00:00:07Z'}\n"+c.rest))
			c.want.Namespace, c.want.Name, c.want.UID, c.want.Created = "team", "iris", "u", 7
			if diff := cmp.Diff(c.want, got.(*slim[service]).part.Service, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTrafficOfServiceIsBounded(t *testing.T) {
	entries := strings.Repeat("{revisionName: iris-predictor-00001, percent: 1},", 10_000)
	got := slimService(object(t, "metadata: {name: iris, namespace: team}\nspec: {}\nstatus: {components: {predictor: {traffic: ["+entries+"]}}}"))
	if n := len(got.(*slim[service]).part.Traffic); n != v1beta1.MaxShares {
		t.Errorf("%d shares are kept, want %d", n, v1beta1.MaxShares)
	}
}

// podOf is a ready Pod at an address.
func podOf(ip string) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "team", Name: "iris-1", Labels: map[string]string{v1beta1.LabelRevision: "iris-predictor-00001"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "iris-predictor-00001-deployment-5d4f", Controller: new(true)}},
		},
		Spec:   corev1.PodSpec{Containers: []corev1.Container{{Name: v1beta1.ContainerQueue, Args: []string{"--concurrency=99999999999999999999"}}}},
		Status: corev1.PodStatus{PodIP: ip},
	}
	setReady(p, true)
	return p
}

func TestPodsThatGetRequests(t *testing.T) {
	cluster := newRouter(Config{Log: slog.New(slog.DiscardHandler)})
	addr := func(r *router, p *corev1.Pod) string {
		if part := r.slimPod(p).(*slim[routing.Pod]).part; part != nil {
			return part.Addr
		}
		return ""
	}
	for ip, want := range map[string]string{
		"10.1.2.3": "10.1.2.3:8012", "fd00::1": "[fd00::1]:8012", "203.0.113.7": "203.0.113.7:8012",
		"": "", "localhost": "", "10.1.2.3:80": "", "10.1.2": "", "0.0.0.0": "", "::": "", "169.254.169.254": "", "fe80::1": "", "fe80::1%eth0": "",
		"127.0.0.1": "", "::1": "", "::ffff:127.0.0.1": "", "::ffff:169.254.169.254": "", "224.0.0.1": "", "ff02::1": "", "255.255.255.255": "",
	} {
		if got := addr(cluster, podOf(ip)); got != want {
			t.Errorf("a Pod at %q gets requests at %q, want %q", ip, got, want)
		}
	}
	laptop := newRouter(Config{Loopback: true, Log: slog.New(slog.DiscardHandler)})
	if got := addr(laptop, podOf("127.1.2.3")); got != "127.1.2.3:8012" {
		t.Errorf("a process gets requests at %q", got)
	}
	for name, change := range map[string]func(*corev1.Pod){
		"no ReplicaSet's":  func(p *corev1.Pod) { p.OwnerReferences = nil },
		"another's label":  func(p *corev1.Pod) { p.Labels[v1beta1.LabelRevision] = "victim-predictor-00001" },
		"not ready":        func(p *corev1.Pod) { setReady(p, false) },
		"being deleted":    func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} },
		"one that ended":   func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed },
		"of no conditions": func(p *corev1.Pod) { p.Status.Conditions = nil },
	} {
		p := podOf("10.1.2.3")
		change(p)
		if got := addr(cluster, p); got != "" {
			t.Errorf("a Pod that is %s gets requests at %s", name, got)
		}
	}
}

func TestSlimPodKeepsItsModel(t *testing.T) {
	r := newRouter(Config{Log: slog.New(slog.DiscardHandler)})
	digest := "sha256:" + strings.Repeat("0f", 32)
	for message, want := range map[string]routing.Model{digest: routing.ParseModel(digest), "a sentence": {}} {
		p := podOf("10.1.2.3")
		p.Status.InitContainerStatuses = []corev1.ContainerStatus{{
			Name: v1beta1.ContainerFetch, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: message}},
		}}
		if got := r.slimPod(p).(*slim[routing.Pod]).part.Model; got != want {
			t.Errorf("a Pod that reports %q has model %v, want %v", message, got, want)
		}
	}
}

// A bug that one object meets in the informer's own goroutine is that object's.
func TestPanicBreaksOnlyOneObject(t *testing.T) {
	bug := func(any) any { panic("index out of range") }
	out, err := guarded(bug, brokenService)(object(t, "metadata: {name: iris, namespace: team, uid: u}"))
	if err != nil {
		t.Fatal(err)
	}
	if s := out.(*slim[service]).part; s.Broken != "it meets a bug: index out of range" || s.Name != "iris" || s.UID != "u" {
		t.Errorf("the service is %+v", s)
	}
	out, err = guarded(bug, brokenPod)(podOf("10.1.2.3"))
	if err != nil {
		t.Fatal(err)
	}
	if p := out.(*slim[routing.Pod]); p.part != nil || p.Name != "iris-1" {
		t.Errorf("the Pod is %+v", out)
	}
	if _, err := guarded(bug, brokenPod)(cache.DeletedFinalStateUnknown{}); err == nil {
		t.Error("what is no object is an object")
	}
}

func TestBrokenServiceIsLoggedAndCounted(t *testing.T) {
	log := &strings.Builder{}
	r := newRouter(Config{Domain: "example.com", Log: slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), log), nil))})
	in := routing.Input{Services: []routing.Service{{Namespace: "team", Name: "iris", Broken: "it meets a bug"}}}
	for range 3 {
		r.use(in)
	}
	if n := strings.Count(log.String(), "inferenceservice=team/iris why=\"it meets a bug\""); n != 1 {
		t.Errorf("logged %d times: %s", n, log)
	}
	families, err := r.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "serin_router_broken_services" {
			if v := f.GetMetric()[0].GetGauge().GetValue(); v != 1 {
				t.Errorf("%v services are counted", v)
			}
			return
		}
	}
	t.Error("nothing counts broken services")
}

// A private service answers at the local entrance, and at the other it does not
// exist: by no host, path, tag or protocol.
func TestPrivateServiceAnswersInsideOnly(t *testing.T) {
	w := newWorld(t)
	w.pod(one, true, ok)
	w.service(target(one, 100, "prev"))
	calls := []struct{ host, path string }{
		{irisHost, "/"},
		{"sklearn-iris.kserve-test.svc.cluster.local", "/"},
		{"sklearn-iris-predictor.kserve-test", "/"},
		{"localhost", "/serving/kserve-test/sklearn-iris/"},
	}
	expect := func(entrance string, want int) {
		t.Helper()
		for _, c := range calls {
			for _, tag := range []string{"", "prev"} {
				eventually(t, fmt.Sprint(entrance, " answers ", want), func() (string, bool) {
					status, _, body := w.get("http://"+entrance+c.path, c.host, "Knative-Serving-Tag", tag)
					return fmt.Sprint(status, " ", body), status == want
				})
			}
		}
	}
	expect(w.addr, 200)
	expect(w.local, 200)
	w.labels = map[string]string{v1beta1.LabelVisibility: v1beta1.VisibilityLocal}
	w.service(target(one, 100, "prev"))
	expect(w.addr, 404)
	expect(w.local, 200)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	http2 := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	defer http2.CloseIdleConnections()
	for entrance, want := range map[string]int{w.addr: 404, w.local: 502} { // the Pod speaks HTTP/1.1 only
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+entrance+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = irisHost
		res, err := http2.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want || res.ProtoMajor != 2 {
			t.Errorf("by HTTP/%d %s answers %d, want %d", res.ProtoMajor, entrance, res.StatusCode, want)
		}
	}
	w.labels = nil
	w.service(target(one, 100, "prev"))
	expect(w.addr, 200)
}
