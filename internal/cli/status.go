// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/internal/controlplane/action"
	"github.com/serin-dev/serin/internal/setting"
)

// recentEvents is how many events a summary shows.
const recentEvents = 5

func statusCommand(t *target) *cobra.Command {
	var (
		format  string
		watch   bool
		timeout time.Duration
	)
	c := &cobra.Command{
		Use:   "status ISVC",
		Short: "Wait until a rollout is settled, and print its state",
		Long: `Wait until the spec is in effect, and print a summary. A canary that has its share
counts as settled, because nothing more happens by itself.

Exit codes:
  0  settled
  1  failed: it needs your action
  2  still in progress, after --timeout or with --watch=false; or the command
     line is wrong, and then nothing is printed on standard output

With -o json or -o yaml it prints one document at the end:
  namespace, name, url
  generation, observedGeneration   of the service
  outcome                          settled, progressing or failed
  next                             what happens next and why, in a sentence
  canaryTrafficPercent             as in the spec; absent if it is
  failure                          reason, message, modelRevisionName, ... of the last failure
  revisions                        newest first, with name, number, state, trafficPercent,
                                   podsReady, podsWanted, model, modelDigest, runtime, created
A revision's state is current, starting, canary, rolled back, rolled out, previous,
or absent for a past revision. Fields may be added, but none changes its meaning.`,
		Example: `status iris
status iris -n models --timeout 5m     for CI
status isvc/iris --watch=false -o json`,
		Args: oneService,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := t.service(args[0])
			if err != nil {
				return err
			}
			return s.status(c.Context(), c.OutOrStdout(), format, watch, timeout)
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", true, "wait until the rollout is settled or has failed")
	c.Flags().Var(setting.Duration(&timeout, 0, 0), "timeout", "how long to wait; 0 waits forever")
	addFormat(c, &format, formatJSON, formatYAML, formatWide)
	return c
}

// status waits, saying what for, and prints where the rollout has come to.
func (s *service) status(ctx context.Context, out io.Writer, format string, watch bool, timeout time.Duration) error {
	forPeople := format == "" || format == formatWide
	said := ""
	say := func(next string) {
		if forPeople && next != said {
			fmt.Fprintln(out, plain(next))
			said = next
		}
	}
	r, err := s.await(ctx, watch, timeout, say)
	if err != nil {
		return err
	}
	if said != "" {
		fmt.Fprintln(out)
	}
	if err := s.printStatus(ctx, out, r, format); err != nil {
		return err
	}
	switch r.Outlook().Outcome {
	case action.Settled:
		return nil
	case action.Failed:
		return exit{exitFailed, nil}
	case action.Progressing:
	}
	if watch {
		return exit{exitInProgress, fmt.Errorf("%s is not settled after %s", s.name, timeout)}
	}
	return exit{exitInProgress, nil}
}

// await reads the rollout until it is settled or has failed, or time is up. It
// says what it waits for. A timeout of 0 is none.
func (s *service) await(ctx context.Context, watch bool, timeout time.Duration, say func(next string)) (last *action.Rollout, err error) {
	wait, cancel := ctx, context.CancelFunc(func() {})
	if timeout > 0 {
		wait, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()
	err = s.follow(wait, func(context.Context) (bool, error) {
		r, err := s.read(ctx) // which has a timeout of its own
		if err != nil {
			return false, err
		}
		last = r
		o := r.Outlook()
		if o.Outcome != action.Progressing || !watch {
			return false, nil
		}
		say(o.Next)
		return true, nil
	})
	if ctx.Err() == nil && wait.Err() != nil && last != nil {
		return last, nil // time is up
	}
	return last, err
}

func (s *service) printStatus(ctx context.Context, out io.Writer, r *action.Rollout, format string) error {
	if format != "" && format != formatWide {
		return write(out, format, documentOf(r, false))
	}
	events, err := s.events(ctx, recentEvents)
	if err != nil {
		return err
	}
	summary(out, r, events, time.Now(), format == formatWide)
	return nil
}

// summary prints where a rollout stands. Revisions of the past that have no
// Pods are left to history.
func summary(out io.Writer, r *action.Rollout, events []corev1.Event, now time.Time, wide bool) {
	fmt.Fprintf(out, "%s in %s", r.Service.Name, r.Service.Namespace)
	if url := r.Service.Status.URL; url != "" {
		fmt.Fprintf(out, ", %s", plain(url))
	}
	fmt.Fprint(out, "\n\n")
	table(out, present(r), now, wide)
	o := r.Outlook()
	fmt.Fprintf(out, "\n%s: %s\n", title(string(o.Outcome)), plain(o.Next))
	for _, line := range details(r) {
		fmt.Fprintln(out, line)
	}
	if len(events) > 0 {
		fmt.Fprintln(out, "\nEvents:")
		for _, line := range eventLines(events, now) {
			fmt.Fprintln(out, line)
		}
	}
}

// details are the last lines of a program that failed, below the sentence that
// names it.
func details(r *action.Rollout) []string {
	m := r.Service.Status.ModelStatus
	if m == nil || m.LastFailureInfo == nil {
		return nil
	}
	all := m.LastFailureInfo.Details()
	for i := range all {
		all[i] = "  " + plain(all[i])
	}
	return all
}

// present are the revisions that matter now.
func present(r *action.Rollout) []action.Revision {
	var out []action.Revision
	for _, rev := range r.Revisions {
		if rev.State != "" || rev.Share != nil || rev.Wanted > 0 || rev.Ready > 0 {
			out = append(out, rev)
		}
	}
	return out
}

// title starts with a capital letter.
func title(s string) string { return string(s[0]-'a'+'A') + s[1:] }
