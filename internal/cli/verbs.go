// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/serin-dev/serin/internal/setting"
	"github.com/serin-dev/serin/internal/steer"
)

// A command looks at what the canary has answered, or does not, and then does
// not wait for the routers to tell.
const (
	onEvidence = true
	regardless = false
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
		}, onEvidence, func(_ []string, r *steer.Rollout, e steer.Evidence) (steer.Change, error) { return r.Promote(e) }),
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
				_, err := share(args[1])
				return err
			},
		}, onEvidence, func(args []string, r *steer.Rollout, e steer.Evidence) (steer.Change, error) {
			percent, err := share(args[1])
			if err != nil {
				return steer.Change{}, err
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
		}, regardless, func(_ []string, r *steer.Rollout, _ steer.Evidence) (steer.Change, error) { return r.Pause() }),
		changeCommand(t, &cobra.Command{
			Use:   "abort ISVC",
			Short: "End a rollout in progress, and keep what was rolled out before",
			Long: `Write the spec of the revision that was rolled out last back. All the traffic is with
it at once, and the canary goes to zero. Replicas, scaling and other fields that are
no part of a revision stay as they are. Never asks.`,
			Example: `abort iris
abort iris --dry-run -o yaml     the manifest, to commit`,
			Args: oneService,
		}, regardless, func(_ []string, r *steer.Rollout, _ steer.Evidence) (steer.Change, error) { return r.Abort() }),
		changeCommand(t, undo, regardless, func(_ []string, r *steer.Rollout, _ steer.Evidence) (steer.Change, error) {
			if revision != "" {
				return r.UndoTo(revision)
			}
			return r.Undo()
		}),
	}
}

// share reads a percentage of the traffic.
func share(arg string) (int64, error) {
	percent, err := strconv.ParseInt(strings.TrimSuffix(arg, "%"), 10, 64)
	if err != nil || percent < 0 || percent > 100 {
		return 0, fmt.Errorf("%s is no share of the traffic: say a number from 0 to 100", arg)
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
		a.decide = func(r *steer.Rollout, e steer.Evidence) (steer.Change, error) { return d(args, r, e) }
		a.in, a.out, a.errOut = c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr()
		return a.run(c.Context())
	}
	c.Flags().BoolVarP(&a.yes, "yes", "y", false, "do not ask")
	c.Flags().Var(setting.OneOf(&a.dryRun, dryRunNone, dryRunNone, dryRunClient, dryRunServer), "dry-run", `"client" prints what would be written and how to do it by hand; "server" also lets the API check it`)
	c.Flags().Lookup("dry-run").NoOptDefVal = dryRunClient
	addFormat(c, &a.format, formatJSON, formatYAML)
	return c
}
