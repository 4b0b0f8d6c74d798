// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Statuses of a Pod that was made at epoch. Its containers run since the tenth second.
const (
	scheduled0 = `{conditions: [{type: PodScheduled, status: "True", lastTransitionTime: "2026-01-01T00:00:00Z"}]`
	unready    = `{conditions: [{type: PodScheduled, status: "True"}, {type: ContainersReady, status: "False", lastTransitionTime: "2026-01-01T00:00:00Z"}], containerStatuses: [
  {name: kserve-container, started: true, state: {running: {startedAt: "2026-01-01T00:00:10Z"}}},
  {name: queue-proxy, started: true, ready: true, state: {running: {startedAt: "2026-01-01T00:00:10Z"}}}]}`
	starting0 = `{conditions: [{type: PodScheduled, status: "True"}], containerStatuses: [{name: kserve-container, started: false, state: {running: {startedAt: "2026-01-01T00:00:10Z"}}}]}`
	crashed   = `{conditions: [{type: PodScheduled, status: "True"}], containerStatuses: [
  {name: kserve-container, started: true, state: {running: {startedAt: "2026-01-01T00:00:10Z"}}, lastState: {terminated: {exitCode: 1, message: port in use, startedAt: "2026-01-01T00:00:05Z", finishedAt: "2026-01-01T00:00:09Z"}}}]}`
	queueUnready = `{conditions: [{type: PodScheduled, status: "True"}], containerStatuses: [
  {name: kserve-container, started: true, ready: true, state: {running: {startedAt: "2026-01-01T00:00:10Z"}}},
  {name: queue-proxy, started: true, state: {running: {startedAt: "2026-01-01T00:00:10Z"}}}]}`
	ended = `{conditions: [{type: PodScheduled, status: "True"}], containerStatuses: [{name: kserve-container, state: {waiting: {reason: CrashLoopBackOff}},
  lastState: {terminated: {exitCode: 143, reason: Error, startedAt: "2026-01-01T00:00:10Z", finishedAt: "2026-01-01T00:00:15Z"}}}]}`
	gateShut = `{conditions: [{type: PodScheduled, status: "True"}, {type: Ready, status: "False", message: the condition x is not True, lastTransitionTime: "2026-01-01T00:00:10Z"}],
  containerStatuses: [{name: kserve-container, ready: true, started: true, state: {running: {}}}]}`
	creating0 = `{conditions: [{type: PodScheduled, status: "True"}], containerStatuses: [{name: kserve-container, state: {waiting: {reason: ContainerCreating}}}]}`
	queue     = `{name: queue-proxy, args: [--user-port=8080]}`
	probes    = `{containers: [{name: kserve-container, image: x}, {name: queue-proxy, args: [--user-port=8080, --grpc-port=9000, --probe-grpc], readinessProbe: {httpGet: {path: /ready, port: 8022}, periodSeconds: 1}}]}`
	tcp       = `{containers: [{name: kserve-container, image: x, readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}, ` + queue + `]}`
	wrong     = `{containers: [{name: kserve-container, image: x, readinessProbe: {httpGet: {path: /ready, port: 8081}, periodSeconds: 1}}, ` + queue + `]}`
	kills     = `{containers: [{name: kserve-container, image: x, lifecycle: {postStart: {exec: {command: [register]}}},
  livenessProbe: {tcpSocket: {port: 8081}}, startupProbe: {exec: {command: [cat, /tmp/ready]}, periodSeconds: 10, failureThreshold: 60}}, ` + queue + `]}`
	checks = `{schedulerName: mine, initContainers: [{name: storage-initializer, image: x}, {name: check, image: x}], containers: [{name: kserve-container, image: x}]}`

	noListener = "Get \"http://10.0.0.1:8081/ready\": dial tcp 10.0.0.1:8081: connect: connection refused"
	notReady   = "container kserve-container is not ready: its readiness probe asks for "
	wasEnded   = "container kserve-container was ended because its "
	otherPort  = "Let the probe ask port 8080, where requests go, or let the server listen on both"
	seeLogs    = "see what it does: kubectl logs -n ns a -c kserve-container"
	ofMain     = "spec.containers{kserve-container}"
	ofTheQueue = "spec.containers{queue-proxy}"
)

// told is an event of a Pod, at a second after epoch.
func told(second int, kind, reason, field, message string) corev1.Event {
	return corev1.Event{
		Type: kind, Reason: reason, Message: message, LastTimestamp: metav1.NewTime(epoch.Add(time.Duration(second) * time.Second)),
		InvolvedObject: corev1.ObjectReference{UID: "u", FieldPath: field},
	}
}

