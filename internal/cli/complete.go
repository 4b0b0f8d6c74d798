// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// completeService offers the services of the namespace to the shell.
func (t *target) completeService(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	cluster, err := t.open()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	all, err := cluster.client.Resource(v1beta1.Resource).Namespace(cluster.namespace).List(c.Context(), metav1.ListOptions{})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, o := range all.Items {
		names = append(names, o.GetName())
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeRevision offers the revisions of the service that was named.
func (t *target) completeRevision(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	s, err := t.service(args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	r, err := s.read(c.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var out []string
	for _, rev := range r.Revisions {
		out = append(out, fmt.Sprintf("%d\t%s, %s", rev.Number, rev.Name, plain(rev.Model)))
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
