// SPDX-License-Identifier: Apache-2.0

package router

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/internal/routing"
)

// Whatever a user wrote into a spec, the router reads the traffic.
func TestOfAServiceTheTrafficIsRead(t *testing.T) {
	for name, tc := range map[string]struct {
		predictor string
		timeout   time.Duration
	}{
		"a timeout":                    {`{timeout: 60}`, time.Minute},
		"a timeout beyond any clock":   {`{timeout: 9999999999}`, 24 * time.Hour},
		"a timeout of a wrong type":    {`{timeout: soon}`, 0},
		"fields that are of no type":   {`{sklearn: {env: [{name: X, value: 1}], livenessProbe: {periodSeconds: often}}}`, 0},
		"a predictor that is a number": {`1`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			u := &unstructured.Unstructured{}
			b, err := yaml.YAMLToJSON([]byte(`
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {namespace: team, name: iris}
spec: {predictor: ` + tc.predictor + `}
status: {components: {predictor: {traffic: [{revisionName: r1, percent: 100, tag: prev}]}}}`))
			if err == nil {
				err = u.UnmarshalJSON(b)
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := slimService(u)
			if err != nil {
				t.Fatal(err)
			}
			want := routing.Service{Namespace: "team", Name: "iris", Timeout: tc.timeout, Traffic: []routing.Share{{Revision: "r1", Percent: 100, Tag: "prev"}}}
			if diff := cmp.Diff(want, got.(*service).routing, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
