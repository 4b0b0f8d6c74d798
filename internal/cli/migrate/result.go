// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/controlplane/scale"
	"github.com/serin-dev/serin/internal/manifest"
)

// service is a service that the API server would accept.
type service struct {
	file, object string
	isvc         *v1beta1.InferenceService
}

// Text is the sentence, with the whole path of the field.
func (f Finding) Text() string {
	if strings.Contains(f.Says, f.Field) {
		return f.Says
	}
	if key, says, ok := strings.Cut(f.Says, ": "); ok && strings.HasSuffix(f.Field, "["+key+"]") {
		return f.Field + ": " + says
	}
	return f.Field + ": " + f.Says
}

// Add adds the result of a file.
func (r *Result) Add(file string, of Result) {
	r.Objects += of.Objects
	for _, f := range of.Findings {
		f.File = file
		r.Findings = append(r.Findings, f)
	}
	for _, s := range of.services {
		s.file = file
		r.services = append(r.services, s)
	}
	r.runtimes = append(r.runtimes, of.runtimes...)
	r.cluster = append(r.cluster, of.cluster...)
}

// addRuntime keeps a runtime for the services that may need it. It skips one that
// cannot be read, for which there is a finding.
func (r *Result) addRuntime(kind string, raw []byte) {
	if kind == "ServingRuntime" {
		var s v1alpha1.ServingRuntime
		if err := sigsyaml.Unmarshal(raw, &s); err == nil {
			r.runtimes = append(r.runtimes, s)
		}
		return
	}
	var s v1alpha1.ClusterServingRuntime
	if err := sigsyaml.Unmarshal(raw, &s); err == nil {
		r.cluster = append(r.cluster, s)
	}
}

// CheckPods adds a finding for each service without a runtime, neither one of
// Serin's own nor one in any file, and the errors of validate for the Deployments
// of all others. A manifest without a namespace matches every namespace.
func (r *Result) CheckPods(validate func(*appsv1.Deployment) ([]string, error)) error {
	shipped, err := shippedRuntimes()
	if err != nil {
		return err
	}
	for _, s := range r.services {
		near := slices.Clone(r.runtimes)
		for i := range near {
			if near[i].Namespace == "" || s.isvc.Namespace == "" {
				near[i].Namespace = s.isvc.Namespace
			}
		}
		cluster := slices.Concat(r.cluster, shipped)
		err := render.Served(s.isvc, near, cluster)
		if err == nil {
			says, err := unmakeable(s.isvc, near, cluster, validate)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", s.file, s.object, err)
			}
			for _, s2 := range says {
				r.Findings = append(r.Findings, Finding{File: s.file, Object: s.object, Field: "spec.predictor", Level: Rejected, Says: s2})
			}
			continue
		}
		field := modelField(&s.isvc.Spec.Predictor)
		r.Findings = append(r.Findings, Finding{
			File: s.file, Object: s.object, Field: field, Level: Missing,
			Says: fmt.Sprintf("%s: %v. If your cluster has one, check it too: 'kubectl get servingruntimes,clusterservingruntimes -A -o yaml' prints them", field, err),
		})
	}
	// Beside what else was found in the object.
	place := map[[2]string]int{}
	for i, f := range r.Findings {
		if _, seen := place[[2]string{f.File, f.Object}]; !seen {
			place[[2]string{f.File, f.Object}] = i
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return place[[2]string{a.File, a.Object}] - place[[2]string{b.File, b.Object}]
	})
	return nil
}

// unmakeable returns why no Pod can be made from a service's spec.
func unmakeable(isvc *v1beta1.InferenceService, near []v1alpha1.ServingRuntime, cluster []v1alpha1.ClusterServingRuntime, validate func(*appsv1.Deployment) ([]string, error)) ([]string, error) {
	isvc = isvc.DeepCopy()
	isvc.UID = "of-an-owner" // the API server gives one
	if isvc.Namespace == "" {
		isvc.Namespace = "default"
	}
	t, err := render.Resolve(isvc, near, cluster, render.Options{FetchImage: "fetch", QueueImage: "queue"})
	if err != nil {
		return []string{err.Error()}, nil
	}
	objects := render.Objects(isvc, render.Revision{Name: v1beta1.Predictor.RevisionName(isvc.Name, 1), Number: 1, Template: t, Scale: scale.Demand{Active: true}})
	var d appsv1.Deployment
	raw, err := json.Marshal(objects.Deployment)
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	if err != nil {
		return nil, err
	}
	says, err := validate(&d)
	for i := range says {
		says[i] = "no Pod can be made of it: " + says[i]
	}
	return says, err
}

// modelField is where a predictor names its runtime, or the format for which
// one is chosen.
func modelField(p *v1beta1.PredictorSpec) string {
	switch m := p.ModelOrLegacy(); {
	case m.Runtime != nil && p.Model != nil:
		return "spec.predictor.model.runtime"
	case p.Model != nil:
		return "spec.predictor.model.modelFormat"
	default:
		return "spec.predictor." + m.ModelFormat.Name
	}
}

// shippedRuntimes are those of every Serin.
func shippedRuntimes() ([]v1alpha1.ClusterServingRuntime, error) {
	objects, err := manifest.Read(render.Runtimes)
	if err != nil {
		return nil, err
	}
	out := make([]v1alpha1.ClusterServingRuntime, len(objects))
	for i, o := range objects {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &out[i]); err != nil {
			return nil, errors.Join(fmt.Errorf("read runtime %s", o.GetName()), err)
		}
	}
	return out, nil
}

// replacesShipped reports whether the runtime that was read last has the name of
// one of Serin's and runs another server.
func (r *Result) replacesShipped(name string) bool {
	last := len(r.cluster) - 1
	if last < 0 || r.cluster[last].Name != name {
		return false
	}
	shipped, err := shippedRuntimes()
	return err == nil && slices.ContainsFunc(shipped, func(s v1alpha1.ClusterServingRuntime) bool { return s.Name == name }) &&
		!slices.ContainsFunc(r.cluster[last].Spec.Containers, func(c corev1.Container) bool {
			return strings.Contains(c.Image, "modelserver") // whatever registry Serin's images come from
		})
}

// path is a field's, at the beginning of a sentence about it or after "field".
var path = regexp.MustCompile(`^(?:unknown field )?((?:spec|metadata)\b[^\s:]*)`)

// fieldOf finds the field that a finding is about: each names it first, by its
// path or as an annotation or label.
func fieldOf(says string, object map[string]any) string {
	if m := path.FindStringSubmatch(says); m != nil {
		return m[1]
	}
	for _, where := range [][]string{{"metadata", "annotations"}, {"metadata", "labels"}, {"spec", "predictor", "annotations"}, {"spec", "predictor", "labels"}} {
		all, _, _ := unstructured.NestedMap(object, where...)
		for _, key := range slices.Sorted(maps.Keys(all)) {
			if strings.Contains(says, key) {
				return strings.Join(where, ".") + "[" + key + "]"
			}
		}
	}
	if strings.Contains(says, "another version") {
		return "apiVersion"
	}
	if strings.HasPrefix(says, "Serin has no ") {
		return "kind"
	}
	return "spec"
}
