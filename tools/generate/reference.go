// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// referencePage is the page of the manual that is made from the types.
const referencePage = "docs/reference/api.md"

const referenceHead = `# API reference

All kinds are in the API group ` + "`serving.kserve.io`" + `, with KServe's names and meanings. This page is
generated from the types in ` + "`api`" + `; ` + "`kubectl explain`" + ` shows the same. Fields without a description of their
own are those of Kubernetes. Unknown fields are errors.
`

// reference writes the manual's page about the given kinds.
func reference(defs []apiextensionsv1.CustomResourceDefinition) error {
	var out strings.Builder
	out.WriteString(referenceHead)
	for _, def := range defs {
		version := def.Spec.Versions[0]
		schema := version.Schema.OpenAPIV3Schema
		fmt.Fprintf(&out, "\n## %s (%s)\n\n%s\n", def.Spec.Names.Kind, version.Name, oneLine(schema.Description))
		var p page
		for _, name := range []string{"spec", "status"} {
			if part, ok := schema.Properties[name]; ok && !p.refuse(name, part) {
				p.walk(name, part)
			}
		}
		if len(p.fields) > 0 {
			table(&out, "Field | Type | Meaning", p.fields)
		}
		if len(p.rejected) > 0 {
			out.WriteString("\nKnown to KServe and rejected here:\n")
			table(&out, "Field | Answer", p.rejected)
		}
	}
	if err := os.MkdirAll(filepath.Dir(referencePage), 0o755); err != nil {
		return err
	}
	return os.WriteFile(referencePage, []byte(out.String()), 0o644)
}

// page collects the rows about one kind.
type page struct {
	fields, rejected []string
}

// walk adds the fields that have a description, which are our own and those
// of a Container, and looks into what is described inside.
func (p *page) walk(path string, s apiextensionsv1.JSONSchemaProps) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		f := s.Properties[name]
		if f.Description == "" {
			continue
		}
		at := path + "." + name
		if p.refuse(at, f) {
			continue
		}
		p.fields = append(p.fields, fmt.Sprintf("`%s` | %s | %s", at, typeName(f), oneLine(f.Description)))
		switch {
		case name == "containers" || name == "initContainers":
			// What a model inlines says it all.
		case f.Items != nil && f.Items.Schema != nil:
			p.walk(at+"[]", *f.Items.Schema)
		case f.AdditionalProperties != nil && f.AdditionalProperties.Schema != nil:
			p.walk(at+".*", *f.AdditionalProperties.Schema)
		default:
			p.walk(at, f)
		}
	}
}

// refuse adds a field that the schema rejects, and reports whether it does.
func (p *page) refuse(path string, s apiextensionsv1.JSONSchemaProps) bool {
	if len(s.XValidations) != 1 || s.XValidations[0].Rule != "false" {
		return false
	}
	p.rejected = append(p.rejected, fmt.Sprintf("`%s` | %s", path, oneLine(s.XValidations[0].Message)))
	return true
}

func typeName(s apiextensionsv1.JSONSchemaProps) string {
	switch {
	case s.XIntOrString:
		return "integer or string"
	case s.Type == "array":
		return "list"
	case s.AdditionalProperties != nil:
		return "map"
	}
	return s.Type
}

func table(out *strings.Builder, head string, rows []string) {
	columns := strings.Count(head, "|") + 1
	fmt.Fprintf(out, "\n| %s |\n|%s\n", head, strings.Repeat("---|", columns))
	for _, row := range rows {
		fmt.Fprintf(out, "| %s |\n", row)
	}
}

func oneLine(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}
