// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// nodeEnv makes the test binary a node with the Pod of a file, which dies with its parent's pipe.
const nodeEnv = "SERIN_NODE_TEST_POD"

// runTestNode runs a node in DIR for the Pod of a file and prints the Pod each time it is Ready.
func runTestNode(file, dir string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	pod := &corev1.Pod{}
	if err := yaml.Unmarshal(data, pod); err != nil {
		return err
	}
	client := fake.NewClientset(pod)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	watch, err := client.CoreV1().Pods("").Watch(context.Background(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	go func() {
		for e := range watch.ResultChan() {
			if p, ok := e.Object.(*corev1.Pod); ok && isReady(p) {
				text, _ := yaml.Marshal(p)
				fmt.Printf("%s---\n", text)
			}
		}
	}()
	server, _, err := testTLS()
	if err != nil {
		return err
	}
	n, err := newNode(testConfig(dir, self, listener, server, slog.DiscardHandler), client)
	if err != nil {
		return err
	}
	return n.run(context.Background())
}

func testConfig(dir, self string, listener net.Listener, server *tls.Config, log slog.Handler) Config {
	return Config{
		Name: "serin", Dir: dir, Listener: listener, TLS: server,
		Programs: map[string]string{"test/helper": self},
		Env:      []string{helperEnv + "=1", "PATH=" + os.Getenv("PATH")},
		Log:      slog.New(log),
	}
}

func TestKilledNodeLeavesNoProcessAndTheNextContinuesItsPods(t *testing.T) {
	dir := t.TempDir()
	before := killedNode(t, dir, `
metadata: {name: web, namespace: default, uid: `+string(uuid.NewUUID())+`}
spec:
  nodeName: serin
  volumes: [{name: v, emptyDir: {}}]
  initContainers:
  - {name: prepare, image: test/helper, args: ["out:prepared"]}
  containers:
  - name: main
    image: test/helper
    args: ["out:begun", "child:8081", "everywhere:8080"]
    readinessProbe: {tcpSocket: {port: 8081}}
  - name: side
    image: test/helper
    args: ["wait:"]
    readinessProbe: {timeoutSeconds: 30, exec: {command: [`+os.Args[0]+`, "greet:8080"]}}
`)
	stray := podDirOf(dir, "uid-gone")
	if err := os.MkdirAll(stray.volume("v"), 0o755); err != nil {
		t.Fatal(err)
	}
	before.ResourceVersion = ""
	c := &cluster{client: fake.NewClientset(before), dir: dir}
	c.startNode(t)
	pod := c.pod(t, "web", "started again and ready", func(p *corev1.Pod) bool {
		return isReady(p) && p.Status.ContainerStatuses[0].RestartCount == 1
	})
	if pod.Status.PodIP != before.Status.PodIP {
		t.Errorf("the address changed from %s to %s", before.Status.PodIP, pod.Status.PodIP)
	}
	if n := pod.Status.InitContainerStatuses[0].RestartCount; n != 1 {
		t.Errorf("the init container restarted %d times", n)
	}
	last := pod.Status.ContainerStatuses[0].LastTerminationState.Terminated
	if last == nil || last.Reason != "ContainerStatusUnknown" || last.ExitCode != 137 {
		t.Errorf("last state: %v", last)
	}
	c.logs(t, "web/main?previous=true", "begun\n")
	if _, err := os.Stat(string(stray)); !os.IsNotExist(err) {
		t.Errorf("the directory of a Pod that is gone: %v", err)
	}
}

// killedNode runs a node in a process of its own until its Pod is ready, and kills it.
func killedNode(t *testing.T, dir, manifest string) *corev1.Pod {
	t.Helper()
	file := t.TempDir() + "/pod.yaml"
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], file, dir)
	cmd.Env = append(os.Environ(), nodeEnv+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "---"; {
		text.WriteString(lines.Text() + "\n")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	pod := &corev1.Pod{}
	if err := yaml.Unmarshal([]byte(text.String()), pod); err != nil || !isReady(pod) {
		t.Fatalf("the node never showed its Pod ready: %v\n%s", err, text.String())
	}
	// The kernel has killed what the node started itself.
	eventually.Holds(t, func(context.Context) (any, bool) {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(pod.Status.PodIP, "8080"), time.Second)
		if err != nil {
			return nil, true
		}
		_ = conn.Close()
		return "it still listens", false
	})
	return pod
}

func TestStoppedNodeEndsEverythingAndKeepsThePods(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	c := startCluster(t)
	c.create(t, `
spec:
  terminationGracePeriodSeconds: 600
  containers:
  - {name: main, args: ["serve:8080"], readinessProbe: {tcpSocket: {port: 8080}}}
  - {name: polite, args: ["wait:"]}
`)
	pod := c.pod(t, "web", "ready", isReady)
	begin := time.Now()
	c.stop()
	if took := time.Since(begin); took > haltGrace+5*time.Second {
		t.Errorf("it took %v", took)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(pod.Status.PodIP, "8080"))
	if err != nil {
		t.Fatalf("a process is left: %v", err)
	}
	_ = listener.Close()
	pod = c.pod(t, "web", "kept, and not ready", func(p *corev1.Pod) bool { return !isReady(p) })
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Terminated == nil {
			t.Errorf("container %s: %v", s.Name, s.State)
		}
	}
	c.startNode(t)
	c.pod(t, "web", "started again", func(p *corev1.Pod) bool {
		return isReady(p) && p.Status.ContainerStatuses[0].RestartCount == 1
	})
	c.stop()
}

func TestPodDeletedWhileTheNodeWasAwayIsCleanedUp(t *testing.T) {
	c := startCluster(t)
	pod := c.create(t, `
spec: {containers: [{name: main, args: ["wait:"]}]}
`)
	c.pod(t, "web", "ready", isReady)
	c.stop()
	c.remove(t, "web", 30)
	c.startNode(t)
	c.waitGone(t, "web")
	eventually.Holds(t, func(context.Context) (any, bool) {
		_, err := os.Stat(string(podDirOf(c.dir, pod.UID)))
		return fmt.Sprint(err), os.IsNotExist(err)
	})
}

func TestReapSparesProcessesOfOtherNodes(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "wait:bye")
	cmd.Env = []string{helperEnv + "=1", "SERIN_NODE_DIR=" + dir + "-other", "SERIN_POD_UID=uid-web"}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// A record of an earlier process that had the same pid.
	d := podDirOf(dir, "uid-web")
	if err := os.MkdirAll(d.container("main"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.container("main", "process"), fmt.Appendf(nil, "%d 1\n", cmd.Process.Pid), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := reap(dir); n != 1 || err != nil {
		t.Errorf("reap: %d, %v", n, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Errorf("the process is gone: %v", err)
	}
	_ = out.Close()
	_ = cmd.Wait()
}

// As what kubectl exec left behind: in a session of its own, and without a record.
func TestReapKillsProcessesWithoutARecord(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "/bin/sleep", "600")
	cmd.Env = podDirOf(dir, "uid-web").marker("main")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if n, err := reap(dir); n != 0 || err != nil {
		t.Errorf("reap: %d, %v", n, err)
	}
	_ = cmd.Process.Signal(os.Interrupt) // it ends in any case
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("ended with %v", err)
	}
}

func TestReapKillsProcessesThatClearedTheirEnvironment(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "/bin/sleep", "600")
	cmd.Env = []string{}
	dieWithParent(cmd) // for a process group of its own
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := podDirOf(dir, "uid-web")
	if err := os.MkdirAll(d.container("main"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := d.record("main", cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if _, err := reap(dir); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("ended with %v", err)
	}
}
