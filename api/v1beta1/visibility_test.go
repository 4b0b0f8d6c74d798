// SPDX-License-Identifier: Apache-2.0

package v1beta1

import "testing"

func TestVisibility(t *testing.T) {
	type labels = map[string]string
	for _, c := range []struct {
		name               string
		service, predictor labels
		private, refused   bool
	}{
		{name: "no label"},
		{name: "Knative's label", service: labels{LabelVisibility: "cluster-local"}, private: true},
		{name: "KServe's label", predictor: labels{LabelVisibilityKServe: "cluster-local"}, private: true},
		{name: "Open Data Hub's value", service: labels{LabelVisibilityKServe: "exposed"}},
		{name: "its value, and a predictor that is private", service: labels{LabelVisibilityKServe: "exposed"}, predictor: labels{LabelVisibility: "cluster-local"}, private: true},
		{name: "its value in Knative's label", service: labels{LabelVisibility: "exposed"}, private: true, refused: true},
		{name: "an unknown value", predictor: labels{LabelVisibilityKServe: "private"}, private: true, refused: true},
		{name: "an empty value", service: labels{LabelVisibility: ""}},
	} {
		if got := Private(c.service, c.predictor); got != c.private {
			t.Errorf("%s: private %v, want %v", c.name, got, c.private)
		}
		if err := CheckVisibility(c.service, c.predictor); (err != nil) != c.refused {
			t.Errorf("%s: error %v, want one: %v", c.name, err, c.refused)
		}
	}
}
