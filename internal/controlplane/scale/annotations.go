// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/api/v1beta1"
)

const prefix = v1beta1.PrefixAutoscaling

// Annotations returns the autoscaling.knative.dev annotations of a revision. A
// field of the spec wins over an annotation of the component, which wins over
// one of the service. Values that are not set are left out: Read has the
// defaults. Old spellings (minScale) become the new ones (min-scale). The target
// is at most the revision's containerConcurrency.
//
// Annotations refuses nothing: Read does.
func Annotations(service, component map[string]string, ext *v1beta1.ComponentExtension, containerConcurrency int64) map[string]string {
	a := spelledAnew(service)
	maps.Copy(a, spelledAnew(component))
	if ext.MinReplicas != nil {
		a[prefix+minScale] = strconv.Itoa(int(*ext.MinReplicas))
	}
	if ext.MaxReplicas != 0 {
		a[prefix+maxScale] = strconv.Itoa(int(ext.MaxReplicas))
	}
	if ext.ScaleMetric != nil {
		a[prefix+metric] = string(*ext.ScaleMetric)
	}
	if ext.ScaleTarget != nil {
		a[prefix+target] = strconv.Itoa(int(*ext.ScaleTarget))
	}
	if containerConcurrency > 0 && a[prefix+metric] != string(v1beta1.ScaleRPS) {
		aim, err := strconv.ParseFloat(a[prefix+target], 64)
		if a[prefix+target] == "" || err == nil && aim > float64(containerConcurrency) {
			a[prefix+target] = strconv.FormatInt(containerConcurrency, 10)
		}
	}
	return a
}

// spelledAnew returns the autoscaling annotations among annotations. The new
// spelling wins over the old one, as in Knative.
func spelledAnew(annotations map[string]string) map[string]string {
	out := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		name, ours := strings.CutPrefix(key, prefix)
		if !ours {
			continue
		}
		if i := slices.IndexFunc(settings, func(k setting) bool { return camelCase(k.name) == name }); i >= 0 {
			name = settings[i].name
			if _, both := annotations[prefix+name]; both && prefix+name != key {
				continue
			}
		}
		out[prefix+name] = annotations[key]
	}
	return out
}

// camelCase returns Knative's first spelling of an annotation.
func camelCase(name string) string {
	words := strings.Split(name, "-")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}
