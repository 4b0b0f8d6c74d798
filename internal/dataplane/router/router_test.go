// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/dataplane/routing"
	wait "github.com/serin-dev/serin/internal/testkit/eventually"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	irisHost = "sklearn-iris.kserve-test.example.com"
	one      = "sklearn-iris-predictor-00001"
	two      = "sklearn-iris-predictor-00002"
)

// world is a router with an API server of fakes.
type world struct {
	t        testing.TB
	services *dynamicfake.FakeDynamicClient
	pods     *fake.Clientset
	router   *router
	addr     string
	local    string
	admin    string
	access   *wait.Buffer
	log      *wait.Buffer
	stop     func()
	nextIP   int

	annotations map[string]string // of the service
	labels      map[string]string
	concurrency int // of new Pods
}

func newWorld(tb testing.TB, services ...runtime.Object) *world {
	tb.Helper()
	scheme := runtime.NewScheme()
	if err := v1beta1.AddToScheme(scheme); err != nil {
		tb.Fatal(err)
	}
	w := &world{
		t:        tb,
		services: dynamicfake.NewSimpleDynamicClient(scheme, services...),
		pods:     fake.NewClientset(),
		access:   &wait.Buffer{},
		log:      &wait.Buffer{},
	}
	watching := []<-chan struct{}{watched(&w.services.Fake, w.services.Tracker()), watched(&w.pods.Fake, w.pods.Tracker())}
	requests, local, admin := listen(tb), listen(tb), listen(tb)
	w.addr, w.local, w.admin = requests.Addr().String(), local.Addr().String(), admin.Addr().String()
	w.router = newRouter(Config{
		Listener: requests, Inside: local, Admin: admin, Domain: "example.com", AccessLog: w.access, Loopback: true,
		Log: slog.New(slog.NewTextHandler(io.MultiWriter(tb.Output(), w.log), nil)),
	})
	ctx, cancel := context.WithCancel(tb.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- w.router.run(ctx, func(ctx context.Context) error { return w.router.watch(ctx, w.services, w.pods) })
	}()
	w.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				tb.Errorf("run: %v", err)
			}
		case <-time.After(20 * time.Second):
			tb.Error("the router did not stop")
		}
		http.DefaultClient.CloseIdleConnections()
	})
	tb.Cleanup(w.stop)
	eventually(tb, "the router is ready", func() (string, bool) {
		status, _, body := w.get("http://"+w.admin+"/readyz", "")
		return fmt.Sprint(status, " ", body), status == 200
	})
	for _, c := range watching {
		<-c
	}
	return w
}

// watched returns a channel that is closed when the first watch has begun: fakes forget
// what happens between a list and its watch.
func watched(client *clienttesting.Fake, objects clienttesting.ObjectTracker) <-chan struct{} {
	begun := make(chan struct{})
	once := sync.OnceFunc(func() { close(begun) })
	client.PrependWatchReactor("*", func(a clienttesting.Action) (bool, watch.Interface, error) {
		defer once()
		w, err := objects.Watch(a.GetResource(), a.GetNamespace())
		return true, w, err
	})
	return begun
}

func listen(tb testing.TB) net.Listener {
	tb.Helper()
	ln, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return ln
}

// eventually waits until ok and prints what it saw last if that takes too long.
func eventually(tb testing.TB, what string, look func() (saw string, ok bool)) {
	tb.Helper()
	if err := wait.Within(context.Background(), 30*time.Second, 2*time.Millisecond, func(context.Context) (any, bool) { return look() }); err != nil {
		tb.Fatalf("%s: %v", what, err)
	}
}

// get sends a request with a Host header and returns status, headers and body.
func (w *world) get(url, host string, header ...string) (int, http.Header, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Host = host
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, err.Error()
	}
	return response.StatusCode, response.Header, strings.TrimSpace(string(body))
}

