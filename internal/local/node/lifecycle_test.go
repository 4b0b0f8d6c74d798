// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubetest "k8s.io/client-go/testing"

	"github.com/serin-dev/serin/internal/testkit/eventually"
)

func TestPodThatNeverRestarts(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
metadata: {name: good}
spec:
  restartPolicy: Never
  containers: [{name: main, args: ["write:/dev/termination-log=all is well"]}]
`)
	c.create(t, `
metadata: {name: bad}
spec:
  restartPolicy: Never
  containers:
  - {name: main, terminationMessagePolicy: FallbackToLogsOnError, args: ["out:first", "err:no such model", "exit:3"]}
  - {name: killed, command: [/bin/sh, -c, "kill -KILL $$$$"]}
`)
	good := c.pod(t, "good", "succeeded", inPhase(corev1.PodSucceeded))
	bad := c.pod(t, "bad", "failed", inPhase(corev1.PodFailed))
	type end struct {
		Code, Signal    int32
		Reason, Message string
	}
	ends := func(pod *corev1.Pod) (out []end) {
		for _, s := range pod.Status.ContainerStatuses {
			e := s.State.Terminated
			if e.FinishedAt.Before(&e.StartedAt) || e.ContainerID != s.ContainerID {
				t.Errorf("container %s: %v", s.Name, e)
			}
			out = append(out, end{e.ExitCode, e.Signal, e.Reason, sorted(e.Message)})
		}
		return out
	}
	if diff := cmp.Diff([]end{{0, 0, "Completed", "all is well"}}, ends(good)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]end{{3, 0, "Error", "first\nno such model"}, {137, 9, "Error", ""}}, ends(bad)); diff != "" {
		t.Error(diff)
	}
	c.logs(t, "good/main", "")
}

// sorted orders lines of two streams, whose order between them is not known.
func sorted(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) == 2 && lines[0] > lines[1] {
		lines[0], lines[1] = lines[1], lines[0]
	}
	return strings.Join(lines, "\n")
}

func TestCrashingContainerRestartsAtOnceAndThenBacksOff(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec:
  volumes: [{name: v, emptyDir: {}}]
  containers:
  - name: main
    args: ["out:one more", "exit:1"]
  - name: once
    args: ["out:hello", "once:/v/x=7", "wait:"]
    volumeMounts: [{name: v, mountPath: /v}]
`)
	c.pod(t, "web", "back-off after the second crash", waitsFor("CrashLoopBackOff"))
	// Without a readiness probe it was ready in its first life, too.
	pod := c.pod(t, "web", "the other one up again", func(p *corev1.Pod) bool {
		once := p.Status.ContainerStatuses[1]
		return once.RestartCount > 0 && once.Ready
	})
	main, once := pod.Status.ContainerStatuses[0], pod.Status.ContainerStatuses[1]
	if main.RestartCount != 1 || once.RestartCount != 1 {
		t.Errorf("restarts %d and %d, want 1 and 1", main.RestartCount, once.RestartCount)
	}
	if end := once.LastTerminationState.Terminated; end == nil || end.ExitCode != 7 {
		t.Errorf("last state of once: %v", once.LastTerminationState)
	}
	if pod.Status.Phase != corev1.PodRunning {
		t.Errorf("phase %s", pod.Status.Phase)
	}
	c.logs(t, "web/once?previous=true", "hello\n")
	c.logs(t, "web/main", "one more\n")
	c.event(t, "BackOff", "Back-off restarting failed container main")
}

