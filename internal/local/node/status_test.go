// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestContainerStatus(t *testing.T) {
	ended := exited(1, time.Minute)
	refused := container{waiting: corev1.ContainerStateWaiting{Reason: reasonImage, Message: "no such program"}}
	for name, c := range map[string]struct {
		view view
		want string
	}{
		"waits for init containers": {testView(corev1.RestartPolicyAlways, states{}), "waiting PodInitializing"},
		"is about to start":         {testView(corev1.RestartPolicyAlways, states{}, initDone), "waiting ContainerCreating"},
		"cannot start":              {testView(corev1.RestartPolicyAlways, states{"a": refused}, initDone), "waiting ErrImageNeverPull"},
		"has not started up":        {testView(corev1.RestartPolicyAlways, states{"a": starting()}, initDone), "running"},
		"runs":                      {testView(corev1.RestartPolicyAlways, states{"a": running()}, initDone), "running ready"},
		"crashed once":              {testView(corev1.RestartPolicyAlways, states{"a": ended}, initDone), "terminated 1"},
		"crashed again": {
			testView(corev1.RestartPolicyAlways, states{"a": crashing(20*time.Second, time.Second)}, initDone),
			"waiting CrashLoopBackOff, last 1: back-off 20s restarting failed container=a pod=web_default(u1)",
		},
		"crashed for good":             {testView(corev1.RestartPolicyNever, states{"a": crashing(20*time.Second, 0)}, initDone), "terminated 1"},
		"crashed while the Pod goes":   {testView(corev1.RestartPolicyAlways, states{"a": crashing(20*time.Second, 0)}, initDone, deleting), "terminated 1"},
		"of an earlier life of a node": {testView(corev1.RestartPolicyAlways, states{"a": {last: ended.ended}}, initDone), "waiting ContainerCreating, last 1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := podStatus(corev1.PodStatus{}, c.view, now).ContainerStatuses[0]
			if diff := cmp.Diff(c.want, short(s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// short formats a container status.
func short(s corev1.ContainerStatus) string {
	text := ""
	switch {
	case s.State.Running != nil:
		text = "running"
	case s.State.Terminated != nil:
		text = fmt.Sprintf("terminated %d", s.State.Terminated.ExitCode)
	case s.State.Waiting != nil:
		text = "waiting " + s.State.Waiting.Reason
	}
	if s.Ready {
		text += " ready"
	}
	if last := s.LastTerminationState.Terminated; last != nil {
		text += fmt.Sprintf(", last %d", last.ExitCode)
		if s.State.Waiting != nil && s.State.Waiting.Message != "" {
			text += ": " + s.State.Waiting.Message
		}
	}
	return text
}

func TestConditions(t *testing.T) {
	gated := func(v *view) {
		v.pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "serin.dev/open"}}
	}
	open := func(v *view) {
		gated(v)
		v.pod.Status.Conditions = []corev1.PodCondition{{Type: "serin.dev/open", Status: corev1.ConditionTrue}}
	}
	both := states{"a": running(), "b": running()}
	for name, c := range map[string]struct {
		view                      view
		initialized, ready, whole string // reasons; True when empty
	}{
		"initializing":            {testView(corev1.RestartPolicyAlways, states{"i1": exited(0, 0)}), "ContainersNotInitialized", "ContainersNotReady", "ContainersNotReady"},
		"starting":                {testView(corev1.RestartPolicyAlways, states{"a": running(), "b": starting()}, initDone), "", "ContainersNotReady", "ContainersNotReady"},
		"ready":                   {testView(corev1.RestartPolicyAlways, both, initDone), "", "", ""},
		"ready but being deleted": {testView(corev1.RestartPolicyAlways, both, initDone, deleting), "", "", "PodTerminating"},
		"ready but going down":    {testView(corev1.RestartPolicyAlways, both, initDone, halting), "", "", "NodeStopping"},
		"behind a closed gate":    {testView(corev1.RestartPolicyAlways, both, initDone, gated), "", "", "ReadinessGatesNotReady"},
		"behind an open gate":     {testView(corev1.RestartPolicyAlways, both, initDone, open), "", "", ""},
		"a sidecar is not ready":  {testView(corev1.RestartPolicyAlways, states{"s": starting(), "a": running(), "b": running()}, initDone), "", "ContainersNotReady", "ContainersNotReady"},
		"completed":               {testView(corev1.RestartPolicyNever, states{"a": exited(0, 0), "b": exited(0, 0)}, initDone), "", "PodCompleted", "PodCompleted"},
		"failed":                  {testView(corev1.RestartPolicyNever, states{"a": exited(0, 0), "b": exited(2, 0)}, initDone), "", "PodFailed", "PodFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[corev1.PodConditionType]string{}
			for _, cond := range podStatus(corev1.PodStatus{}, c.view, now).Conditions {
				got[cond.Type] = cond.Reason
				if (cond.Reason == "") != (cond.Status == corev1.ConditionTrue) {
					t.Errorf("%s is %s for the reason %q", cond.Type, cond.Status, cond.Reason)
				}
			}
			want := map[corev1.PodConditionType]string{
				corev1.PodScheduled: "", corev1.PodInitialized: c.initialized, corev1.ContainersReady: c.ready, corev1.PodReady: c.whole,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStatusKeepsWhatIsNotTheNodesAndTransitionTimes(t *testing.T) {
	early := metav1.NewTime(now.Add(-time.Hour))
	before := corev1.PodStatus{
		QOSClass: corev1.PodQOSBurstable,
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, Message: "by the scheduler", LastTransitionTime: early},
			{Type: "serin.dev/open", Status: corev1.ConditionTrue, LastTransitionTime: early},
			{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: early},
			{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: early},
		},
	}
	v := testView(corev1.RestartPolicyAlways, states{"a": running(), "b": running()}, initDone)
	first := podStatus(before, v, now)
	if first.QOSClass != corev1.PodQOSBurstable {
		t.Errorf("the QoS class became %q", first.QOSClass)
	}
	changed := map[corev1.PodConditionType]bool{}
	for _, c := range first.Conditions {
		changed[c.Type] = !c.LastTransitionTime.Equal(&early)
	}
	want := map[corev1.PodConditionType]bool{
		corev1.PodScheduled: false, "serin.dev/open": false, corev1.PodInitialized: false, corev1.ContainersReady: true, corev1.PodReady: true,
	}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(first, podStatus(first, v, now.Add(time.Minute))); diff != "" {
		t.Errorf("the same view a minute later changed the status:\n%s", diff)
	}
}

func TestStatusPatchHoldsOnlyWhatChanged(t *testing.T) {
	v := testView(corev1.RestartPolicyAlways, states{"a": running(), "b": running()}, initDone)
	from := podStatus(corev1.PodStatus{}, v, now)
	v.containers["b"] = starting()
	patch, err := statusPatch("u1", from, podStatus(from, v, now.Add(time.Second)))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"uid":"u1"`, `"lastTransitionTime":"2026-01-02T03:04:06Z"`} {
		if !strings.Contains(string(patch), part) {
			t.Errorf("the patch lacks %s: %s", part, patch)
		}
	}
	for _, part := range []string{"podIP", `"type":"Initialized","`, "phase"} {
		if strings.Contains(string(patch), part) {
			t.Errorf("the patch has %s: %s", part, patch)
		}
	}
}