// ask sends a request to the iris service and returns status and revision.
func (w *world) ask(header ...string) (int, string) {
	w.t.Helper()
	status, h, _ := w.get("http://"+w.addr+"/", irisHost, header...)
	return status, h.Get("Serin-Revision")
}

// service creates or updates the iris service with this traffic.
func (w *world) service(traffic ...v1beta1.TrafficTarget) {
	w.t.Helper()
	timeout := int64(60)
	isvc := &v1beta1.InferenceService{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1beta1.GroupVersion.String(), Kind: "InferenceService"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "kserve-test", Name: "sklearn-iris", Annotations: w.annotations, Labels: w.labels},
		Status: v1beta1.InferenceServiceStatus{Components: map[v1beta1.Component]v1beta1.ComponentStatus{
			v1beta1.Predictor: {Traffic: traffic},
		}},
	}
	isvc.Spec.Predictor.TimeoutSeconds = &timeout
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(isvc)
	if err != nil {
		w.t.Fatal(err)
	}
	client := w.services.Resource(v1beta1.Resource).Namespace("kserve-test")
	if _, err := client.Get(w.t.Context(), isvc.Name, metav1.GetOptions{}); err != nil {
		_, err = client.Create(w.t.Context(), &unstructured.Unstructured{Object: content}, metav1.CreateOptions{})
		if err != nil {
			w.t.Fatal(err)
		}
		return
	}
	if _, err := client.Update(w.t.Context(), &unstructured.Unstructured{Object: content}, metav1.UpdateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

func target(revision string, percent int64, tag string) v1beta1.TrafficTarget {
	return v1beta1.TrafficTarget{RevisionName: revision, Percent: &percent, Tag: tag}
}

// pod creates a Pod of a revision. Its address is one of its own, because all
// Pods listen on the same port.
func (w *world) pod(revision string, isReady bool, handler http.HandlerFunc) *corev1.Pod {
	w.t.Helper()
	w.nextIP++
	ip := fmt.Sprintf("127.77.%d.%d", time.Now().UnixNano()>>10&255, w.nextIP)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "kserve-test", Name: revision + "-" + strconv.Itoa(w.nextIP),
			Labels:          map[string]string{v1beta1.LabelRevision: revision},
			Annotations:     map[string]string{v1beta1.AnnotationConcurrency: strconv.Itoa(w.concurrency)},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: v1beta1.DeploymentName(revision) + "-5d4f", Controller: new(true)}},
		},
		Status: corev1.PodStatus{PodIP: ip},
	}
	setReady(p, isReady)
	if handler != nil {
		ln, err := (&net.ListenConfig{}).Listen(w.t.Context(), "tcp", fmt.Sprintf("%s:%d", ip, v1beta1.QueuePort))
		if err != nil {
			w.t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(handler)
		_ = server.Listener.Close() // replaced by ours
		server.Listener = ln
		server.Start()
		w.t.Cleanup(server.Close)
	}
	if _, err := w.pods.CoreV1().Pods("kserve-test").Create(w.t.Context(), p, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// remove deletes a Pod. It goes on answering, as a queue does until routers have
// learnt of its end.
func (w *world) remove(name string) {
	w.t.Helper()
	if err := w.pods.CoreV1().Pods("kserve-test").Delete(w.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

func setReady(p *corev1.Pod, isReady bool) {
	status := corev1.ConditionFalse
	if isReady {
		status = corev1.ConditionTrue
	}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}
}

func ok(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }

func TestStatusTrafficDecidesSplit(t *testing.T) {
	w := newWorld(t)
	w.pod(one, true, ok)
	w.pod(two, true, ok)
	w.service(target(two, 10, "latest"), target(one, 90, "prev"))
	eventually(t, "the service is known", func() (string, bool) {
		status, revision := w.ask("Knative-Serving-Tag", "prev")
		return fmt.Sprint(status, revision), status == 200
	})
	got := map[string]int{}
	for range 100 {
		status, revision := w.ask()
		got[fmt.Sprint(status, " ", revision)]++
	}
	if diff := cmp.Diff(map[string]int{"200 " + one: 90, "200 " + two: 10}, got); diff != "" {
		t.Error(diff)
	}
	w.service(target(two, 100, ""))
	eventually(t, "the new revision has all traffic", func() (string, bool) {
		_, revision := w.ask()
		return revision, revision == two
	})
	for range 100 {
		if status, revision := w.ask(); status != 200 || revision != two {
			t.Fatalf("after the promotion: %d from %s", status, revision)
		}
	}
	var line map[string]any
	first, _, _ := strings.Cut(w.access.String(), "\n")
	if err := json.Unmarshal([]byte(first), &line); err != nil || line["host"] == nil {
		t.Errorf("the access log begins with %q: %v", first, err)
	}
}

func TestOnlyReadyPodsGetRequests(t *testing.T) {
	w := newWorld(t)
	never := func(http.ResponseWriter, *http.Request) { t.Error("a Pod that is not ready got a request") }
	w.pod(one, true, ok)
	w.pod(one, false, never)
	leaving := w.pod(one, true, ok)
	w.service(target(one, 100, ""))
	eventually(t, "the service answers", func() (string, bool) {
		status, revision := w.ask()
		return fmt.Sprint(status, revision), status == 200
	})
	now := metav1.Now()
	leaving.DeletionTimestamp = &now
	leaving.Finalizers = []string{"kubernetes.io/test"}
	if _, err := w.pods.CoreV1().Pods("kserve-test").Update(t.Context(), leaving, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the leaving Pod is out of the table", func() (string, bool) {
		n := w.router.view.Load().table.Revision("kserve-test", one).Ready()
		return fmt.Sprint(n, " Pods"), n == 1
	})
	for range 20 {
		if status, _ := w.ask(); status != 200 {
			t.Fatalf("status %d", status)
		}
	}
}

func TestRequestWaitsForReadyPod(t *testing.T) {
	w := newWorld(t)
	w.service(target(one, 100, ""))
	p := w.pod(one, false, ok)
	eventually(t, "the service is known", func() (string, bool) {
		_, err := w.router.view.Load().table.Route(routing.Request{Host: irisHost, Header: func(string) string { return "" }})
		return fmt.Sprint(err), err == nil
	})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if status, revision := w.ask(); status != 200 || revision != one {
				t.Errorf("a held request: %d from %q", status, revision)
			}
		})
	}
	eventually(t, "20 requests are held", func() (string, bool) {
		n := w.router.queue.waiting()
		return fmt.Sprint(n), n == 20
	})
	setReady(p, true)
	if _, err := w.pods.CoreV1().Pods("kserve-test").Update(t.Context(), p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}

