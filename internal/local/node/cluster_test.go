// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// cluster is an API that only stores, with a real node on it.
type cluster struct {
	client *fake.Clientset
	dir    string
	url    string
	tls    *tls.Config // of a client that the node trusts
	apart  error       // why the node does not keep Pods apart; nil if it does where it can
	stop   func()      // ends the node and waits for it
}

// startCluster runs a node until the test ends.
func startCluster(t *testing.T, objects ...runtime.Object) *cluster {
	t.Helper()
	c := newCluster(t, objects...)
	c.startNode(t)
	return c
}

// newCluster is for tests that change how the API behaves before a node uses it.
func newCluster(t *testing.T, objects ...runtime.Object) *cluster {
	t.Helper()
	return &cluster{client: fake.NewClientset(objects...), dir: t.TempDir()}
}

func (c *cluster) startNode(t *testing.T) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, client, err := testTLS()
	if err != nil {
		t.Fatal(err)
	}
	c.url, c.tls = "https://"+listener.Addr().String(), client
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	config := testConfig(c.dir, self, listener, server, slog.NewTextHandler(t.Output(), nil))
	n, err := newNode(config, c.client)
	if err != nil {
		t.Fatal(err)
	}
	n.apart = cmp.Or(c.apart, n.apart)
	go func() { ended <- n.run(ctx) }()
	stopped := false
	c.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the node ended: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the node did not end")
		}
	}
	t.Cleanup(func() { c.stop() })
}

// create makes a Pod from YAML, bound to the node and with the defaults that matter.
func (c *cluster) create(t *testing.T, manifest string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict([]byte(manifest), pod); err != nil {
		t.Fatal(err)
	}
	if pod.Name == "" {
		pod.Name = "web"
	}
	// A Pod's address comes from its UID: a constant one would be shared with other runs of the tests.
	pod.Namespace, pod.UID, pod.Spec.NodeName = "default", uuid.NewUUID(), "serin"
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			list[i].TerminationMessagePath = corev1.TerminationMessagePathDefault
			if list[i].Image == "" {
				list[i].Image = "test/helper"
			}
		}
	}
	pod, err := c.client.CoreV1().Pods(pod.Namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// pod waits until the Pod is as wanted.
func (c *cluster) pod(t *testing.T, name, what string, wanted func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	var pod *corev1.Pod
	eventually.Holds(t, func(context.Context) (any, bool) {
		var err error
		pod, err = c.client.CoreV1().Pods("default").Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err.Error(), false
		}
		return fmt.Sprintf("wanted %s, and pod %s is:\n%s", what, name, shown(pod)), wanted(pod)
	})
	return pod
}

// remove deletes a Pod the way the API does: it gets a deletion time, and its node does the rest.
func (c *cluster) remove(t *testing.T, name string, grace int64) {
	t.Helper()
	pods := c.client.CoreV1().Pods("default")
	pod, err := pods.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	now := metav1.Now()
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &now, &grace
	if _, err := pods.Update(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// waitGone waits until the Pod is gone from the API.
func (c *cluster) waitGone(t *testing.T, name string) {
	t.Helper()
	eventually.Holds(t, func(context.Context) (any, bool) {
		pod, err := c.client.CoreV1().Pods("default").Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err.Error(), true
		}
		return shown(pod), false
	})
}

// logs waits until the logs of a container are as wanted.
func (c *cluster) logs(t *testing.T, path string, want string) {
	t.Helper()
	eventually.Holds(t, func(context.Context) (any, bool) {
		_, got := c.get(t, "/containerLogs/default/"+path)
		return fmt.Sprintf("wanted %q, got %q", want, got), got == want
	})
}

// get asks the node's API server.
func (c *cluster) get(t *testing.T, path string) (code int, body string) {
	t.Helper()
	answer := c.do(t, path)
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(data)
}

// stream is get for answers that come as they happen.
func (c *cluster) stream(t *testing.T, path string) io.Reader {
	t.Helper()
	answer := c.do(t, path)
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer.Body
}

func (c *cluster) do(t *testing.T, path string) *http.Response {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: c.tls, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func shown(pod *corev1.Pod) string {
	data, err := json.MarshalIndent(pod.Status, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func isReady(pod *corev1.Pod) bool {
	return conditionStatus(pod.Status.Conditions, corev1.PodReady) == corev1.ConditionTrue
}

func inPhase(p corev1.PodPhase) func(*corev1.Pod) bool {
	return func(pod *corev1.Pod) bool { return pod.Status.Phase == p }
}

// waitsFor reports whether the first container waits for that reason.
func waitsFor(reason string) func(*corev1.Pod) bool {
	return func(pod *corev1.Pod) bool {
		s := pod.Status.ContainerStatuses
		return len(s) > 0 && s[0].State.Waiting != nil && s[0].State.Waiting.Reason == reason
	}
}

// touch makes an empty file in a volume of a Pod.
func (c *cluster) touch(t *testing.T, pod *corev1.Pod, name string) {
	t.Helper()
	if err := os.WriteFile(podDirOf(c.dir, pod.UID).volume(name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
