// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChangesNameTheLinesOfOneManifestOnly(t *testing.T) {
	before, err := demoFiles.ReadFile("demo/sklearn-iris.yaml")
	if err != nil {
		t.Fatal(err)
	}
	after, err := demoFiles.ReadFile("demo/canary.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := `  -       storageUri: "gs://kfserving-examples/models/sklearn/1.0/model"
  +     canaryTrafficPercent: 10
  +       storageUri: "gs://kfserving-examples/models/sklearn/1.0/model-2"
`
	if diff := cmp.Diff(want, changes(string(before), string(after))); diff != "" {
		t.Error(diff)
	}
}

func TestBarsShowEveryRevisionThatAnswered(t *testing.T) {
	want := "  iris-1   ██████████████████████████████████████████████████ 974\n" +
		"  iris-10  █                                                  1\n"
	if diff := cmp.Diff(want, bars(map[string]int{"iris-1": 974, "iris-10": 1})); diff != "" {
		t.Error(diff)
	}
}
