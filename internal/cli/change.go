// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/internal/steer"
)

// decide asks package steer for the change that a command is about.
type decide func(args []string, r *steer.Rollout, e steer.Evidence) (steer.Change, error)

// changeCommands are the commands that change the spec.
func changeCommands(t *target) []*cobra.Command {
	var revision string
	undo := &cobra.Command{
		Use:   "undo ISVC",
		Short: "Take the last full rollout back",
		Long: `Give all traffic back to the revision that had it before the last full rollout: sets
canaryTrafficPercent to 0. The revision of the spec stays, at 0%, until another
manifest is applied or 'abort' writes the spec of the other one back. While a rollout
is in progress there is nothing to undo yet: 'abort' ends it.

With --to-revision, write the spec of that revision back instead and roll it out.
Replicas, scaling and other fields that are no part of a revision stay as they are.`,
		Example: `undo iris
undo iris --to-revision 2`,
		Args: oneService,
	}
	undo.Flags().StringVar(&revision, "to-revision", "", "number or name of an earlier revision to roll out (see history)")
	must(undo.RegisterFlagCompletionFunc("to-revision", t.completeRevision))

	return []*cobra.Command{
		changeCommand(t, &cobra.Command{
			Use:   "promote ISVC",
			Short: "Give the canary all the traffic",
			Long: `Roll the revision of the spec out: removes canaryTrafficPercent. It takes all the
traffic as soon as it is ready. Asks first if the canary is not ready, has answered
nothing yet, or has answered with errors.`,
			Example: `promote iris
promote iris --dry-run`,
			Args: oneService,
		}, func(_ []string, r *steer.Rollout, e steer.Evidence) (steer.Change, error) { return r.Promote(e) }),
		changeCommand(t, &cobra.Command{
			Use:   "set-traffic ISVC PERCENT",
			Short: "Give the canary a share of the traffic",
			Long: `Give the revision of the spec a share of the traffic, once it is ready: sets
canaryTrafficPercent. The rest goes to the revision that was rolled out before. Asks
first if the share would mean a rollback.`,
			Example: "set-traffic iris 20",
			Args: func(c *cobra.Command, args []string) error {
				if len(args) != 2 {
					return fmt.Errorf("say one InferenceService and its percentage: %s ISVC PERCENT", c.CommandPath())
				}
				return nil
			},
		}, func(args []string, r *steer.Rollout, e steer.Evidence) (steer.Change, error) {
			percent, err := strconv.ParseInt(strings.TrimSuffix(args[1], "%"), 10, 64)
			if err != nil {
				return steer.Change{}, fmt.Errorf("%s is no share of the traffic: say a number from 0 to 100", args[1])
			}
			return r.SetTraffic(percent, e)
		}),
		changeCommand(t, &cobra.Command{
			Use:   "pause ISVC",
			Short: "Freeze the split as it is",
			Long: `Hold the revision of the spec at the share that it has now, so that it takes no more
when it becomes ready: sets canaryTrafficPercent. 'set-traffic' and 'promote' go on.`,
			Example: "pause iris",
			Args:    oneService,
		}, func(_ []string, r *steer.Rollout, _ steer.Evidence) (steer.Change, error) { return r.Pause() }),
		changeCommand(t, &cobra.Command{
			Use:   "abort ISVC",
			Short: "End a rollout in progress, and keep what was rolled out before",
			Long: `Write the spec of the revision that was rolled out last back. All the traffic is with
it at once, and the canary goes to zero. Replicas, scaling and other fields that are
no part of a revision stay as they are. Never asks.`,
			Example: `abort iris
abort iris --dry-run -o yaml     the manifest, to commit`,
			Args: oneService,
		}, func(_ []string, r *steer.Rollout, _ steer.Evidence) (steer.Change, error) { return r.Abort() }),
		changeCommand(t, undo, func(_ []string, r *steer.Rollout, _ steer.Evidence) (steer.Change, error) {
			if revision != "" {
				return r.UndoTo(revision)
			}
			return r.Undo()
		}),
	}
}

