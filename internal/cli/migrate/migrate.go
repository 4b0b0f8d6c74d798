// SPDX-License-Identifier: Apache-2.0

// Package migrate reads manifests that were written for KServe, and reports what
// Serin treats differently: what its API server would reject, with that server's
// messages, and what it would accept with another meaning.
//
// Manifests go in, findings come out. It needs no cluster and sends nothing. It
// ignores objects of other groups than KServe's.
package migrate

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/crd"
	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
)

// Level is the severity of a finding.
type Level string

// Levels, the most severe first.
const (
	// Rejected objects cannot be applied as they are.
	Rejected Level = "rejected"
	// Missing is something that an object needs to run and that no manifest has. The
	// object is accepted, and waits.
	Missing Level = "missing"
	// Ignored is a field without effect; the rest of the object works.
	Ignored Level = "ignored"
	// Different is a field that works, but not quite as in KServe.
	Different Level = "different"
)

// Finding is something that Serin treats differently.
type Finding struct {
	// File is where the object was read.
	File string `json:"file"`
	// Object is KIND/NAME, with the namespace before the name if it has one.
	Object string `json:"object"`
	// Field is the path of what the finding is about.
	Field string `json:"field"`
	Level Level  `json:"level"`
	// Says is a sentence that names the field, and what to do.
	Says string `json:"says"`
}

// Checker knows Serin's definitions.
type Checker struct {
	kinds map[metav1.TypeMeta]*Admission
}

// NewChecker reads the definitions.
func NewChecker() (*Checker, error) {
	c := &Checker{kinds: map[metav1.TypeMeta]*Admission{}}
	files, err := fs.Glob(crd.Files, "*.yaml")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		a, err := NewAdmission(file)
		if err != nil {
			return nil, err
		}
		c.kinds[a.kind] = a
	}
	return c, nil
}

// Result is what was read and what was found.
type Result struct {
	Objects  int // of KServe's group
	Findings []Finding

	services []service
	runtimes []v1alpha1.ServingRuntime
	cluster  []v1alpha1.ClusterServingRuntime
}

// Check reads YAML or JSON documents, and lists of objects as kubectl get
// writes them. It ignores fields that the API server adds, and documents that are
// no objects, such as patches. The error lists all documents that could not be
// read; the result covers the others.
func (c *Checker) Check(ctx context.Context, manifests io.Reader) (Result, error) {
	var (
		r    Result
		errs []error
	)
	docs := yaml.NewYAMLReader(bufio.NewReader(manifests))
	for n := 1; ; n++ {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return r, errors.Join(errs...)
		}
		if err != nil {
			return r, errors.Join(append(errs, fmt.Errorf("read a manifest: %w", err))...)
		}
		if err := c.document(ctx, doc, &r); err != nil {
			errs = append(errs, fmt.Errorf("document %d: %w", n, err))
		}
	}
}

func (c *Checker) document(ctx context.Context, doc []byte, r *Result) error {
	var content any
	if err := sigsyaml.UnmarshalStrict(doc, &content); err != nil {
		if bytes.Contains(doc, []byte("{{")) {
			return fmt.Errorf("this seems to be a template: check the output of 'helm template' instead (%w)", err)
		}
		return fmt.Errorf("read a manifest: %w", err)
	}
	object, ok := content.(map[string]any)
	if !ok {
		return nil
	}
	items, ok := object["items"].([]any)
	if !ok {
		return c.object(ctx, object, r)
	}
	for _, item := range items {
		if item, ok := item.(map[string]any); ok {
			if err := c.object(ctx, item, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Checker) object(ctx context.Context, object map[string]any, r *Result) error {
	var head metav1.PartialObjectMetadata
	tidy(object)
	raw, err := sigsyaml.Marshal(object)
	if err == nil {
		err = sigsyaml.Unmarshal(raw, &head)
	}
	if err != nil {
		return fmt.Errorf("read a manifest: %w", err)
	}
	group, _, _ := strings.Cut(head.APIVersion, "/")
	if group != v1beta1.GroupVersion.Group {
		return nil
	}
	r.Objects++
	found := func(level Level, says string) {
		r.Findings = append(r.Findings, Finding{Object: describe(head), Field: fieldOf(says, object), Level: level, Says: says})
	}
	admission := c.kinds[head.TypeMeta]
	if admission == nil {
		found(Rejected, missingKind(head.TypeMeta))
		return nil
	}
	says, err := admission.Create(ctx, raw)
	if err != nil {
		return err
	}
	for _, s := range says {
		found(Rejected, s)
	}
	if head.Kind != "InferenceService" {
		if strings.HasSuffix(head.Kind, "ServingRuntime") {
			r.addRuntime(head.Kind, raw)
		}
		if head.Kind == "ClusterServingRuntime" && r.replacesShipped(head.Name) {
			found(Different, "metadata.name "+head.Name+": this runtime takes the place of Serin's built-in server: give it another name to keep both. With serin up, KServe's image runs the built-in server")
		}
		return nil
	}
	var isvc v1beta1.InferenceService
	content, err := sigsyaml.YAMLToJSON(raw)
	if err == nil {
		err = v1beta1.Decode(content, &isvc)
	}
	if err != nil {
		if len(says) == 0 {
			return fmt.Errorf("read %s: %w", describe(head), err)
		}
		return nil // what is wrong with it was said
	}
	for _, n := range notes(&isvc) {
		found(n.level, n.says)
	}
	if len(says) == 0 {
		r.services = append(r.services, service{object: describe(head), isvc: &isvc})
	}
	return nil
}

// tidy removes what an API server or kubectl adds to an object.
func tidy(object map[string]any) {
	delete(object, "status")
	metadata, ok := object["metadata"].(map[string]any)
	if !ok {
		return
	}
	for _, field := range []string{"creationTimestamp", "finalizers", "generation", "managedFields", "resourceVersion", "selfLink", "uid"} {
		delete(metadata, field)
	}
}

func describe(o metav1.PartialObjectMetadata) string {
	name := o.Name
	if o.Namespace != "" {
		name = o.Namespace + "/" + name
	}
	return strings.ToLower(o.Kind) + "/" + name
}

// missingKind returns what to use in place of a kind that Serin does not have.
func missingKind(t metav1.TypeMeta) string {
	kinds := []string{"InferenceService", "ServingRuntime", "ClusterServingRuntime"}
	if slices.Contains(kinds, t.Kind) {
		return fmt.Sprintf("Serin does not have %s in version %s: write serving.kserve.io/v1beta1 for services, serving.kserve.io/v1alpha1 for runtimes", t.Kind, t.APIVersion)
	}
	return fmt.Sprintf("Serin has no %s: it serves InferenceServices, by ServingRuntimes and ClusterServingRuntimes", t.Kind)
}