func TestRequestWaitHasTimeout(t *testing.T) {
	w := newWorld(t)
	w.router.maxWait = 50 * time.Millisecond
	w.service(target(one, 100, ""))
	eventually(t, "the service is known", func() (string, bool) {
		_, err := w.router.view.Load().table.Route(routing.Request{Host: irisHost, Header: func(string) string { return "" }})
		return fmt.Sprint(err), err == nil
	})
	status, h, body := w.get("http://"+w.addr+"/", irisHost)
	want := `{"error":"revision kserve-test/` + one + ` has no ready Pod, and none became ready within 50ms"}`
	if diff := cmp.Diff(want, body); diff != "" || status != 503 || h.Get("Retry-After") != "1" || h.Get("Serin-Revision") != one {
		t.Errorf("%d %v %s", status, h, diff)
	}
}

func TestRequestToDeletedPodIsRefusedWithRetryAfter(t *testing.T) {
	w := newWorld(t)
	w.router.maxWait = 50 * time.Millisecond
	w.service(target(one, 100, ""))
	w.knows(one)
	w.pod(one, true, nil) // nothing listens there
	eventually(t, "the Pod is known", func() (string, bool) {
		revision := w.router.view.Load().table.Revision("kserve-test", one)
		return fmt.Sprintf("%+v", revision), revision != nil && revision.Ready() == 1
	})
	status, h, body := w.get("http://"+w.addr+"/", irisHost)
	if status != 503 || h.Get("Retry-After") != "1" || !strings.Contains(body, one) {
		t.Errorf("%d %v %s", status, h, body)
	}
}

