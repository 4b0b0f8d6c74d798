// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-dev/serin/internal/controlplane/action"
	"github.com/serin-dev/serin/internal/setting"
)

// A command looks at what the canary has answered, or does not, and then does
// not wait for the routers to tell.
const (
	onEvidence = true
	regardless = false
)

// decide asks package action for the change that a command is about.
type decide func(args []string, r *action.Rollout, e action.Evidence) (action.Change, error)

// changeCommands are the commands that change the spec.
func changeCommands(t *target) []*cobra.Command {
	return []*cobra.Command{
		changeCommand(t, &cobra.Command{
			Use:   "promote ISVC",
			Short: "Give the canary all the traffic",
			Long: `Roll out the revision of the spec. The command removes canaryTrafficPercent, and the
revision takes all the traffic as soon as it is ready. It asks first if the canary is
not ready, has not answered a request yet, or has answered with errors.`,
			Example: `promote iris
promote iris --dry-run`,
			Args: oneService,
		}, onEvidence, func(_ []string, r *action.Rollout, e action.Evidence) (action.Change, error) { return r.Promote(e) }),
		changeCommand(t, &cobra.Command{
			Use:   "set-traffic ISVC PERCENT",
			Short: "Give the canary a share of the traffic",
			Long: `Give the revision of the spec a share of the traffic once it is ready. The command
sets canaryTrafficPercent. The rest goes to the revision that was rolled out before.
It asks first if the share would mean a rollback.`,
			Example: "set-traffic iris 20",
			Args: func(c *cobra.Command, args []string) error {
				if len(args) != 2 {
					return fmt.Errorf("name one InferenceService and its percentage: %s ISVC PERCENT", c.CommandPath())
				}
				_, err := share(args[1])
				return err
			},
		}, onEvidence, func(args []string, r *action.Rollout, e action.Evidence) (action.Change, error) {
			percent, err := share(args[1])
			if err != nil {
				return action.Change{}, err
			}
			return r.SetTraffic(percent, e)
		}),
		changeCommand(t, &cobra.Command{
			Use:   "pause ISVC",
			Short: "Freeze the current split",
			Long: `Keep the revision of the spec at its current share, so that it takes no more when it
becomes ready. The command sets canaryTrafficPercent. 'set-traffic' and 'promote'
continue the rollout.`,
			Example: "pause iris",
			Args:    oneService,
		}, regardless, func(_ []string, r *action.Rollout, _ action.Evidence) (action.Change, error) { return r.Pause() }),
		changeCommand(t, &cobra.Command{
			Use:   "abort ISVC",
			Short: "End a rollout in progress, and keep the rolled-out revision",
			Long: `Write back the spec of the revision that was rolled out last. It has all the traffic
at once, and the canary goes to zero. Replicas, scaling and other fields that are not
part of a revision stay as they are. The command never asks.`,
			Example: `abort iris
abort iris --dry-run -o yaml     the manifest, to commit`,
			Args: oneService,
		}, regardless, func(_ []string, r *action.Rollout, _ action.Evidence) (action.Change, error) { return r.Abort() }),
		undoCommand(t),
		refreshCommand(t),
	}
}

// undoCommand goes back to the previous revision or, with --to-revision, to any.
func undoCommand(t *target) *cobra.Command {
	var revision string
	undo := &cobra.Command{
		Use:   "undo ISVC",
		Short: "Undo the last full rollout",
		Long: `Give all traffic back to the revision that had it before the last full rollout. The
command sets canaryTrafficPercent to 0. The revision of the spec stays, at 0%, until
you apply another manifest, or 'abort' writes the spec of the other revision back.
While a rollout is in progress there is nothing to undo: use 'abort' to end it.

With --to-revision, write the spec of that revision back instead, and roll it out.
Revisions before the previous one have no Pods any more: they start cold, and get
traffic once they are ready. The command asks before it starts one.
Replicas, scaling and other fields that are not part of a revision stay as they are.`,
		Example: `undo iris
undo iris --to-revision 2`,
		Args: oneService,
	}
	undo.Flags().StringVar(&revision, "to-revision", "", "number or name of an earlier revision to roll out (see history)")
	must(undo.RegisterFlagCompletionFunc("to-revision", t.completeRevision))
	return changeCommand(t, undo, regardless, func(_ []string, r *action.Rollout, _ action.Evidence) (action.Change, error) {
		if revision != "" {
			return r.UndoTo(revision)
		}
		return r.Undo()
	})
}

// refreshCommand rolls out a model that was overwritten.
func refreshCommand(t *target) *cobra.Command {
	return changeCommand(t, &cobra.Command{
		Use:   "refresh ISVC",
		Short: "Roll out what lies at the storageUri now",
		Long: `Make a new revision of the model that lies at the storageUri now. All Pods of a
revision serve the model that its first Pod fetched, so a file that was overwritten has
no effect before. The command sets the annotation serin.dev/refresh of the predictor to
the present time. Where canaryTrafficPercent is set, the new revision is a canary.`,
		Example: `refresh iris
refresh iris --dry-run -o yaml     the manifest, to commit`,
		Args: oneService,
	}, regardless, func(_ []string, r *action.Rollout, _ action.Evidence) (action.Change, error) {
		return r.Refresh(time.Now())
	})
}

// share reads a percentage of the traffic.
func share(arg string) (int64, error) {
	percent, err := strconv.ParseInt(strings.TrimSuffix(arg, "%"), 10, 64)
	if err != nil || percent < 0 || percent > 100 {
		return 0, fmt.Errorf("%s is not a share of the traffic: use a number from 0 to 100", arg)
	}
	return percent, nil
}

// changeCommand gives a command the flags and the body of a change.
func changeCommand(t *target, c *cobra.Command, weighs bool, d decide) *cobra.Command {
	a := act{weighs: weighs}
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if a.service, err = t.service(args[0]); err != nil {
			return err
		}
		a.decide = func(r *action.Rollout, e action.Evidence) (action.Change, error) { return d(args, r, e) }
		a.in, a.out, a.errOut = c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr()
		return a.run(c.Context())
	}
	c.Flags().BoolVarP(&a.yes, "yes", "y", false, "do not ask for confirmation")
	c.Flags().Var(setting.OneOf(&a.dryRun, dryRunNone, dryRunNone, dryRunClient, dryRunServer), "dry-run", `"client" prints the change and a kubectl command that makes it; "server" also lets the API check it`)
	c.Flags().Lookup("dry-run").NoOptDefVal = dryRunClient
	addFormat(c, &a.format, formatJSON, formatYAML)
	return c
}
