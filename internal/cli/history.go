// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-dev/serin/internal/controlplane/action"
)

func historyCommand(t *target) *cobra.Command {
	var format, revision string
	c := &cobra.Command{
		Use:   "history ISVC",
		Short: "List the revisions of a service, or show one",
		Long: `List the kept revisions, newest first, with their state in the rollout, their share of
the traffic, their Pods, their model and the digest of its content: equal digests are
equal models. --revision shows the spec of a revision, which 'undo --to-revision' writes
back.

With -o json or -o yaml it prints what 'status' prints, and each revision's spec.`,
		Example: `history iris
history iris --revision 2`,
		Args: oneService,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := t.service(args[0])
			if err != nil {
				return err
			}
			r, err := s.read(c.Context())
			if err != nil {
				return err
			}
			if revision != "" {
				rev := r.Named(revision)
				if rev == nil {
					return fmt.Errorf("there is no revision %s of %s: see %s %s", revision, s.name, c.CommandPath(), s.name)
				}
				r.Revisions = []action.Revision{*rev}
				if format == "" || format == formatWide {
					return showRevision(c, rev)
				}
			}
			if format == "" || format == formatWide {
				table(c.OutOrStdout(), r.Revisions, time.Now(), format == formatWide, digestColumn)
				return nil
			}
			return write(c.OutOrStdout(), format, documentOf(r, true))
		},
	}
	c.Flags().StringVar(&revision, "revision", "", "number or name of the revision to show")
	must(c.RegisterFlagCompletionFunc("revision", t.completeRevision))
	addFormat(c, &format, formatJSON, formatYAML, formatWide)
	return c
}

// showRevision prints a revision and its spec, as YAML that people can read.
func showRevision(c *cobra.Command, rev *action.Revision) error {
	table(c.OutOrStdout(), []action.Revision{*rev}, time.Now(), true, digestColumn)
	if rev.Spec == nil {
		return fmt.Errorf("revision %s was recorded without its spec", rev.Name)
	}
	fmt.Fprintln(c.OutOrStdout())
	return write(c.OutOrStdout(), formatYAML, map[string]any{"spec": map[string]any{"predictor": rev.Spec}})
}