func TestPodThatRefusesConnectionsIsAvoided(t *testing.T) {
	w := newWorld(t)
	w.service(target(one, 100, ""))
	w.knows(one)
	w.pod(one, true, nil) // nothing listens there
	w.pod(one, true, ok)
	eventually(t, "both Pods are known", func() (string, bool) {
		revision := w.router.view.Load().table.Revision("kserve-test", one)
		return fmt.Sprintf("%+v", revision), revision != nil && revision.Ready() == 2
	})
	for range 20 {
		if status, _ := w.ask(); status != 200 {
			t.Fatalf("status %d", status)
		}
	}
}

func TestRequestToDeletedPodWaitsForNewPod(t *testing.T) {
	w := newWorld(t)
	gone := w.pod(one, true, nil)
	w.service(target(one, 100, ""))
	eventually(t, "the Pod is known", func() (string, bool) {
		revision := w.router.view.Load().table.Revision("kserve-test", one)
		return fmt.Sprintf("%+v", revision), revision != nil && revision.Ready() == 1
	})
	w.knows(one)
	answered := make(chan string, 1)
	go func() {
		status, revision := w.ask()
		answered <- fmt.Sprint(status, " ", revision)
	}()
	eventually(t, "the request is held", func() (string, bool) {
		n := w.router.queue.waiting()
		return fmt.Sprint(n), n == 1
	})
	if err := w.pods.CoreV1().Pods("kserve-test").Delete(t.Context(), gone.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.pod(one, true, ok)
	if got := <-answered; got != "200 "+one {
		t.Errorf("the answer was %s", got)
	}
}

func TestRefusalNamesMissingServiceOrTag(t *testing.T) {
	w := newWorld(t)
	w.service()
	eventually(t, "the service is known", func() (string, bool) {
		status, _, body := w.get("http://"+w.addr+"/", irisHost)
		return fmt.Sprint(status, body), status == 503
	})
	for _, c := range []struct {
		host   string
		status int
		want   string
	}{
		{irisHost, 503, "InferenceService kserve-test/sklearn-iris has no ready revision yet"},
		{"nobody.example.com", 404, `no InferenceService for host \"nobody.example.com\": hosts look like NAME.NAMESPACE.example.com or NAME-predictor.NAMESPACE.example.com, or on any other host the path like /serving/NAMESPACE/NAME/...`},
	} {
		status, h, body := w.get("http://"+w.addr+"/", c.host)
		if diff := cmp.Diff(`{"error":"`+c.want+`"}`, body); diff != "" || status != c.status || h.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", c.host, status, diff)
		}
	}
}

func TestRequestWaitsForTrafficOfNewService(t *testing.T) {
	w := newWorld(t)
	w.service()
	eventually(t, "the service is known", func() (string, bool) {
		_, err := w.router.view.Load().table.Route(routing.Request{Host: irisHost, Header: func(string) string { return "" }})
		return fmt.Sprint(err), err != nil && strings.Contains(err.Error(), "no ready revision")
	})
	answered := make(chan string, 1)
	go func() {
		status, revision := w.ask()
		answered <- fmt.Sprint(status, " ", revision)
	}()
	eventually(t, "the request waits", func() (string, bool) {
		n := w.router.queue.waiting()
		return fmt.Sprint(n), n == 1
	})
	w.pod(one, true, ok)
	w.service(target(one, 100, ""))
	if got := <-answered; got != "200 "+one {
		t.Errorf("the answer was %s", got)
	}
}