func unhealthy(second int, field, message string) corev1.Event {
	return told(second, corev1.EventTypeWarning, "Unhealthy", field, message)
}

// observe is one Pod at a second after epoch.
func observe(t *testing.T, pod, template string, second int, events ...corev1.Event) Observed {
	t.Helper()
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "a", UID: "u", CreationTimestamp: metav1.NewTime(epoch)}}
	d := &appsv1.Deployment{}
	for text, into := range map[string]any{pod: &p.Status, template: &d.Spec.Template.Spec} {
		if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	return Observed{Pods: []corev1.Pod{p}, Deployment: d, Events: events, Now: epoch.Add(time.Duration(second) * time.Second)}
}

// TestLatePodSaysWhatKeepsIt looks at one Pod at some second.
func TestLatePodSaysWhatKeepsIt(t *testing.T) {
	for name, tt := range map[string]struct {
		pod, template string
		second        int
		events        []corev1.Event
		want          string
		look          int // the second at which to look again; 0 is never
		asks          bool
	}{
		"a model may load for a while":  {unready, tcp, 39, nil, "", 40, false},
		"a server listens on no port":   {unready, tcp, 40, []corev1.Event{unhealthy(39, ofMain, "Readiness probe failed: dial tcp 10.0.0.1:8080: connect: connection refused")}, notReady + "port 8080, where nothing listens (connection refused). Wait if it still loads its model; otherwise let the server listen on port 8080 of all addresses, or name its port under ports", 70, true},
		"the probe asks another port":   {unready, wrong, 300, []corev1.Event{unhealthy(299, ofMain, "Readiness probe failed: "+noListener)}, notReady + "/ready on port 8081, where nothing listens (connection refused). Wait if it still loads its model; otherwise let the probe ask port 8080, where requests go, or let the server listen on both", 590, true},
		"the answer is an error":        {unready, wrong, 40, []corev1.Event{unhealthy(20, ofMain, "Readiness probe failed: "+noListener), unhealthy(39, ofMain, "Readiness probe failed: HTTP probe failed with statuscode: 503")}, notReady + "/ready on port 8081, and the answer is 503. Wait if it still loads its model; otherwise " + seeLogs, 70, true},
		"and says what takes so long":   {unready, wrong, 40, []corev1.Event{unhealthy(20, ofMain, "Readiness probe failed: "+noListener), unhealthy(39, ofMain, "Readiness probe failed: HTTP probe failed with statuscode: 503: {\"error\":\"Model with name m is not ready: pip: Collecting numpy\"}")}, notReady + "/ready on port 8081, and the answer is 503: Model with name m is not ready: pip: Collecting numpy. Wait if it still loads its model; otherwise " + seeLogs, 70, true},
		"no answer comes in time":       {unready, wrong, 40, []corev1.Event{unhealthy(39, ofMain, "Readiness probe failed: Get \"http://x\": context deadline exceeded")}, notReady + "/ready on port 8081, and no answer comes within 1 s. Wait if it still loads its model; otherwise " + seeLogs, 70, true},
		"another answer":                {unready, wrong, 40, []corev1.Event{unhealthy(39, ofMain, "Readiness probe failed: \x1b[31mdisk full\x1b[0m")}, notReady + "/ready on port 8081, and fails: disk full. Wait if it still loads its model; otherwise " + seeLogs, 70, true},
		"events may not be read":        {unready, wrong, 40, nil, notReady + "/ready on port 8081, without success. Wait if it still loads its model; otherwise " + seeLogs, 70, true},
		"events of before do not count": {unready, wrong, 40, []corev1.Event{unhealthy(5, ofMain, "Readiness probe failed: "+noListener), unhealthy(39, ofTheQueue, "Readiness probe failed: "+noListener), unhealthy(39, ofMain, "Liveness probe failed: "+noListener)}, notReady + "/ready on port 8081, without success. Wait if it still loads its model; otherwise " + seeLogs, 70, true},
		"the port for gRPC is shut":     {queueUnready, probes, 40, []corev1.Event{unhealthy(39, ofTheQueue, "Readiness probe failed: HTTP probe failed with statuscode: 503")}, "container kserve-container accepts no connection for gRPC at port 9000. Wait if it still loads its model; otherwise let the server listen there, or correct its port for gRPC under ports: kubectl logs -n ns a -c kserve-container", 70, true},
		"a startup probe may take its time": {
			starting0, kills, 600, nil, "", 610, false,
		},
		"a container is being made": {creating0, tcp, 19, nil, "", 20, false},
		"a large image is pulled":   {creating0, tcp, 100, []corev1.Event{told(2, corev1.EventTypeWarning, "FailedMount", "", "not yet"), told(3, corev1.EventTypeNormal, "Pulling", ofMain, "Pulling image x")}, "", 200, true},
		"a volume cannot be mounted": {
			creating0, tcp, 20,
			[]corev1.Event{told(2, corev1.EventTypeNormal, "Scheduled", "", "x"), told(2, corev1.EventTypeWarning, "FailedMount", "", `MountVolume.SetUp failed for volume "v" : secret "token" not found`)},
			`container kserve-container cannot be made yet: MountVolume.SetUp failed for volume "v" : secret "token" not found. Create the Secret, or correct its name`, 40, true,
		},
		"the process node says it in the status": {
			`{conditions: [{type: PodScheduled, status: "True"}], containerStatuses: [{name: kserve-container, state: {waiting: {reason: ContainerCreating, message: 'volume "v": configmaps "c" not found'}}}]}`, tcp, 6, nil,
			`container kserve-container cannot be made yet: volume "v": configmaps "c" not found. Create the ConfigMap, or correct its name`, 16, false,
		},
		"a sandbox cannot be made": {scheduled0 + `}`, tcp, 20, []corev1.Event{told(2, corev1.EventTypeWarning, "FailedCreatePodSandBox", "", "no network")}, "the Pod cannot be made yet: no network", 40, true},
		"a model is fetched for hours": {
			`{conditions: [{type: PodScheduled, status: "True"}], initContainerStatuses: [{name: storage-initializer, state: {running: {startedAt: "2026-01-01T00:00:01Z"}}}, {name: check, state: {waiting: {reason: PodInitializing}}}]}`, checks, 9999, nil,
			"", 0, false,
		},
		"an init container does not end": {
			`{conditions: [{type: PodScheduled, status: "True"}], initContainerStatuses: [{name: storage-initializer, state: {terminated: {finishedAt: "2026-01-01T00:00:01Z"}}}, {name: check, state: {running: {startedAt: "2026-01-01T00:00:10Z"}}}]}`, checks, 40, nil,
			"the init container check has not ended, and the others start when it has: kubectl logs -n ns a -c check", 70, false,
		},
		"no scheduler takes the Pod": {`{}`, checks, 30, nil, "no scheduler takes the Pod: start mine, or correct schedulerName", 60, false},
		"a gate is closed":           {gateShut, tcp, 40, nil, "all containers are ready, and the Pod is not: the condition x is not True", 70, false},
		"no time is known":           {unready, tcp, -1, nil, "", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := observe(t, tt.pod, tt.template, tt.second, tt.events...)
			if tt.second < 0 {
				o.Now = time.Time{}
			}
			h, look := HealthOf(o), time.Time{}
			if tt.look > 0 {
				look = epoch.Add(time.Duration(tt.look) * time.Second)
			}
			got := ""
			if h.Late != nil {
				got = h.Late.Message
			}
			if diff := cmp.Diff(tt.want, got) + cmp.Diff(look, h.Look); diff != "" || h.Failure != nil || h.Failed != 0 {
				t.Errorf("late, and when to look again (-want +got):\n%s\nfailure: %+v", diff, h.Failure)
			}
			if asked := Unexplained(o) != nil; asked != tt.asks {
				t.Errorf("events are asked for: %t", asked)
			}
		})
	}
}

