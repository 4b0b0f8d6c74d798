// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	clientexec "k8s.io/client-go/util/exec"
	streamspdy "k8s.io/streaming/pkg/httpstream/spdy"
)

// runningPod starts a Pod that waits, with a volume at /v.
func runningPod(t *testing.T, c *cluster, args string) *corev1.Pod {
	t.Helper()
	c.create(t, `
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    stdin: true
    args: `+args+`
    env: [{name: COLOR, value: blue}]
    readinessProbe: {exec: {command: ["/bin/true"]}}
    volumeMounts: [{name: v, mountPath: /v}]
  volumes: [{name: v, emptyDir: {}}]
`)
	return c.pod(t, "web", "ready", isReady)
}

// executor is kubectl exec or attach, straight to the node.
func (c *cluster) executor(t *testing.T, path string, o remotecommand.StreamOptions, argv ...string) error {
	t.Helper()
	q := url.Values{"command": argv}
	for name, on := range map[string]bool{"input": o.Stdin != nil, "output": o.Stdout != nil, "error": o.Stderr != nil, "tty": o.Tty} {
		if on {
			q.Set(name, "1")
		}
	}
	u, err := url.Parse(c.url + path + "?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	trip, err := streamspdy.NewRoundTripper(c.tls)
	if err != nil {
		t.Fatal(err)
	}
	e, err := remotecommand.NewSPDYExecutorForTransports(trip, spdy.NewUpgraderForStreaming(trip), http.MethodPost, u)
	if err != nil {
		t.Fatal(err)
	}
	return e.StreamWithContext(t.Context(), o)
}

func TestExec(t *testing.T) {
	c := startCluster(t)
	pod := runningPod(t, c, `["wait:"]`)
	v := podDirOf(c.dir, pod.UID).volume("v")
	for name, test := range map[string]struct {
		argv     []string
		in       string
		tty      bool
		out, err string
		code     int
		failure  string
	}{
		"output, errors and exit code": {argv: []string{"sh", "-c", "echo out; echo err >&2; exit 7"}, out: "out\n", err: "err\n", code: 7},
		"paths and environment are the container's": {
			argv: []string{"sh", "-c", "cd /v; pwd; echo $COLOR $POD_IP"}, out: v + "\nblue " + pod.Status.PodIP + "\n",
		},
		"input":      {argv: []string{"cat"}, in: "to and fro", out: "to and fro"},
		"a terminal": {argv: []string{"sh", "-c", "test -t 0 && test -t 1 && echo a terminal"}, tty: true, out: "a terminal\r\n"},
		"no such program": {
			argv: []string{"no-such-program"}, failure: `exec: "no-such-program": executable file not found in $PATH`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			o := remotecommand.StreamOptions{Stdout: &out, Tty: test.tty}
			if !test.tty {
				o.Stderr = &errOut
			}
			if test.in != "" {
				o.Stdin = strings.NewReader(test.in)
			}
			err := c.executor(t, "/exec/default/web/main", o, test.argv...)
			code := 0
			if exit := (clientexec.CodeExitError{}); errors.As(err, &exit) {
				code = exit.Code
			} else if !strings.Contains(errorText(err), test.failure) || (err == nil) != (test.failure == "") {
				t.Errorf("error %v", err)
			}
			got := fmt.Sprintf("%d %q %q", code, out.String(), errOut.String())
			if diff := cmp.Diff(fmt.Sprintf("%d %q %q", test.code, test.out, test.err), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExecIntoAMissingContainerIsRefused(t *testing.T) {
	c := startCluster(t)
	runningPod(t, c, `["wait:"]`)
	for path, want := range map[string]string{
		"/exec/default/web/other?output=1&command=ls": "400 the Pod has no container \"other\"\n",
		"/exec/default/wob/main?output=1&command=ls":  "404 this node has no pod \"wob\"\n",
		"/exec/default/web/main?command=ls":           "400 you must specify at least 1 of stdin, stdout, stderr\n",
	} {
		code, body := c.get(t, path)
		if got := fmt.Sprint(code, " ", body); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestAttachConnectsToTheContainersInputAndOutput(t *testing.T) {
	c := startCluster(t)
	runningPod(t, c, `["copy:", "out:the end"]`)
	in, say := io.Pipe()
	hear, out := io.Pipe()
	done := make(chan error, 1)
	late := time.AfterFunc(time.Minute, func() { _ = hear.CloseWithError(errors.New("nothing was heard within a minute")) })
	defer late.Stop()
	go func() {
		done <- c.executor(t, "/attach/default/web/main", remotecommand.StreamOptions{Stdin: in, Stdout: out})
		_ = out.Close()
	}()
	if _, err := say.Write([]byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 6)
	if _, err := io.ReadFull(hear, buffer); err != nil || string(buffer) != "hello\n" {
		t.Errorf("heard %q, %v", buffer, err)
	}
	c.remove(t, "web", 1)
	go func() { _, _ = io.Copy(io.Discard, hear) }()
	if err := <-done; err != nil {
		t.Error(err)
	}
	_ = say.Close()
}

func TestPortForward(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec: {containers: [{name: main, args: ["serve:8080"], readinessProbe: {tcpSocket: {port: 8080}}}]}
`)
	c.pod(t, "web", "ready", isReady)
	trip, err := streamspdy.NewRoundTripper(c.tls)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(c.url + "/portForward/default/web")
	if err != nil {
		t.Fatal(err)
	}
	dialer := spdy.NewDialerForStreaming(spdy.NewUpgraderForStreaming(trip), &http.Client{Transport: trip}, http.MethodPost, u)
	stop, ready, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	stopOnce := sync.OnceFunc(func() { close(stop) })
	defer stopOnce()
	forward, err := portforward.NewForStreaming(dialer, []string{"0:8080"}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- forward.ForwardPorts() }()
	<-ready
	ports, err := forward.GetPorts()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/hello", ports[0].Local), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	c.logs(t, "web/main", "request /hello\nrequest /hello\nrequest /hello\n")
	stopOnce()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestOnlyTrustedClientsAreAnswered(t *testing.T) {
	c := startCluster(t)
	if code, body := c.get(t, "/healthz"); code != http.StatusOK || body != "ok" {
		t.Errorf("%d %s", code, body)
	}
	stranger := c.tls.Clone()
	stranger.Certificates = nil
	raw, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(c.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	stranger.ServerName = "127.0.0.1"
	conn := tls.Client(raw, stranger)
	defer func() { _ = conn.Close() }()
	_, _ = conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"))
	if _, err := conn.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("a client without a certificate got: %v", err)
	}
}
