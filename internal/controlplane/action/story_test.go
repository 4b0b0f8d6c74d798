// SPDX-License-Identifier: Apache-2.0

package action

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
	"github.com/serin-dev/serin/internal/testkit/golden"
)

// TestStories plays testdata/*.txtar. Each file of an archive is one step of a
// story, a line of dashes, and what must follow: the answers to what a person
// asks for, and where the rollout stands once the controller has done it.
//
//	apply FIELDS           a manifest with these fields of the predictor, as YAML
//	ready 2 0              a revision's ready Pods
//	fail 2                 its only Pod fails
//	changed 2              another Pod of it finds another model than recorded
//	broken MODEL           this model will not load
//	stop                   the annotation that stops the service
//	slow                   new revisions are not ready until told
//	controller away        nobody looks at changes from here on
//	records without specs  from here on, as of an older Serin
//	promote, pause, abort, undo, undo to 1, traffic 20, refresh
//	promote seen 100 3     promote, knowing of 100 requests and 3 errors
func TestStories(t *testing.T) {
	golden.Stories(t, func() func(*testing.T, []string) (string, error) { return newWorld().play })
}

// play plays one step.
func (w *world) play(t *testing.T, lines []string) (string, error) {
	t.Helper()
	var got strings.Builder
	for _, line := range lines {
		answer, err := w.happen(line)
		if err != nil {
			return "", fmt.Errorf("%s: %w", line, err)
		}
		got.WriteString(answer)
	}
	return got.String() + w.summary(t), nil
}

// happen plays one line. The controller acts before and after.
func (w *world) happen(line string) (string, error) {
	verb, rest, _ := strings.Cut(line, " ")
	var answer string
	var err error
	switch verb {
	case "apply":
		err = w.apply("{" + rest + "}")
	case "ready", "fail", "changed":
		w.setHealth(verb, strings.Fields(rest))
	case "slow":
		w.slow = true
	case "broken":
		w.broken[rest] = true
	case "stop":
		w.service.SetAnnotations(map[string]string{v1beta1.AnnotationStop: "true"})
	case "controller":
		w.unseen = true
	case "records":
		w.unwritten = true
	default:
		answer, err = w.ask(verb, strings.Fields(rest))
	}
	if err != nil {
		return "", err
	}
	return answer, w.control()
}

func (w *world) setHealth(verb string, args []string) {
	number, _ := strconv.Atoi(args[0])
	h := rollout.Health{Failed: 1}
	if verb == "ready" {
		n, _ := strconv.Atoi(args[1])
		h = rollout.Health{Ready: int32(n)}
	}
	name := fmt.Sprintf("iris-predictor-%05d", number)
	if verb == "changed" {
		h = w.health[name]
		h.Failed++
		h.Failure = &v1beta1.FailureInfo{Reason: v1beta1.ModelChanged}
	}
	w.health[name] = h
}

// ask asks for something and, if that can be had, does it.
func (w *world) ask(verb string, args []string) (string, error) {
	r, err := w.read()
	if err != nil {
		return "", err
	}
	var c Change
	switch verb {
	case "promote":
		var e Evidence
		if len(args) == 3 {
			e.Known = true
			e.Requests, _ = strconv.ParseInt(args[1], 10, 64)
			e.Errors, _ = strconv.ParseInt(args[2], 10, 64)
		}
		c, err = r.Promote(e)
	case "pause":
		c, err = r.Pause()
	case "abort":
		c, err = r.Abort()
	case "traffic":
		percent, _ := strconv.ParseInt(args[0], 10, 64)
		c, err = r.SetTraffic(percent, Evidence{})
	case "undo":
		if len(args) == 2 {
			c, err = r.UndoTo(args[1])
		} else {
			c, err = r.Undo()
		}
	case "refresh":
		c, err = r.Refresh(w.now)
	default:
		return "", fmt.Errorf("unknown verb %q", verb)
	}
	if err != nil {
		return fmt.Sprintf("refused: %v\n", err), nil
	}
	out := c.Summary + "\n"
	if c.Patch != nil {
		out += fmt.Sprintf("patch: %s\n", c.Patch)
	}
	for _, d := range c.Warnings {
		out += fmt.Sprintf("warning: %s\n", d)
	}
	return out, w.patch(c)
}

// summary is where the rollout stands.
func (w *world) summary(t *testing.T) string {
	t.Helper()
	r, err := w.read()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, rev := range r.Revisions {
		share := "-"
		if rev.Share != nil {
			share = fmt.Sprintf("%d%%", *rev.Share)
		}
		fmt.Fprintln(&b, strings.TrimSpace(fmt.Sprintf("%s %4s %s", rev.Name, share, rev.State)))
	}
	o := r.Outlook()
	fmt.Fprintf(&b, "%s: %s\n", o.Outcome, o.Next)
	return b.String()
}
