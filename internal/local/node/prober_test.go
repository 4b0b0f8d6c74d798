// SPDX-License-Identifier: Apache-2.0

package node

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestReadinessFollowsTheProgram(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec:
  containers:
  - name: main
    args: ["serve:8080"]
    readinessProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 1, failureThreshold: 1}
`)
	pod := c.pod(t, "web", "ready", isReady)
	setHealth(t, pod, "503")
	c.pod(t, "web", "not ready", func(p *corev1.Pod) bool { return !isReady(p) })
	if field := c.event(t, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"); field != "spec.containers{main}" {
		t.Errorf("the event is about %q", field)
	}
	setHealth(t, pod, "200")
	pod = c.pod(t, "web", "ready again", isReady)
	if n := pod.Status.ContainerStatuses[0].RestartCount; n != 0 {
		t.Errorf("%d restarts", n)
	}
}

// setHealth makes the helper server of a Pod answer probes with a code.
func setHealth(t *testing.T, pod *corev1.Pod, code string) {
	t.Helper()
	url := "http://" + net.JoinHostPort(pod.Status.PodIP, "8080") + "/health"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(code))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
}

func TestLivenessRestartsTheContainer(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    args: ["serve:8080"]
    livenessProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 1, failureThreshold: 1}
    readinessProbe: {tcpSocket: {port: 8080}}
`)
	pod := c.pod(t, "web", "ready", isReady)
	setHealth(t, pod, "500")
	pod = c.pod(t, "web", "restarted and ready", func(p *corev1.Pod) bool {
		return isReady(p) && p.Status.ContainerStatuses[0].RestartCount > 0
	})
	if end := pod.Status.ContainerStatuses[0].LastTerminationState.Terminated; end.ExitCode != 143 {
		t.Errorf("ended with %v", end)
	}
	c.event(t, "Killing", "Container main failed liveness probe, will be restarted")
}

func TestStartupProbeHoldsBackTheOthersAndItsFailureRestarts(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec:
  terminationGracePeriodSeconds: 1
  volumes: [{name: v, emptyDir: {}}]
  containers:
  - name: slow
    args: ["wait:"]
    volumeMounts: [{name: v, mountPath: /v}]
    startupProbe: {exec: {command: [/bin/sh, -c, "test -e /v/up"]}, periodSeconds: 1, failureThreshold: 60}
    livenessProbe: {exec: {command: ["/bin/false"]}, initialDelaySeconds: 60}
  - name: lost
    args: ["wait:"]
    startupProbe: {tcpSocket: {port: 9}, periodSeconds: 1, failureThreshold: 2}
`)
	pod := c.pod(t, "web", "lost was restarted", func(p *corev1.Pod) bool {
		return len(p.Status.ContainerStatuses) == 2 && p.Status.ContainerStatuses[1].RestartCount > 0
	})
	slow := pod.Status.ContainerStatuses[0]
	if slow.Ready || *slow.Started || slow.State.Running == nil {
		t.Errorf("slow before its startup probe succeeded: %v", slow)
	}
	c.touch(t, pod, "v/up")
	c.pod(t, "web", "slow is up", func(p *corev1.Pod) bool { return p.Status.ContainerStatuses[0].Ready })
}

func TestGRPCProbe(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec:
  containers:
  - name: main
    args: ["grpc:9000"]
    readinessProbe: {grpc: {port: 9000, service: models}}
`)
	c.pod(t, "web", "ready", isReady)
}

func TestHTTPProbesTellWhyAServerIsNotReady(t *testing.T) {
	for _, test := range []struct{ name, contentType, body, want string }{
		{"JSON", "application/json", `{"error":"loading"}`, `HTTP probe failed with statuscode: 503: {"error":"loading"}`},
		{"a page", "text/html", "<html>", "HTTP probe failed with statuscode: 503"},
		{"nothing", "application/json", "", "HTTP probe failed with statuscode: 503"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.contentType)
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = w.Write([]byte(test.body))
			}))
			defer server.Close()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, text, err := newProbers().get(req, time.Minute); err != nil || text != test.want {
				t.Errorf("%q, %v, want %q", text, err, test.want)
			}
		})
	}
}
