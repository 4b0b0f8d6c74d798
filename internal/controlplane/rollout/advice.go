// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"regexp"
	"strings"
)

// advice is what to do about a complaint of Kubernetes, by words in it. The first
// that fits is given.
var advice = []struct {
	words *regexp.Regexp
	do    string
}{
	{regexp.MustCompile(`error looking up service account`), "Create it, or correct serviceAccountName"},
	{regexp.MustCompile(`exceeded quota`), "Raise the quota, or lower the resources"},
	{regexp.MustCompile(`violates PodSecurity`), "Set a securityContext that the namespace allows"},
	{regexp.MustCompile(`persistentvolumeclaim "[^"]*" (not found|bound)`), "Create the claim, or correct its name"},
	{regexp.MustCompile(`unbound immediate PersistentVolumeClaims`), "Give the claim a volume: kubectl get pvc shows it"},
	{regexp.MustCompile(`\bInsufficient `), "Lower resources.requests, or make room"},
	{regexp.MustCompile(`node affinity/selector`), "Correct nodeSelector or affinity, or label a node"},
	{regexp.MustCompile(`untolerated taint`), "Add a toleration, or remove the taint"},
	{regexp.MustCompile(`no nodes available`), "Start a node"},
	{regexp.MustCompile(`configmaps? "[^"]*" not found`), "Create the ConfigMap, or correct its name"},
	{regexp.MustCompile(`secrets? "[^"]*" not found`), "Create the Secret, or correct its name"},
	{regexp.MustCompile(`has no key|find key|non-existent config key|non-existent secret key`), "Add the key, or correct its name"},
	{regexp.MustCompile(`\bpull(ing)? (and unpack )?image`), "Check the name of the image, and imagePullSecrets"},
}

// advised is a complaint, with what to do about it if that is known.
func advised(complaint string) string {
	for _, a := range advice {
		if a.words.MatchString(complaint) {
			return strings.TrimSuffix(complaint, ".") + ". " + a.do
		}
	}
	return complaint
}
