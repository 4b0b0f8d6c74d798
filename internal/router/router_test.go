// SPDX-License-Identifier: Apache-2.0

package router

import (
	"bytes"
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
	"k8s.io/client-go/dynamic"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	irisHost = "sklearn-iris.kserve-test.example.com"
	one      = "sklearn-iris-predictor-00001"
	two      = "sklearn-iris-predictor-00002"
)

// world is a router with an API server of fakes.
type world struct {
	t        *testing.T
	services *dynamicfake.FakeDynamicClient
	pods     *fake.Clientset
	router   *router
	addr     string
	admin    string
	access   *safeBuffer
	stop     func()
	nextIP   int
}

// safeBuffer is a buffer for several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1beta1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w := &world{
		t:        t,
		services: dynamicfake.NewSimpleDynamicClient(scheme),
		pods:     fake.NewClientset(),
		access:   &safeBuffer{},
	}
	requests, admin := listen(t), listen(t)
	w.addr, w.admin = requests.Addr().String(), admin.Addr().String()
	w.router = newRouter(Config{
		Listener: requests, Admin: admin, Domain: "example.com", AccessLog: w.access,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- w.router.run(ctx, func(ctx context.Context) error { return w.router.watch(ctx, w.services, w.pods) })
	}()
	w.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("run: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the router did not stop")
		}
		http.DefaultClient.CloseIdleConnections()
	})
	t.Cleanup(w.stop)
	eventually(t, "the router is ready", func() (string, bool) {
		status, _, body := w.get("http://"+w.admin+"/readyz", "")
		return fmt.Sprint(status, " ", body), status == 200
	})
	return w
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// eventually waits until ok and prints what it saw last if that takes too long.
func eventually(t *testing.T, what string, look func() (saw string, ok bool)) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		saw, ok := look()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited until %s, last saw: %s", what, saw)
		}
		time.Sleep(2 * time.Millisecond)
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
		ObjectMeta: metav1.ObjectMeta{Namespace: "kserve-test", Name: "sklearn-iris"},
		Status: v1beta1.InferenceServiceStatus{Components: map[string]v1beta1.ComponentStatus{
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

var _ dynamic.Interface = (*dynamicfake.FakeDynamicClient)(nil)

// pod creates a Pod of a revision. Its address is one of its own, because all
// Pods listen on the same port.
func (w *world) pod(revision string, isReady bool, handler http.HandlerFunc) *corev1.Pod {
	w.t.Helper()
	w.nextIP++
	ip := fmt.Sprintf("127.77.%d.%d", time.Now().UnixNano()>>10&255, w.nextIP)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "kserve-test", Name: revision + "-" + strconv.Itoa(w.nextIP),
			Labels: map[string]string{v1beta1.LabelRevision: revision},
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

func setReady(p *corev1.Pod, isReady bool) {
	status := corev1.ConditionFalse
	if isReady {
		status = corev1.ConditionTrue
	}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}
}

func ok(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }

func TestTheStatusDecidesTheSplit(t *testing.T) {
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
