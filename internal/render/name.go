// SPDX-License-Identifier: Apache-2.0

package render

import "github.com/serin-dev/serin/api/v1beta1"

// RevisionName returns the name of a component's n-th revision.
func RevisionName(isvc, component string, n int) string {
	return v1beta1.RevisionName(isvc, component, n)
}

// DeploymentName returns the name of a revision's Deployment.
func DeploymentName(revision string) string { return v1beta1.DeploymentName(revision) }
