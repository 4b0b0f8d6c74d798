// SPDX-License-Identifier: Apache-2.0

package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Tools of KServe read from Pods what they scale by. An edit restarts no Pod, so it
// makes no revision either.
func TestPodsNameWhatTheirRevisionWasMadeToScaleBy(t *testing.T) {
	for predictor, want := range map[string]map[string]string{
		"":                                  {},
		"scaleMetric: rps, scaleTarget: 5,": {"autoscaling.knative.dev/metric": "rps", "autoscaling.knative.dev/target": "5"},
		"annotations: {autoscaling.knative.dev/target: '7', example.com/mine: x},": {"example.com/mine": "x"},
	} {
		manifest := "{metadata: {name: m, namespace: default}, spec: {predictor: {" + predictor + " containers: [{name: kserve-container, image: a}]}}}"
		isvc := decode[v1beta1.InferenceService](t, []byte(manifest))
		tmpl, err := Resolve(isvc, nil, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for key, value := range tmpl.Pod.Annotations {
			if !strings.HasPrefix(key, "serin.dev/") {
				got[key] = value
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", predictor, diff)
		}
		plain := isvc.Spec.Predictor
		plain.ScaleMetric, plain.ScaleTarget = nil, nil
		if tmpl.Hash != Hash(&plain) {
			t.Errorf("%s: the hash covers what the service scales by", predictor)
		}
	}
}
