// SPDX-License-Identifier: Apache-2.0

package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// maxRevisionName leaves room for "-deployment" within 63 characters. Pod
// names are then cut by the API server (58 characters and 5 random ones)
// behind the whole name of the revision, never inside it.
const maxRevisionName = 63 - len("-deployment")

// RevisionName returns the name of a component's n-th revision. Where the
// service's name is too long, its end gives way to a hash of the whole.
func RevisionName(isvc, component string, n int) string {
	suffix := fmt.Sprintf("-%s-%05d", component, n)
	room := maxRevisionName - len(suffix)
	if len(isvc) > room {
		sum := sha256.Sum256([]byte(isvc))
		tail := "-" + hex.EncodeToString(sum[:4])
		isvc = strings.TrimRight(isvc[:room-len(tail)], "-") + tail
	}
	return isvc + suffix
}

// DeploymentName returns the name of a revision's Deployment.
func DeploymentName(revision string) string { return revision + "-deployment" }