// TestEventsSayWhyAContainerWasEnded looks at a Pod whose container ended.
func TestEventsSayWhyAContainerWasEnded(t *testing.T) {
	for name, tt := range map[string]struct {
		pod, template string
		second        int
		events        []corev1.Event
		want          string
	}{
		"by its liveness probe": {ended, kills, 16, []corev1.Event{unhealthy(14, ofMain, "Liveness probe failed: "+noListener), told(15, corev1.EventTypeNormal, "Killing", ofMain, "Container kserve-container failed liveness probe, will be restarted")}, wasEnded + "liveness probe asks for port 8081, where nothing listens (connection refused). " + otherPort},
		"by its startup probe":  {ended, kills, 16, []corev1.Event{unhealthy(14, ofMain, "Startup probe failed: cat: no such file")}, wasEnded + `startup probe asks for the success of "cat /tmp/ready", and fails: cat: no such file. Raise the probe's failureThreshold if the model loads longer; otherwise ` + seeLogs},
		"by its postStart hook": {ended, kills, 16, []corev1.Event{told(14, corev1.EventTypeWarning, "FailedPostStartHook", ofMain, "PostStartHook failed")}, wasEnded + "postStart hook failed: PostStartHook failed"},
		"by itself":             {ended, kills, 16, []corev1.Event{unhealthy(5, ofMain, "Liveness probe failed: of before")}, "container kserve-container ended with exit code 143 (Error)"},
		"and runs again":        {crashed, tcp, 39, nil, "container kserve-container ended with exit code 1: port in use"},
		"and runs again for long": {
			crashed, tcp, 40,
			[]corev1.Event{unhealthy(39, ofMain, "Readiness probe failed: HTTP probe failed with statuscode: 404")},
			notReady + "port 8080, and the answer is 404. Wait if it still loads its model; otherwise " + seeLogs,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := observe(t, tt.pod, tt.template, tt.second, tt.events...)
			h := HealthOf(o)
			if h.Failure == nil || h.Failed != 1 || h.Late != nil {
				t.Fatalf("health: %+v", h)
			}
			if again := o.Now.Add(10 * time.Second); name == "by itself" && !h.Look.Equal(again) {
				t.Errorf("it looks for a late event at %s, want %s", h.Look, again)
			}
			if diff := cmp.Diff(tt.want, h.Failure.Message); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeploymentThatGaveUpSaysWhatKeptItsPods(t *testing.T) {
	o := observe(t, unready, wrong, 20, unhealthy(19, ofMain, "Readiness probe failed: "+noListener)) // it is not late yet
	o.Deployment.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Message: "ReplicaSet \"x\" has timed out progressing."}}
	h := HealthOf(o)
	if h.Failure == nil || h.Late != nil {
		t.Fatalf("health: %+v", h)
	}
	want := &v1beta1.FailureInfo{
		Location: "a", Reason: v1beta1.RuntimeUnhealthy, Time: &metav1.Time{Time: epoch.Add(10 * time.Second)},
		Message: notReady + "/ready on port 8081, where nothing listens (connection refused). Wait if it still loads its model; otherwise let the probe ask port 8080, where requests go, or let the server listen on both",
	}
	if diff := cmp.Diff(want, h.Failure, cmp.Comparer(func(a, b metav1.Time) bool { return a.Equal(&b) })); diff != "" {
		t.Errorf("failure (-want +got):\n%s", diff)
	}
}

func TestLatePodIsInTheStatusAndInProgress(t *testing.T) {
	w := newWorld()
	w.apply("m1", "", nil)
	w.decide()
	w.decide()
	w.revision(1).Health = Health{Loading: true, Late: &v1beta1.FailureInfo{Location: "a", Reason: v1beta1.RuntimeUnhealthy, Message: "nothing listens\ndetails 17"}, Look: epoch.Add(time.Hour)}
	p := w.decide()
	if m := p.Status.ModelStatus; m.TransitionStatus != v1beta1.InProgress || m.LastFailureInfo == nil || m.LastFailureInfo.Message != "nothing listens\ndetails 17" || m.LastFailureInfo.ModelRevisionName != "iris-predictor-00001" {
		t.Errorf("model status: %+v", m)
	}
	for _, c := range p.Status.Conditions {
		if c.Type == v1beta1.ConditionReady && (c.Status != metav1.ConditionUnknown || c.Message != "Revision iris-predictor-00001 is not ready yet: nothing listens") {
			t.Errorf("condition: %+v", c)
		}
	}
	if p.Again != epoch.Add(time.Hour) {
		t.Errorf("it looks again at %s", p.Again)
	}
	if len(p.Events) != 1 || p.Events[0].Message != "Revision iris-predictor-00001: nothing listens" {
		t.Errorf("events: %+v", p.Events)
	}
	w.revision(1).Late.Message = "nothing listens\ndetails 18"
	if p := w.decide(); len(p.Events) != 0 || p.Status.ModelStatus.LastFailureInfo.Message != "nothing listens\ndetails 17" {
		t.Errorf("with another number: %+v, %s", p.Events, p.Status.ModelStatus.LastFailureInfo.Message)
	}
}

// FuzzLines has a stranger's output in the place of a program's.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{"", "a\nb\r\nc", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07x", "\xff\xfe\u202e", "1%\r2%\r", strings.Repeat("x\n", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, output string) {
		all := lines(output)
		if len(all) > maxLines {
			t.Errorf("%d lines", len(all))
		}
		for _, line := range all {
			if !utf8.ValidString(line) || strings.TrimSpace(line) == "" || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q of %q", line, output)
			}
		}
		if f := (&v1beta1.FailureInfo{Message: withLines("it ended", output)}); strings.Contains(f.Sentence(), "\n") {
			t.Error("a sentence has two lines")
		}
	})
}
