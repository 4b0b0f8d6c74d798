// SPDX-License-Identifier: Apache-2.0

package crd_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// TestManifestsInDocumentsAreAccepted checks the manifests that people copy.
func TestManifestsInDocumentsAreAccepted(t *testing.T) {
	servers := map[string]*server{
		"InferenceService":      newServer(t, "inferenceservices.yaml"),
		"ServingRuntime":        newServer(t, "servingruntimes.yaml"),
		"ClusterServingRuntime": newServer(t, "clusterservingruntimes.yaml"),
	}
	checked := 0
	err := filepath.WalkDir("../../docs", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		page, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, block := range yamlBlock.FindAllSubmatch(page, -1) {
			var kind struct{ Kind string }
			if err := yaml.Unmarshal(block[1], &kind); err != nil {
				t.Errorf("%s: %v\n%s", path, err, block[1])
				continue
			}
			s := servers[kind.Kind]
			if s == nil {
				continue // somebody else's
			}
			checked++
			for _, got := range s.create(t, string(block[1])) {
				t.Errorf("%s: %s\n%s", path, got, block[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked == 0 {
		t.Error("no document has a manifest")
	}
}