func TestMetricsPerRevision(t *testing.T) {
	w := newWorld(t)
	w.pod(one, true, func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "bad", http.StatusInternalServerError) })
	w.service(target(one, 100, ""), target(two, 0, ""))
	eventually(t, "the Pod answers", func() (string, bool) {
		status, _ := w.ask()
		return fmt.Sprint(status), status == 500
	})
	w.get("http://"+w.addr+"/", "nobody")
	labels, idle := `namespace="kserve-test",revision="`+one+`"`, `namespace="kserve-test",revision="`+two+`"`
	for _, want := range []string{
		`serin_router_requests_total{code="5xx",` + labels + `} 1`,
		`serin_router_request_duration_seconds_count{` + labels + `} 1`,
		`serin_router_ready_pods{` + labels + `} 1`,
		`serin_router_requests_total{code="5xx",` + idle + `} 0`,
		`serin_router_in_flight{` + labels + `} 0`,
		`serin_router_held 0`,
		`serin_router_refused_total{code="404"}`,
		"serin_router_connections 1", // of the client that asked
		fmt.Sprint("serin_router_connections_limit ", w.router.server.Connections.Most),
		"serin_router_connections_closed_total 0",
		"serin_router_connections_refused_total 0",
	} {
		eventually(t, "the metrics show "+want, func() (string, bool) {
			_, _, body := w.get("http://"+w.admin+"/metrics", "")
			return body, strings.Contains(body, want)
		})
	}
	if _, _, body := w.get("http://"+w.admin+"/metrics", ""); strings.Contains(body, "seconds_count{"+idle) {
		t.Errorf("a revision without answers has durations: %s", body)
	}
	if err := w.services.Resource(v1beta1.Resource).Namespace("kserve-test").Delete(t.Context(), "sklearn-iris", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := w.pods.CoreV1().Pods("kserve-test").Delete(t.Context(), one+"-1", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the metrics forget the revision", func() (string, bool) {
		_, _, body := w.get("http://"+w.admin+"/metrics", "")
		return body, !strings.Contains(body, one)
	})
}

func TestPromotionsUnderLoadLoseNoRequest(t *testing.T) {
	w := newWorld(t)
	w.pod(one, true, ok)
	w.pod(two, true, ok)
	w.service(target(one, 100, ""))
	eventually(t, "the service answers", func() (string, bool) {
		status, revision := w.ask()
		return fmt.Sprint(status, revision), status == 200
	})
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if status, revision := w.ask(); status != 200 {
					t.Errorf("%d from %s", status, revision)
					return
				}
			}
		})
	}
	for i := range 50 {
		to, from := one, two
		if i%2 == 0 {
			to, from = two, one
		}
		w.service(target(to, 100, ""), target(from, 0, "prev"))
		eventually(t, "all traffic goes to "+to, func() (string, bool) {
			_, revision := w.ask()
			return revision, revision == to
		})
	}
	close(done)
	wg.Wait()
}

func TestStoppingWaitsForWaitingRequests(t *testing.T) {
	w := newWorld(t)
	w.service(target(one, 100, ""))
	eventually(t, "the service is known", func() (string, bool) {
		_, err := w.router.view.Load().table.Route(routing.Request{Host: irisHost, Header: func(string) string { return "" }})
		return fmt.Sprint(err), err == nil
	})
	answered := make(chan int, 1)
	go func() {
		status, _ := w.ask()
		answered <- status
	}()
	eventually(t, "the request is held", func() (string, bool) {
		n := w.router.queue.waiting()
		return fmt.Sprint(n), n == 1
	})
	stopped := make(chan struct{})
	go func() {
		w.stop()
		close(stopped)
	}()
	eventually(t, "the router is not ready any more", func() (string, bool) {
		status, _, body := w.get("http://"+w.admin+"/readyz", "")
		return fmt.Sprint(status, body), status == 503
	})
	w.pod(one, true, ok)
	if status := <-answered; status != 200 {
		t.Errorf("the held request: %d", status)
	}
	<-stopped
}
