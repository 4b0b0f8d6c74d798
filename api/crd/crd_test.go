// SPDX-License-Identifier: Apache-2.0

package crd_test

import (
	"io/fs"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/crd"
	"github.com/serin-dev/serin/internal/cli/migrate"
)

// maxApply is how large an object may be for a client-side kubectl apply,
// which keeps a copy of it in an annotation; the rest is left for neighbours.
const maxApply = 240 << 10

func TestCRDsAreAcceptedAndFitKubectlApply(t *testing.T) {
	files, err := fs.Glob(crd.Files, "*.yaml")
	if err != nil || len(files) != 8 {
		t.Fatalf("got files %v, error %v; want eight CRDs", files, err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			raw, def := load(t, file)
			if len(raw) > maxApply {
				t.Errorf("%d bytes of JSON, want at most %d: shorten descriptions in tools/generate", len(raw), maxApply)
			}
			// Covers structural schemas and the estimated cost of every rule.
			for _, err := range validation.ValidateCustomResourceDefinition(t.Context(), def) {
				t.Error(err)
			}
		})
	}
}

// load returns a CRD as compact JSON and in the form that the API server checks.
func load(t *testing.T, file string) ([]byte, *apiextensions.CustomResourceDefinition) {
	t.Helper()
	doc, err := crd.Files.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := yaml.YAMLToJSON(doc)
	if err != nil {
		t.Fatal(err)
	}
	def, err := migrate.Definition(file)
	if err != nil {
		t.Fatal(err)
	}
	return raw, def
}

// server decides about objects as an API server does on create.
type server struct{ *migrate.Admission }

func newServer(t *testing.T, file string) *server {
	t.Helper()
	a, err := migrate.NewAdmission(file)
	if err != nil {
		t.Fatal(err)
	}
	return &server{a}
}

// create returns what the API server would say, one line per error.
func (s *server) create(t *testing.T, manifest string) []string {
	t.Helper()
	errs, err := s.Create(t.Context(), []byte(manifest))
	if err != nil {
		t.Fatalf("%v\n%s", err, manifest)
	}
	return errs
}
