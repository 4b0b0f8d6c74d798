// SPDX-License-Identifier: Apache-2.0

package crd_test

import (
	"fmt"
	"strings"
	"testing"
)

// What routers, controller and autoscaler read is bounded where it is written.
func TestAStatusIsBounded(t *testing.T) {
	s := newServer(t, "inferenceservices.yaml")
	long := strings.Repeat("x", 40_000)
	entry := "{revisionName: iris-predictor-00001, percent: 100, latestRevision: true}"
	predictor := func(fields string) string { return "{components: {predictor: {" + fields + "}}}" }
	for name, c := range map[string]struct{ status, want string }{
		"as the controller writes it": {predictor("traffic: [" + entry + "], latestReadyRevision: iris-predictor-00001"), ""},
		"a share of all memory":       {predictor("traffic: [{percent: 4611686018427387904}]"), "should be less than or equal to 100"},
		"a share below nothing":       {predictor("traffic: [{percent: -1}]"), "should be greater than or equal to 0"},
		"a thousand shares":           {predictor("traffic: [" + strings.Repeat(entry+",", 1000) + "]"), "must have at most 16 items"},
		"a long tag":                  {predictor("traffic: [{tag: " + long + "}]"), "may not be more than 63"},
		"a long revision":             {predictor("traffic: [{revisionName: " + long + "}]"), "may not be more than 63"},
		"a long latest revision":      {predictor("latestReadyRevision: " + long), "may not be more than 63"},
		"a long URL":                  {"{url: " + long + "}", "may not be more than 512"},
		"a long message":              {"{conditions: [{type: Ready, status: 'True', message: " + long + "}]}", "may not be more than 32768"},
		"copies below nothing":        {"{modelStatus: {transitionStatus: UpToDate, copies: {failedCopies: -1, totalCopies: -1}}}", "should be greater than or equal to 0"},
		"a generation below nothing":  {"{observedGeneration: -9223372036854775808}", "should be greater than or equal to 0"},
	} {
		t.Run(name, func(t *testing.T) {
			manifest := strings.TrimSuffix(service("iris", "{predictor: {model: {modelFormat: {name: sklearn}}}}"), "}") + ", status: " + c.status + "}"
			got := fmt.Sprint(s.create(t, manifest))
			if c.want == "" && got != "[]" || !strings.Contains(got, c.want) {
				t.Errorf("%.300s, want %q", got, c.want)
			}
		})
	}
}

// Kubernetes takes days to read such a quantity, and so would the controller.
func TestQuantitiesAreBounded(t *testing.T) {
	s := newServer(t, "inferenceservices.yaml")
	for quantity, fine := range map[string]bool{
		"1": true, "100m": true, "1.5Gi": true, "1e3": true, "1E9": true,
		"1e-999999999": false, strings.Repeat("9", 65): false,
	} {
		got := s.create(t, model(fmt.Sprintf("resources: {limits: {memory: %q}}", quantity)))
		if (len(got) == 0) != fine {
			t.Errorf("%s: %.300s", quantity, got)
		}
	}
}
