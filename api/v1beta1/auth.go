// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	"fmt"
	"strconv"
)

// AnnotationAuth lets Open Data Hub ask for a token with each request.
const AnnotationAuth = "security.opendatahub.io/enable-auth"

// CheckAuth returns an error if the annotations of a service or of its predictor
// want requests without a token refused. Serin checks no tokens: a model that was
// behind one must not be open without a word.
func CheckAuth(annotations ...map[string]string) error {
	for _, a := range annotations {
		value, ok := a[AnnotationAuth]
		if !ok || value == "" {
			continue
		}
		if on, err := strconv.ParseBool(value); err != nil || on {
			return fmt.Errorf("annotation %s %.64q asks for a token with each request, and Serin checks none: anybody could call the model. Remove it, and check tokens in a gateway, or keep callers outside the cluster away by the label %s: %s",
				AnnotationAuth, value, LabelVisibility, VisibilityLocal)
		}
	}
	return nil
}
