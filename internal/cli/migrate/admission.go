// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	apivalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/crd"
)

// Admission validates objects of one kind as an API server with Serin's definition
// does on creation, with that server's code.
type Admission struct {
	kind       metav1.TypeMeta
	structural *schema.Structural
	values     apivalidation.SchemaValidator
	rules      *cel.Validator
}

// NewAdmission reads a definition of api/crd.
func NewAdmission(file string) (*Admission, error) {
	def, err := Definition(file)
	if err != nil {
		return nil, err
	}
	props := def.Spec.Versions[0].Schema
	if props == nil {
		props = def.Spec.Validation // one version only: conversion moves it here
	}
	a := &Admission{kind: metav1.TypeMeta{APIVersion: def.Spec.Group + "/" + def.Spec.Versions[0].Name, Kind: def.Spec.Names.Kind}}
	if a.structural, err = schema.NewStructural(props.OpenAPIV3Schema); err != nil {
		return nil, fmt.Errorf("read the schema of %s: %w", file, err)
	}
	if a.values, _, err = apivalidation.NewSchemaValidator(props.OpenAPIV3Schema); err != nil {
		return nil, fmt.Errorf("read the schema of %s: %w", file, err)
	}
	a.rules = cel.NewValidator(a.structural, true, celconfig.PerCallLimit)
	return a, nil
}

// Definition returns a definition of api/crd as the API server holds it:
// defaulted, and in its internal form.
func Definition(file string) (*apiextensions.CustomResourceDefinition, error) {
	doc, err := crd.Files.ReadFile(file)
	if err != nil {
		return nil, err
	}
	raw, err := yaml.YAMLToJSON(doc)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	v1 := &apiextensionsv1.CustomResourceDefinition{}
	if err := json.Unmarshal(raw, v1); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	apiextensionsv1.SetDefaults_CustomResourceDefinition(v1)
	apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&v1.Spec)
	def := &apiextensions.CustomResourceDefinition{}
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(v1, def, nil); err != nil {
		return nil, fmt.Errorf("convert %s: %w", file, err)
	}
	def.Status.StoredVersions = []string{def.Spec.Versions[0].Name}
	return def, nil
}

// Create returns the API server's errors for a manifest, one line each. Unknown
// fields come first, as kubectl's strict validation reports them. It returns an
// error if the manifest cannot be parsed.
func (a *Admission) Create(ctx context.Context, manifest []byte) (says []string, err error) {
	var object map[string]any
	raw, err := yaml.YAMLToJSONStrict(manifest)
	if err == nil {
		err = utiljson.Unmarshal(raw, &object) // integers become int64, as in the API server
	}
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	unknown := pruning.PruneWithOptions(object, a.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, path := range unknown {
		says = append(says, "unknown field "+path)
	}
	defaulting.Default(object, a.structural)
	for _, err := range apivalidation.ValidateCustomResource(nil, object, a.values) {
		says = append(says, err.Error())
	}
	for _, err := range listtype.ValidateListSetsAndMaps(nil, a.structural, object) {
		says = append(says, err.Error())
	}
	if len(says) > 0 {
		return says, nil // the API server skips the rules
	}
	failed, _ := a.rules.Validate(ctx, nil, a.structural, object, nil, celconfig.RuntimeCELCostBudget)
	for _, err := range failed {
		says = append(says, err.Error())
	}
	slices.Sort(says) // rules of different fields come in any order
	return says, nil
}
