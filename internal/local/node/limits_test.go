// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func TestLimitsOf(t *testing.T) {
	for name, c := range map[string]struct {
		resources string
		want      limits
	}{
		"without limits":              {`{}`, limits{processes: 75}},
		"requests are no limits":      {`requests: {memory: 1Gi}`, limits{processes: 75}},
		"memory":                      {`limits: {memory: 1Gi, cpu: 2}`, limits{data: 1<<30 + 256<<20 + 4*64<<20, processes: 75}},
		"files":                       {`limits: {ephemeral-storage: 2Mi}`, limits{file: 2 << 20, processes: 75}},
		"zero means none":             {`limits: {memory: "0"}`, limits{processes: 75}},
		"more memory than there is":   {`limits: {memory: 8E}`, limits{data: 8e18 + 256<<20 + 4*64<<20, processes: 75}},
		"a fraction of a byte is one": {`limits: {ephemeral-storage: 1m}`, limits{file: 1, processes: 75}},
	} {
		t.Run(name, func(t *testing.T) {
			var container corev1.Container
			if err := yaml.UnmarshalStrict([]byte(c.resources), &container.Resources); err != nil {
				t.Fatal(err)
			}
			if got := limitsOf(&container, 4, 100); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// A program has its limits from its first instruction, and so does what it
// starts, and what the node runs beside it.
func TestProgramsRunWithinLimits(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
metadata: {name: shown}
spec:
  restartPolicy: Never
  containers:
  - name: main
    command: [/bin/sh, -c, cat /proc/self/limits; cat]
    stdin: true
    resources: {limits: {memory: 128Mi, ephemeral-storage: 3Mi}}
    readinessProbe: {periodSeconds: 1, exec: {command: [/bin/sh, -c, "grep 'file size *3145728 *3145728' /proc/self/limits"]}}
`)
	c.pod(t, "shown", "ready: its probe sees the limits", isReady)
	_, said := c.get(t, "/containerLogs/default/shown/main")
	data := 128<<20 + 256<<20 + runtime.NumCPU()*64<<20
	for _, want := range []string{
		fmt.Sprintf(`Max data size +%d +%d +bytes`, data, data),
		`Max file size +3145728 +3145728 +bytes`,
		`Max processes +(\d+|unlimited) `,
	} {
		if !regexp.MustCompile(want).MatchString(said) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
}

func TestProcessesBeyondTheirLimitsFail(t *testing.T) {
	if raced {
		t.Skip("a program with the race detector reserves more than the limits here allow")
	}
	c := startCluster(t)
	c.create(t, `
metadata: {name: greedy}
spec:
  restartPolicy: Never
  containers:
  - name: memory
    args: ["allocate:4096"]
    terminationMessagePolicy: FallbackToLogsOnError
    resources: {limits: {memory: 64Mi}}
  - name: within
    args: ["allocate:128"]
    resources: {limits: {memory: 256Mi}}
  - name: files
    command: [/bin/sh, -c, "head -c 4000000 /dev/zero > file"]
    resources: {limits: {ephemeral-storage: 1Mi}}
`)
	pod := c.pod(t, "greedy", "failed", inPhase(corev1.PodFailed))
	got := map[string]bool{}
	for _, s := range pod.Status.ContainerStatuses {
		got[s.Name] = s.State.Terminated.ExitCode == 0
	}
	if diff := cmp.Diff(map[string]bool{"memory": false, "within": true, "files": false}, got); diff != "" {
		t.Errorf("%s\n%s", diff, shown(pod))
	}
	end := pod.Status.ContainerStatuses[0].State.Terminated
	if end.Reason != "OOMKilled" || end.Message != "out of memory: limits.memory of the container is 64Mi" {
		t.Errorf("%s: %s", end.Reason, end.Message)
	}
}

// Where tracing is forbidden, limits come a moment later.
func TestLimitsAreSetWithoutTracingToo(t *testing.T) {
	for _, traced := range []bool{true, false} {
		t.Run(fmt.Sprintf("traced %v", traced), func(t *testing.T) {
			result := make(chan string)
			go func() {
				runtime.LockOSThread() // never unlocked: it ends with its thread
				cmd := command{exec.CommandContext(t.Context(), "/bin/sh", "-c", "read x; ulimit -d"), limits{data: 1 << 30}}
				dieWithParent(cmd.Cmd)
				var out strings.Builder
				cmd.Stdout = &out
				in, err := cmd.StdinPipe()
				if err == nil {
					err = startLimited(cmd, traced)
				}
				if err == nil {
					_, _ = fmt.Fprintln(in, "go on")
					err = cmd.Wait()
				}
				result <- fmt.Sprint(strings.TrimSpace(out.String()), " ", err)
			}()
			if got := <-result; got != "1048576 <nil>" {
				t.Error(got)
			}
		})
	}
}

// Whatever becomes of a program at its start, the node learns how it ended.
func TestStartedProgramsAreReaped(t *testing.T) {
	traced, _ := tryOut()
	f := newForker(traced, func() func() { return func() {} })
	ctx, stop := context.WithCancel(t.Context())
	go f.run(ctx)
	defer func() { stop(); <-f.ended }()
	for i := range 300 {
		cmd := command{exec.CommandContext(ctx, "/bin/sh", "-c", "exit 3"), limits{data: 1 << 30, file: 1 << 20, processes: 1 << 20}}
		if err := f.start(cmd); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			_ = cmd.Process.Kill()
		}
		err := cmd.Wait()
		if code, signal := exitOf(cmd.ProcessState); err == nil || code != 3 && signal != 9 {
			t.Fatalf("start %d ended with %d, signal %d: %v", i, code, signal, err)
		}
	}
	cmd := command{exec.CommandContext(ctx, "/etc/passwd"), limits{data: 1 << 30}}
	if err := f.start(cmd); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("what is no program: %v", err)
	}
}