// act is how a change is to be made.
type act struct {
	*service
	decide         func(*steer.Rollout, steer.Evidence) (steer.Change, error)
	dryRun, format string
	yes            bool
	in             io.Reader
	out, errOut    io.Writer
	agreed         string // the doubts that a person has agreed to
}

// Values of --dry-run.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

// changeCommand gives a command the flags and the body of a change.
func changeCommand(t *target, c *cobra.Command, d decide) *cobra.Command {
	var a act
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		switch a.dryRun {
		case dryRunNone, dryRunClient, dryRunServer:
		default:
			return fmt.Errorf("--dry-run=%s: say %s, %s or %s", a.dryRun, dryRunNone, dryRunClient, dryRunServer)
		}
		if a.service, err = t.service(args[0]); err != nil {
			return err
		}
		a.decide = func(r *steer.Rollout, e steer.Evidence) (steer.Change, error) { return d(args, r, e) }
		a.in, a.out, a.errOut = c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr()
		return a.run(c.Context())
	}
	c.Flags().BoolVarP(&a.yes, "yes", "y", false, "do not ask")
	c.Flags().StringVar(&a.dryRun, "dry-run", dryRunNone, `"client" prints what would be written and how to do it by hand; "server" also lets the API check it`)
	c.Flags().Lookup("dry-run").NoOptDefVal = dryRunClient
	addFormat(c, &a.format, formatJSON, formatYAML)
	return c
}

// attempts bounds how often a change is decided anew because the status, and
// only that, has changed while it was decided.
const attempts = 10

// run decides on what is there, asks if it must, and writes over exactly that.
func (a *act) run(ctx context.Context) error {
	var first *steer.Rollout
	for range attempts {
		isvc, r, err := a.observed(ctx)
		if err != nil {
			return err
		}
		if first != nil && (r.Service.Generation != first.Service.Generation || r.Service.UID != first.Service.UID) {
			return fmt.Errorf("somebody else has changed %s meanwhile: nothing was written. See 'rollout status %s', then say again what you want", a.name, a.name)
		}
		first = r
		change, err := a.decide(r, a.evidence(ctx, r))
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
	return fmt.Errorf("the status of %s never stands still: nothing was written. Try again", a.name)
}

// observeTimeout is how long the controller may take to look at a change.
const observeTimeout = 10 * time.Second

// observed reads the service once its status speaks of its spec: before that,
// nobody can know what a change would mean.
func (a *act) observed(ctx context.Context) (*unstructured.Unstructured, *steer.Rollout, error) {
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
		return nil, nil, fmt.Errorf("the controller has not looked at the latest change of %s for %s: is it running?", a.name, observeTimeout)
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

// confirm asks a person about doubts. Without a person there is no answer.
func (a *act) confirm(c steer.Change) error {
	doubts := strings.Join(c.Doubts, "\n  ")
	if doubts == "" || doubts == a.agreed || a.yes || a.dryRun != dryRunNone {
		return nil
	}
	if !isTerminal(a.in) || !isTerminal(a.errOut) {
		return fmt.Errorf("%s.\nNothing was written: say --yes if that is what you want", strings.Join(c.Doubts, "; "))
	}
	fmt.Fprintf(a.errOut, "%s\nBut:\n  %s\nGo on? [y/N] ", c.Says, doubts)
	answer, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		a.agreed = doubts
		return nil
	}
	return errors.New("nothing was written")
}

func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// show prints what was done, or would be.
func (a *act) show(isvc *unstructured.Unstructured, c steer.Change) error {
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
	says := a.name + ": " + c.Says
	if a.dryRun == dryRunNone || c.Patch == nil {
		fmt.Fprintln(a.out, says)
		return nil
	}
	for _, d := range c.Doubts {
		says += "\n# but " + d
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
