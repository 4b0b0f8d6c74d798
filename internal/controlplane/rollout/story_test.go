// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/testkit/golden"
)

// TestStories plays testdata/*.txtar. Each file of an archive is one step: what
// happens, a line of dashes, and the plan that must follow. What may happen:
//
//	at 90s                        the time since the story began
//	apply model=m args=a c=10     a manifest; absent fields are absent
//	min 2                         minReplicas
//	label a=b                     a label of the service
//	tags on                       tag routing
//	stop on                       the stop annotation
//	ready 00002 1                 a revision's ready replicas
//	fail 00002 MESSAGE            a revision's Pod fails to load its model
//	fetch 00002 A                 another of its Pods fetched the model A, and is ready
//	changed 00002 MESSAGE         another of its Pods finds another model than recorded
//	mutable on                    the annotation that lets it
//	wait 00002 MESSAGE            no node takes a revision's Pod
//	invalid REASON MESSAGE        the spec, of the model as before, resolves to nothing
//	c 10                          canaryTrafficPercent alone
//	refuse 00002                  the API server does not take its Deployment
//	accept                        it does again
//	delete 00001                  somebody deletes a revision
func TestStories(t *testing.T) {
	golden.Stories(t, func() func(*testing.T, []string) (string, error) { return newWorld().play })
}

// play plays one step.
func (w *world) play(t *testing.T, lines []string) (string, error) {
	t.Helper()
	for _, line := range lines {
		if err := w.happen(line); err != nil {
			return "", fmt.Errorf("%s: %w", line, err)
		}
	}
	plan := w.summary(w.decide())
	if w.deny.activate == nil {
		checkSettled(t, w)
	}
	w.scale()
	return plan, nil
}

func (w *world) happen(line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	arg, rest, _ := strings.Cut(rest, " ")
	switch verb {
	case "at":
		d, err := time.ParseDuration(arg)
		w.now = epoch.Add(d)
		return err
	case "apply":
		return w.applyLine(strings.TrimPrefix(line, "apply"))
	case "min":
		n, err := strconv.ParseInt(arg, 10, 32)
		w.isvc.Generation++
		w.min = int32(n)
		return err
	case "label":
		k, v, _ := strings.Cut(arg, "=")
		w.isvc.Labels = map[string]string{k: v}
	case "tags":
		w.annotate(v1beta1.AnnotationTagRouting, arg == "on")
	case "mutable":
		w.annotate(v1beta1.AnnotationMutableModel, arg == "on")
	case "stop":
		w.annotate(v1beta1.AnnotationStop, arg == "on")
	case "invalid":
		w.isvc.Generation++
		w.target = Target{Model: w.target.Model, Invalid: &Invalid{Reason: v1beta1.FailureReason(arg), Message: rest}}
	case "c":
		n, err := strconv.ParseInt(arg, 10, 64)
		w.isvc.Generation++
		w.isvc.Spec.Predictor.CanaryTrafficPercent = &n
		return err
	case "refuse":
		w.deny.activate = map[string]bool{"iris-predictor-" + arg: true}
	case "accept":
		w.deny = refused{}
	case "ready", "unready", "fail", "fetch", "changed", "wait", "delete":
		return w.happenTo(verb, arg, rest)
	default:
		return fmt.Errorf("unknown verb %q", verb)
	}
	return nil
}

func (w *world) happenTo(verb, number, rest string) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	r := w.revision(n)
	if r == nil {
		return fmt.Errorf("no revision %s", number)
	}
	switch verb {
	case "ready":
		ready, err := strconv.ParseInt(rest, 10, 32)
		r.Health = Health{Ready: int32(ready)}
		return err
	case "unready": // its Pods fail a probe
		r.Ready, r.Fetched = 0, slices.Clone(r.Fetched)
		for i := range r.Fetched {
			r.Fetched[i].Ready = false
		}
	case "fail":
		r.Health = Health{Failed: 1, Failure: &v1beta1.FailureInfo{Location: r.Name + "-pod", Reason: v1beta1.ModelLoadFailed, Message: rest, ExitCode: 1}}
	case "fetch":
		w.started++
		r.Ready++
		r.Fetched = append(r.Fetched, Fetched{Pod: fmt.Sprintf("pod-%d", w.started), Digest: rest, Ready: true})
	case "changed":
		r.Failed++
		r.Failure = &v1beta1.FailureInfo{Location: r.Name + "-pod", Reason: v1beta1.ModelChanged, Message: rest, ExitCode: v1beta1.ExitOtherModel}
	case "wait":
		r.Health = Health{Pending: true, Failure: &v1beta1.FailureInfo{Location: r.Name + "-pod", Reason: v1beta1.RuntimeUnhealthy, Message: rest}}
	case "delete":
		w.revisions = slices.DeleteFunc(slices.Clone(w.revisions), func(r Revision) bool { return r.Number == n })
	}
	return nil
}

func (w *world) applyLine(line string) error {
	var model, args string
	var c *int64
	for field := range strings.FieldsSeq(line) {
		k, v, _ := strings.Cut(field, "=")
		switch k {
		case "model":
			model = v
		case "args":
			args = v
		case "c":
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return err
			}
			c = &n
		default:
			return fmt.Errorf("unknown field %q", k)
		}
	}
	w.apply(model, args, c)
	return nil
}
