// SPDX-License-Identifier: Apache-2.0

package v1beta1

import "fmt"

// Labels, of a service or of its predictor, by which Knative and KServe keep a
// service from everybody outside the cluster.
const (
	LabelVisibility       = "networking.knative.dev/visibility"
	LabelVisibilityKServe = "networking.kserve.io/visibility"
	// VisibilityLocal is the only value that both have.
	VisibilityLocal = "cluster-local"
	// VisibilityExposed is what Open Data Hub writes into KServe's label: the service
	// is for everybody, as it is without the label.
	VisibilityExposed = "exposed"
)

// VisibilityLabels are both.
var VisibilityLabels = []string{LabelVisibility, LabelVisibilityKServe}

// Private reports whether the labels of a service and of its predictor keep it
// from callers outside the cluster. An unknown value does, too: CheckVisibility refuses it,
// and until it is mended nothing is shown that was to be hidden.
func Private[V any](labels ...map[string]V) bool {
	for _, l := range labels {
		for _, key := range VisibilityLabels {
			if v, ok := l[key]; ok && !public(key, v) {
				return true
			}
		}
	}
	return false
}

// CheckVisibility returns an error that says what to write instead of a value
// that has no meaning.
func CheckVisibility(labels ...map[string]string) error {
	for _, l := range labels {
		for _, key := range VisibilityLabels {
			if v := l[key]; v != VisibilityLocal && !public(key, v) {
				return fmt.Errorf("label %s %q has no meaning: write %s, or remove it", key, v, VisibilityLocal)
			}
		}
	}
	return nil
}

// public reports whether a value means the same as no label.
func public(key string, v any) bool {
	return v == "" || key == LabelVisibilityKServe && v == VisibilityExposed
}
