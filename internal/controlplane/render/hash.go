// SPDX-License-Identifier: Apache-2.0

package render

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/api/v1beta1"
)

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
		Pod:                  plainPod(p.PodSpec),
		ContainerConcurrency: ptr.Deref(p.ContainerConcurrency, 0),
		TimeoutSeconds:       timeout(p),
		Labels:               withoutVisibility(p.Labels),
		Annotations:          withoutControl(p.Annotations),
	}))
	return hex.EncodeToString(sum[:8])
}

// plainPod is p in the words of today, without what is the only choice.
func plainPod(p v1beta1.PodSpec) v1beta1.PodSpec {
	p.ServiceAccountName = cmp.Or(p.ServiceAccountName, p.ServiceAccount)
	p.ServiceAccount = ""
	if p.RestartPolicy == corev1.RestartPolicyAlways {
		p.RestartPolicy = ""
	}
	return p
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
// place, or for custom containers the image and its STORAGE_URI, and when it was
// refreshed.
func Model(p *v1beta1.PredictorSpec) string {
	model := place(p)
	if at := p.Annotations[v1beta1.AnnotationRefresh]; at != "" && model != "" {
		model += " refreshed " + at
	}
	return model
}

func place(p *v1beta1.PredictorSpec) string {
	if m := p.ModelOrLegacy(); m != nil {
		format := m.ModelFormat.Name
		if m.ModelFormat.Version != nil {
			format += ":" + *m.ModelFormat.Version
		}
		return strings.TrimSpace(format + " " + ptr.Deref(m.StorageURI, ""))
	}
	if c := modelContainer(p.Containers); c != nil {
		return strings.TrimSpace(c.Image + " " + storageURI(c))
	}
	return ""
}

// StorageURI returns where the predictor's model is fetched from, or nothing.
func StorageURI(p *v1beta1.PredictorSpec) string {
	if m := p.ModelOrLegacy(); m != nil {
		return ptr.Deref(m.StorageURI, "")
	}
	if c := modelContainer(p.Containers); c != nil {
		return storageURI(c)
	}
	return ""
}
