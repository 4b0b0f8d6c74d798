// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/internal/cli/terminal"
	"github.com/serin-dev/serin/internal/controlplane/action"
)

// act is how a change is to be made.
type act struct {
	*service
	decide         func(*action.Rollout, action.Evidence) (action.Change, error)
	weighs         bool // the decision looks at the evidence
	dryRun, format string
	yes            bool
	in             io.Reader
	out, errOut    io.Writer
	agreed         string // the warnings that a person has agreed to
	warned         string // what a warning said that could not be checked
}

// Values of --dry-run.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

// attempts bounds how often a change is decided anew because the status, and
// only that, has changed while it was decided.
const attempts = 10

// run decides on what is there, asks if it must, and writes over exactly that.
func (a *act) run(ctx context.Context) error {
	var first *action.Rollout
	for range attempts {
		isvc, r, err := a.observed(ctx)
		if err != nil {
			return err
		}
		if first != nil && (r.Service.Generation != first.Service.Generation || r.Service.UID != first.Service.UID) {
			return fmt.Errorf("%s has been changed by someone else meanwhile: nothing was written. See 'rollout status %s', then run the command again", a.name, a.name)
		}
		first = r
		change, err := a.judge(ctx, r)
		if err != nil {
			return err
		}
		if change.Patch == nil || a.dryRun == dryRunClient {
			return a.show(isvc, change)
		}
		if err := a.confirm(change); err != nil {
			return err
		}
		patch, err := over(isvc, change.Patch)
		if err != nil {
			return err
		}
		after, err := a.patch(ctx, patch, a.dryRun == dryRunServer)
		if apierrors.IsConflict(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("change %s: %w", a.name, err)
		}
		return a.show(after, change)
	}
	return fmt.Errorf("the status of %s keeps changing: nothing was written. Try again", a.name)
}

// judge decides, on evidence if that counts, and warns once if there is none.
func (a *act) judge(ctx context.Context, r *action.Rollout) (action.Change, error) {
	var seen action.Evidence
	if a.weighs {
		seen = a.evidence(ctx, r)
	}
	change, err := a.decide(r, seen)
	if change.NoEvidence != "" && change.NoEvidence != a.warned {
		fmt.Fprintf(a.errOut, "Warning: %s\n", change.NoEvidence)
		a.warned = change.NoEvidence
	}
	return change, err
}

// observeTimeout is how long the controller may take to look at a change.
const observeTimeout = 10 * time.Second

// observed reads the service once its status is about its spec: before that, the
// effect of a change is unknown.
func (a *act) observed(ctx context.Context) (*unstructured.Unstructured, *action.Rollout, error) {
	wait, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	isvc, r, err := a.readRaw(ctx)
	if err != nil || r.Observed() {
		return isvc, r, err
	}
	err = a.follow(wait, func(ctx context.Context) (bool, error) {
		isvc, r, err = a.readRaw(ctx)
		return err == nil && !r.Observed(), err
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, nil, fmt.Errorf("the controller has not processed the latest change of %s within %s: is it running?", a.name, observeTimeout)
	}
	return isvc, r, err
}

// over makes a patch fail unless the service is still the one that was read.
func over(isvc *unstructured.Unstructured, patch []byte) ([]byte, error) {
	var p map[string]any
	if err := json.Unmarshal(patch, &p); err != nil {
		return nil, err
	}
	p["metadata"] = map[string]any{"resourceVersion": isvc.GetResourceVersion()}
	return json.Marshal(p)
}

// confirm asks a person about warnings. Without a person there is no answer.
func (a *act) confirm(c action.Change) error {
	warnings := strings.Join(c.Warnings, "\n  ")
	if warnings == "" || warnings == a.agreed || a.yes || a.dryRun != dryRunNone {
		return nil
	}
	if !terminal.Is(a.in) || !terminal.Is(a.errOut) {
		return fmt.Errorf("%s.\nNothing was written: use --yes to confirm", strings.Join(c.Warnings, "; "))
	}
	fmt.Fprintf(a.errOut, "%s\nBut:\n  %s\nGo on? [y/N] ", c.Summary, warnings)
	agreed, err := terminal.Agreed(a.in)
	if err != nil {
		return err
	}
	if agreed {
		a.agreed = warnings
		return nil
	}
	return errors.New("nothing was written")
}

// show prints what was done, or would be.
func (a *act) show(isvc *unstructured.Unstructured, c action.Change) error {
	if a.format != "" {
		after := isvc
		if a.dryRun == dryRunClient && c.Patch != nil {
			var err error
			if after, err = patched(isvc, c.Patch); err != nil {
				return err
			}
		}
		return write(a.out, a.format, manifest(after))
	}
	says := a.name + ": " + c.Summary
	if a.dryRun == dryRunNone || c.Patch == nil {
		fmt.Fprintln(a.out, says)
		return nil
	}
	for _, w := range c.Warnings {
		says += "\n# but " + w
	}
	fmt.Fprintf(a.out, "# %s\nkubectl patch inferenceservice %s -n %s --type merge -p '%s'\n",
		says, a.name, a.namespace, strings.ReplaceAll(string(c.Patch), "'", `'\''`))
	return nil
}

// patched is what the API would make of a patch.
func patched(isvc *unstructured.Unstructured, patch []byte) (*unstructured.Unstructured, error) {
	before, err := isvc.MarshalJSON()
	if err != nil {
		return nil, err
	}
	after, err := jsonpatch.MergePatch(before, patch)
	if err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{}
	return out, out.UnmarshalJSON(after)
}

// manifest is what a person could have written: no status, nothing that the
// API or kubectl adds.
func manifest(isvc *unstructured.Unstructured) map[string]any {
	metadata := map[string]any{"name": isvc.GetName(), "namespace": isvc.GetNamespace()}
	if l := isvc.GetLabels(); len(l) > 0 {
		metadata["labels"] = l
	}
	annotations := isvc.GetAnnotations()
	delete(annotations, corev1.LastAppliedConfigAnnotation)
	if len(annotations) > 0 {
		metadata["annotations"] = annotations
	}
	return map[string]any{
		"apiVersion": isvc.GetAPIVersion(),
		"kind":       isvc.GetKind(),
		"metadata":   metadata,
		"spec":       isvc.Object["spec"],
	}
}