// storage-initializer reports what it fetched, and reads what it must fetch whenever it starts.
func TestInitContainerReportsAndReadsItsEnvironmentAnew(t *testing.T) {
	c := startCluster(t)
	pod := c.create(t, `
metadata: {labels: {revision: iris-1}}
spec:
  initContainers:
  - name: fetch
    args: ["env:DIGEST", "env:REVISION", "env:LOG", "write:/dev/termination-log=sha256:one"]
    env:
    - {name: LOG, value: /dev/termination-log}
    - {name: REVISION, valueFrom: {fieldRef: {fieldPath: "metadata.labels['revision']"}}}
    - {name: DIGEST, valueFrom: {configMapKeyRef: {name: models, key: iris-1, optional: true}}}
  containers: [{name: main, args: ["wait:"]}]
`)
	reported := func(restarts int32) func(*corev1.Pod) bool {
		return func(p *corev1.Pod) bool {
			fetch := p.Status.InitContainerStatuses
			return isReady(p) && len(fetch) == 1 && fetch[0].RestartCount == restarts && fetch[0].State.Terminated != nil &&
				fetch[0].State.Terminated.Message == "sha256:one"
		}
	}
	rest := "\nREVISION=iris-1\nLOG=" + podDirOf(c.dir, pod.UID).container("fetch", "message") + "\n"
	c.pod(t, "web", "ready, with a message", reported(0))
	c.logs(t, "web/fetch", "DIGEST="+rest)
	maps := c.client.CoreV1().ConfigMaps("default")
	models, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "models"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, data := range []map[string]string{{"iris-2": "x"}, {"iris-1": "sha256:one"}} {
		models.Data = data
		if models, err = maps.Update(t.Context(), models, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.stop()
		c.startNode(t)
		c.pod(t, "web", "ready again, with a message", reported(int32(i+1)))
		c.logs(t, "web/fetch", "DIGEST="+data["iris-1"]+rest)
	}
}

func TestDeletedPodIsNotReadyAtOnceAndEndsInOrder(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec:
  terminationGracePeriodSeconds: 30
  containers:
  - name: main
    args: ["serve:8080"]
    readinessProbe: {httpGet: {path: /health, port: 8080}}
    lifecycle: {preStop: {exec: {command: [/bin/sh, -c, "while [ ! -e /ctl/go ]; do /bin/sleep 0.05; done"]}}}
    volumeMounts: [{name: ctl, mountPath: /ctl}]
  - name: stubborn
    args: ["stubborn:/ctl/deaf"]
    readinessProbe: {exec: {command: [/usr/bin/test, -e, /ctl/deaf]}}
    volumeMounts: [{name: ctl, mountPath: /ctl}]
  initContainers:
  - name: side
    restartPolicy: Always
    args: ["wait:"]
  volumes: [{name: ctl, emptyDir: {}}]
`)
	c.pod(t, "web", "ready", isReady)
	c.remove(t, "web", 30)
	pod := c.pod(t, "web", "not ready", func(p *corev1.Pod) bool { return !isReady(p) })
	for _, s := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if s.State.Running == nil {
			t.Errorf("container %s ended before its time: %v", s.Name, s.State)
		}
	}
	c.touch(t, pod, "ctl/go")
	pod = c.pod(t, "web", "main ended by SIGTERM after its preStop hook", func(p *corev1.Pod) bool {
		return p.Status.ContainerStatuses[0].State.Terminated != nil
	})
	if code := pod.Status.ContainerStatuses[0].State.Terminated.ExitCode; code != 143 {
		t.Errorf("exit code %d, want 143", code)
	}
	if pod.Status.InitContainerStatuses[0].State.Running == nil {
		t.Error("the sidecar ended before the others")
	}
	c.remove(t, "web", 1) // a shorter grace period ends the stubborn one
	c.waitGone(t, "web")
}

func TestPostStartComesBeforeProbesAndItsFailureRestarts(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec:
  containers:
  - name: main
    args: ["wait:"]
    volumeMounts: [{name: v, mountPath: /v}]
    lifecycle: {postStart: {exec: {command: [/bin/sh, -c, "test -e /v/second || { touch /v/second; exit 1; }"]}}}
  volumes: [{name: v, emptyDir: {}}]
`)
	pod := c.pod(t, "web", "ready at the second try", isReady)
	if n := pod.Status.ContainerStatuses[0].RestartCount; n != 1 {
		t.Errorf("%d restarts", n)
	}
	c.event(t, "FailedPostStartHook", "postStart of container main: exit status 1: ")
}

func TestContainerThatCannotStartHasOneEvent(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
metadata: {name: image}
spec: {containers: [{name: main, image: "nginx:1"}]}
`)
	c.create(t, `
metadata: {name: dir}
spec: {containers: [{name: main, workingDir: /no/such/place}]}
`)
	c.create(t, `
metadata: {name: nfs}
spec:
  containers: [{name: main}]
  volumes: [{name: data, nfs: {server: x, path: /x}}]
`)
	c.pod(t, "image", "refused", waitsFor(reasonImage))
	c.pod(t, "dir", "refused", waitsFor(reasonCreate))
	c.pod(t, "nfs", "refused", waitsFor(reasonVolumes))
	c.event(t, "Failed", `this node runs processes, not images: it has no program for image "nginx:1", only for test/helper; `+
		`give the container the absolute path of a program on this machine as its command`)
	c.event(t, "Failed", "the working directory /no/such/place is neither in a volume nor on this machine")
	c.event(t, "FailedMount", `volume "data": this node has emptyDir, hostPath, persistentVolumeClaim, configMap, secret, downwardAPI and projected volumes only`)
}

func TestPodOfThisMachinesProgramNeedsAnAbsoluteCommand(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: busybox
    workingDir: /v/sub
    command: [/bin/sh, -c, "pwd; echo $(GREETING) $GREETING; cat /v/sub/f"]
    env: [{name: GREETING, value: hello /v}]
    volumeMounts: [{name: v, mountPath: /v}]
  initContainers:
  - {name: prepare, command: [/bin/sh, -c, "mkdir /v/sub; echo file > /v/sub/f"], volumeMounts: [{name: v, mountPath: /v}]}
  volumes: [{name: v, emptyDir: {}}]
`)
	pod := c.pod(t, "web", "done", inPhase(corev1.PodSucceeded))
	v := podDirOf(c.dir, pod.UID).volume("v")
	c.logs(t, "web/main", v+"/sub\nhello "+v+" hello "+v+"\nfile\n")
}

