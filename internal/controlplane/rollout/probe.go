// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Kinds of probes, as the events of kubelets spell them in lower case.
const (
	readiness = "readiness"
	startup   = "startup"
	liveness  = "liveness"
)

// describe says what a probe asks, what came back, and what to do.
func (o Observed) describe(p *corev1.Pod, c *corev1.Container, probe *corev1.Probe, kind, answer string) string {
	port := probePort(c, probe)
	refused := strings.Contains(answer, "connection refused")
	advice := "see what it does: " + logs(p, c.Name)
	switch user := v1beta1.PodUserPort(&corev1.Pod{Spec: o.template()}); {
	case c.Name != v1beta1.ContainerModel:
	case port != 0 && user != 0 && port != user && refused:
		advice = fmt.Sprintf("let the probe ask port %d, where requests go, or let the server listen on both", user)
	case refused:
		advice = fmt.Sprintf("let the server listen on port %d of all addresses, or name its port under ports", port)
	}
	switch kind {
	case readiness:
		advice = "Wait if it still loads its model; otherwise " + advice
	case startup:
		advice = "Raise the probe's failureThreshold if the model loads longer; otherwise " + advice
	case liveness:
		advice = strings.ToUpper(advice[:1]) + advice[1:]
	}
	return fmt.Sprintf("%s probe asks for %s%s. %s", kind, asks(c, probe), result(probe, answer), advice)
}

// probedPort is the model server's port that the queue probes, or 0.
func (o Observed) probedPort() int {
	return v1beta1.PodProbedPort(&corev1.Pod{Spec: o.template()})
}

// unreached says what keeps a queue from being ready: it probes the model server's
// port for gRPC. Events have only the status code of its answer.
func (o Observed) unreached(p *corev1.Pod) string {
	return fmt.Sprintf("container %s accepts no connection for gRPC at port %d. Wait if it still loads its model; otherwise let the server "+
		"listen there, or correct its port for gRPC under ports: %s", v1beta1.ContainerModel, o.probedPort(), logs(p, v1beta1.ContainerModel))
}

// asks is what a probe wants to see.
func asks(c *corev1.Container, p *corev1.Probe) string {
	switch {
	case p.HTTPGet != nil:
		return fmt.Sprintf("%s on port %s", cmp.Or(p.HTTPGet.Path, "/"), numbered(c, p.HTTPGet.Port))
	case p.TCPSocket != nil:
		return "port " + numbered(c, p.TCPSocket.Port)
	case p.GRPC != nil:
		return fmt.Sprintf("gRPC health on port %d", p.GRPC.Port)
	case p.Exec != nil:
		return fmt.Sprintf("the success of %q", short(strings.Join(p.Exec.Command, " ")))
	}
	return "what a webhook wrote"
}

var statusCode = regexp.MustCompile(`statuscode: (\d+)(?:: (.*))?`)

// result is what came back, after the comma in a sentence.
func result(p *corev1.Probe, answer string) string {
	code := statusCode.FindStringSubmatch(answer)
	_, text, _ := strings.Cut(answer, ": ") // after "Readiness probe failed"
	switch {
	case answer == "":
		return ", without success"
	case strings.Contains(answer, "connection refused"):
		return ", where nothing listens (connection refused)"
	case code != nil:
		return ", and the answer is " + code[1] + said(code[2])
	case slices.ContainsFunc([]string{"deadline exceeded", "i/o timeout", "Client.Timeout", "timed out"}, func(words string) bool { return strings.Contains(answer, words) }):
		return fmt.Sprintf(", and no answer comes within %d s", cmp.Or(p.TimeoutSeconds, 1))
	}
	return ", and fails: " + short(cmp.Or(lastLine(text), lastLine(answer)))
}

// said is what the answer to a probe says, which only Serin's node tells.
func said(body string) string {
	var answer struct{ Error string }
	if json.Unmarshal([]byte(body), &answer) != nil || answer.Error == "" {
		return ""
	}
	return ": " + short(answer.Error)
}

// short is a line as a part of a sentence.
func short(s string) string { return strings.TrimSuffix(clip(lastLine(s), 300), ".") }

// numbered is a port's number, also if the probe has its name.
func numbered(c *corev1.Container, port intstr.IntOrString) string {
	for _, p := range c.Ports {
		if port.Type == intstr.String && p.Name == port.StrVal {
			return fmt.Sprint(p.ContainerPort)
		}
	}
	return port.String()
}

// probePort is the port that a probe asks, or 0.
func probePort(c *corev1.Container, p *corev1.Probe) int {
	port := intstr.FromInt32(0)
	switch {
	case p.HTTPGet != nil:
		port = p.HTTPGet.Port
	case p.TCPSocket != nil:
		port = p.TCPSocket.Port
	case p.GRPC != nil:
		port.IntVal = p.GRPC.Port
	}
	resolved := intstr.Parse(numbered(c, port))
	return resolved.IntValue()
}

func logs(p *corev1.Pod, container string) string {
	return fmt.Sprintf("kubectl logs -n %s %s -c %s", p.Namespace, p.Name, container)
}

// mayBeStopped reports whether a container may be ended by a probe or a hook, and
// not by itself.
func mayBeStopped(c *corev1.Container) bool {
	return c.LivenessProbe != nil || c.StartupProbe != nil || c.Lifecycle != nil && c.Lifecycle.PostStart != nil
}

// endedBy says why a container was ended, if it did not end by itself. The container's
// status does not say it, so the events must.
func (o Observed) endedBy(p *corev1.Pod, name string, t *corev1.ContainerStateTerminated) string {
	c := o.container(name)
	last := func(is func(*corev1.Event) bool) *corev1.Event {
		return newest(o.of(p), func(e *corev1.Event) bool { return about(e, name) && !before(e, t.StartedAt.Time) && is(e) })
	}
	if e := last(func(e *corev1.Event) bool { return e.Reason == "FailedPostStartHook" }); e != nil {
		return fmt.Sprintf("container %s was ended because its postStart hook failed: %s", name, short(e.Message))
	}
	for _, kind := range []string{liveness, startup} {
		probe := c.LivenessProbe
		if kind == startup {
			probe = c.StartupProbe
		}
		killed := last(func(e *corev1.Event) bool {
			return e.Reason == "Killing" && strings.Contains(e.Message, "failed "+kind+" probe")
		})
		failed := last(func(e *corev1.Event) bool { return failedProbe(e, kind) })
		bySignal := t.ExitCode == 128+9 || t.ExitCode == 128+15 // events may be missing: kubelets send few
		if probe != nil && (killed != nil || failed != nil && bySignal) {
			answer := ""
			if failed != nil {
				answer = failed.Message
			}
			return fmt.Sprintf("container %s was ended because its %s", name, o.describe(p, c, probe, kind, answer))
		}
	}
	return ""
}
