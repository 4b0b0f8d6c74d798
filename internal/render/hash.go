// SPDX-License-Identifier: Apache-2.0

package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// defaultTimeout is how long a request may take, in seconds, as in KServe.
const defaultTimeout = 300

// identity is everything that makes two specs different revisions. What is
// not here (traffic, scale, runtimes, the service's own labels and
// annotations) may change without a new revision. A runtime counts by the
// name that the user wrote: editing or adding runtimes restarts nothing.
type identity struct {
	Model                *v1beta1.ModelSpec `json:"model,omitempty"`
	Pod                  v1beta1.PodSpec    `json:"pod"`
	ContainerConcurrency int64              `json:"containerConcurrency"`
	TimeoutSeconds       int64              `json:"timeout"`
	Labels               map[string]string  `json:"labels,omitempty"`
	Annotations          map[string]string  `json:"annotations,omitempty"`
}

// Hash returns the identity of what the user asked for: 16 hex digits of the
// SHA-256 of its canonical JSON (sorted keys, no white space). Spellings that
// mean the same, such as legacy forms, "1000m" for "1", defaults written out
// and empty lists, have the same hash.
func Hash(p *v1beta1.PredictorSpec) string {
	sum := sha256.Sum256(canonical(identity{
		Model:                p.ModelOrLegacy(),
		Pod:                  p.PodSpec,
		ContainerConcurrency: concurrency(p),
		TimeoutSeconds:       timeout(p),
		Labels:               withoutVisibility(p.Labels),
		Annotations:          withoutControl(p.Annotations),
	}))
	return hex.EncodeToString(sum[:8])
}

// content is the part of p that Hash covers, in the user's own words.
func content(p *v1beta1.PredictorSpec) *v1beta1.PredictorSpec {
	c := p.DeepCopy()
	c.ComponentExtension = v1beta1.ComponentExtension{
		ContainerConcurrency: c.ContainerConcurrency,
		TimeoutSeconds:       c.TimeoutSeconds,
		Labels:               withoutVisibility(c.Labels),
		Annotations:          withoutControl(c.Annotations),
	}
	return c
}

// Model returns the identity of the model alone, readable: its format and
// place, or for custom containers the image and its STORAGE_URI.
func Model(p *v1beta1.PredictorSpec) string {
	if m := p.ModelOrLegacy(); m != nil {
		format := m.ModelFormat.Name
		if m.ModelFormat.Version != nil {
			format += ":" + *m.ModelFormat.Version
		}
		return strings.TrimSpace(format + " " + value(m.StorageURI))
	}
	if c := modelContainer(p.Containers); c != nil {
		return strings.TrimSpace(c.Image + " " + storageURI(c))
	}
	return ""
}

// canonical returns JSON that depends on the value alone: not on the order of
// struct fields, nor on which empty fields a Kubernetes version writes out.
func canonical(v any) []byte {
	var plain any
	mustRoundTrip(v, &plain)
	dropEmpty(plain)
	b, err := json.Marshal(plain)
	if err != nil {
		panic(fmt.Sprintf("marshal decoded JSON: %v", err))
	}
	return b
}

// dropEmpty removes the empty resources and the empty name that a container
// writes out. It must not remove empty objects in general: emptyDir: {} and an empty label
// selector mean something.
func dropEmpty(v any) {
	switch v := v.(type) {
	case map[string]any:
		if r, ok := v["resources"].(map[string]any); ok && len(r) == 0 {
			delete(v, "resources")
		}
		if v["name"] == "" {
			delete(v, "name")
		}
		for _, e := range v {
			dropEmpty(e)
		}
	case []any:
		for _, e := range v {
			dropEmpty(e)
		}
	}
}

// mustRoundTrip copies between API types of the same JSON shape. They come
// decoded from JSON, so that failing to encode them is a bug of ours.
func mustRoundTrip(from, to any) {
	b, err := json.Marshal(from)
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber() // a large int64 is no float64
		err = d.Decode(to)
	}
	if err != nil {
		panic(fmt.Sprintf("convert %T to %T: %v", from, to, err))
	}
}

// IsControl reports whether an annotation steers Serin or the autoscaler: it
// neither reaches Pods nor makes a revision.
func IsControl(annotation string) bool {
	switch annotation {
	case v1beta1.AnnotationTagRouting, v1beta1.AnnotationStop, corev1.LastAppliedConfigAnnotation:
		return true
	}
	return strings.HasPrefix(annotation, "serin.dev/") || strings.HasPrefix(annotation, v1beta1.PrefixAutoscaling)
}

// withoutControl returns annotations without those that steer Serin.
func withoutControl(annotations map[string]string) map[string]string {
	out := maps.Clone(annotations)
	maps.DeleteFunc(out, func(k, _ string) bool { return IsControl(k) })
	return out
}

// withoutVisibility returns labels without those that decide who may reach a
// service, which the routers read: no Pod restarts for them.
func withoutVisibility(labels map[string]string) map[string]string {
	out := maps.Clone(labels)
	for _, key := range v1beta1.VisibilityLabels {
		delete(out, key)
	}
	return out
}

func concurrency(p *v1beta1.PredictorSpec) int64 {
	if p.ContainerConcurrency == nil {
		return 0
	}
	return *p.ContainerConcurrency
}

func timeout(p *v1beta1.PredictorSpec) int64 {
	if p.TimeoutSeconds == nil {
		return defaultTimeout
	}
	return min(*p.TimeoutSeconds, v1beta1.MaxTimeoutSeconds)
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