func TestContainerLeavesNothingBehind(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec:
  restartPolicy: Never
  containers:
  - {name: main, args: ["child:8080", "wait:"], readinessProbe: {tcpSocket: {port: 8080}}}
`)
	pod := c.pod(t, "web", "its child listens", isReady)
	address := net.JoinHostPort(pod.Status.PodIP, "8080")
	c.remove(t, "web", 5)
	c.waitGone(t, "web")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatalf("the child in a session of its own still has the port: %v", err)
	}
	_ = listener.Close()
}

func TestPodsHaveAddressesOfTheirOwn(t *testing.T) {
	c := startCluster(t)
	for _, name := range []string{"one", "two"} {
		c.create(t, `
metadata: {name: `+name+`}
spec: {containers: [{name: main, args: ["serve:8080"], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}]}
`)
	}
	c.create(t, `
metadata: {name: host}
spec: {hostNetwork: true, containers: [{name: main, args: ["wait:"]}]}
`)
	seen := map[string]string{}
	for _, name := range []string{"one", "two", "host"} {
		pod := c.pod(t, name, "ready", isReady)
		if other, dup := seen[pod.Status.PodIP]; dup {
			t.Errorf("%s and %s share %s", name, other, pod.Status.PodIP)
		}
		seen[pod.Status.PodIP] = name
	}
	if seen["127.0.0.1"] != "host" {
		t.Errorf("addresses: %v", seen)
	}
}

func TestActiveDeadlineEndsAPod(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec: {activeDeadlineSeconds: 1, terminationGracePeriodSeconds: 1, containers: [{name: main, args: ["wait:"]}]}
`)
	pod := c.pod(t, "web", "failed and stopped", func(p *corev1.Pod) bool {
		return p.Status.Phase == corev1.PodFailed && p.Status.ContainerStatuses[0].State.Terminated != nil
	})
	if pod.Status.Reason != "DeadlineExceeded" {
		t.Errorf("reason %q", pod.Status.Reason)
	}
}

// event waits for an event of any Pod, and returns the field that it is about.
func (c *cluster) event(t *testing.T, reason, message string) (field string) {
	t.Helper()
	eventually.Holds(t, func(context.Context) (any, bool) {
		list, err := c.client.CoreV1().Events("").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err.Error(), false
		}
		var seen []string
		for _, e := range list.Items {
			if e.Reason == reason && e.Message == message {
				field = e.InvolvedObject.FieldPath
				return nil, true
			}
			seen = append(seen, e.Reason+": "+e.Message)
		}
		return fmt.Sprintf("no event %s: %s, but\n%s", reason, message, strings.Join(seen, "\n")), false
	})
	return field
}

func TestPreStopMayUseUpTheGracePeriodButNotMore(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec:
  containers:
  - name: main
    args: ["out:up", "wait:asked to end"]
    lifecycle: {preStop: {sleep: {seconds: 600}}}
`)
	c.logs(t, "web/main", "up\n")
	body := c.stream(t, "/containerLogs/default/web/main?follow=true&tailLines=0")
	c.remove(t, "web", 1)
	data, err := io.ReadAll(body)
	if err != nil || string(data) != "asked to end\n" {
		t.Errorf("last words %q, %v", data, err)
	}
	c.waitGone(t, "web")
}

func TestStatusIsWrittenAgainWhenTheAPIFailed(t *testing.T) {
	c := newCluster(t)
	failures := make(chan error, 3)
	for range cap(failures) {
		failures <- errors.New("the API is busy")
	}
	c.client.PrependReactor("patch", "pods", func(kubetest.Action) (bool, runtime.Object, error) {
		select {
		case err := <-failures:
			return true, nil, err
		default:
			return false, nil, nil
		}
	})
	c.startNode(t)
	c.create(t, `
spec: {containers: [{name: main, args: ["wait:"]}]}
`)
	c.pod(t, "web", "ready", isReady)
}

func TestPodDeletedByForceIsStoppedAndForgotten(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec: {containers: [{name: main, args: ["serve:8080"], readinessProbe: {tcpSocket: {port: 8080}}}]}
`)
	pod := c.pod(t, "web", "ready", isReady)
	if err := c.client.CoreV1().Pods("default").Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, func(context.Context) (any, bool) {
		_, err := os.Stat(string(podDirOf(c.dir, pod.UID)))
		return fmt.Sprint(err), os.IsNotExist(err)
	})
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(pod.Status.PodIP, "8080"))
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
}
