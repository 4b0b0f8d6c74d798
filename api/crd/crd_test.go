// SPDX-License-Identifier: Apache-2.0

package crd_test

import (
	"encoding/json"
	"io/fs"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	apivalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/crd"
)

// maxApply is how large an object may be for a client-side kubectl apply,
// which keeps a copy of it in an annotation; the rest is left for neighbours.
const maxApply = 240 << 10

func TestCRDsAreAcceptedAndFitKubectlApply(t *testing.T) {
	files, err := fs.Glob(crd.Files, "*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("got files %v, error %v; want three CRDs", files, err)
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

// load returns a CRD as compact JSON and, defaulted and converted as the API
// server does it, in its internal form.
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
	v1 := &apiextensionsv1.CustomResourceDefinition{}
	if err := json.Unmarshal(raw, v1); err != nil {
		t.Fatal(err)
	}
	apiextensionsv1.SetDefaults_CustomResourceDefinition(v1)
	apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&v1.Spec)
	def := &apiextensions.CustomResourceDefinition{}
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(v1, def, nil); err != nil {
		t.Fatal(err)
	}
	def.Status.StoredVersions = []string{def.Spec.Versions[0].Name}
	return raw, def
}

// server decides about objects as an API server does on create.
type server struct {
	structural *schema.Structural
	values     apivalidation.SchemaValidator
	rules      *cel.Validator
}

func newServer(t *testing.T, file string) *server {
	t.Helper()
	_, def := load(t, file)
	props := def.Spec.Versions[0].Schema
	if props == nil {
		props = def.Spec.Validation // one version only: conversion moves it here
	}
	structural, err := schema.NewStructural(props.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	values, _, err := apivalidation.NewSchemaValidator(props.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	return &server{structural, values, cel.NewValidator(structural, true, celconfig.PerCallLimit)}
}

// create returns what the API server would say, one line per error; fields
// that it would drop come first, as kubectl's strict validation reports them.
func (s *server) create(t *testing.T, manifest string) (errs []string) {
	t.Helper()
	var obj map[string]any
	raw, err := yaml.YAMLToJSONStrict([]byte(manifest))
	if err == nil {
		err = utiljson.Unmarshal(raw, &obj) // integers become int64, as in the API server
	}
	if err != nil {
		t.Fatalf("read the manifest: %v\n%s", err, manifest)
	}
	unknown := pruning.PruneWithOptions(obj, s.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, path := range unknown {
		errs = append(errs, "unknown field "+path)
	}
	defaulting.Default(obj, s.structural)
	for _, err := range apivalidation.ValidateCustomResource(nil, obj, s.values) {
		errs = append(errs, err.Error())
	}
	for _, err := range listtype.ValidateListSetsAndMaps(nil, s.structural, obj) {
		errs = append(errs, err.Error())
	}
	if len(errs) > 0 {
		return errs // rules are not looked at
	}
	failed, _ := s.rules.Validate(t.Context(), nil, s.structural, obj, nil, celconfig.RuntimeCELCostBudget)
	for _, err := range failed {
		errs = append(errs, err.Error())
	}
	return errs
}
