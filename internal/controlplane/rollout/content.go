// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Fetched is what the fetch of one Pod reported.
type Fetched struct {
	Pod    string
	Digest string
	Ready  bool
}

// fetched lists the Pods that reported a digest, the oldest first. Pods that are
// being deleted do not count.
func fetched(pods []corev1.Pod) (out []Fetched) {
	pods = slices.SortedFunc(slices.Values(pods), func(a, b corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	for i := range pods {
		p := &pods[i]
		if digest := v1beta1.PodModelDigest(p); digest != "" && !v1beta1.PodLeaving(p) {
			out = append(out, Fetched{Pod: p.Name, Digest: digest, Ready: v1beta1.PodReady(p) != nil})
		}
	}
	return out
}

// content is which model the Pods of a revision may serve.
type content struct {
	// digest is the one that all of them must serve; empty if the revision is
	// not held to one.
	digest string
	// found is the digest to record; empty if one is recorded, or none reported.
	found string
	// foreign are the Pods that serve another one. They fetched before the
	// digest was recorded.
	foreign []string
}

// hold finds the content of every revision. A Pod that serves another, or one
// that is not recorded yet, does not count as ready: no traffic moves to a
// revision whose content may still turn out to be another.
func (s *situation) hold() {
	s.contents = make(map[string]content)
	s.in.Revisions = slices.Clone(s.in.Revisions)
	for i := range s.in.Revisions {
		r := &s.in.Revisions[i]
		s.contents[r.Name] = s.content(r)
	}
}

// content finds that of one revision, and takes the Pods that serve another from
// its ready ones.
func (s *situation) content(r *Revision) (c content) {
	if r.Digest == "" && len(r.Fetched) > 0 {
		c.found = r.Fetched[0].Digest
	}
	if !r.HoldsModel || s.mutable() || s.drifted(r) {
		return c
	}
	c.digest = r.Digest
	for _, f := range r.Fetched {
		if f.Digest == r.Digest {
			continue
		}
		if f.Ready {
			r.Ready--
		}
		if r.Digest != "" {
			c.foreign = append(c.foreign, f.Pod)
		}
	}
	return c
}

// mutable reports whether the user lets Pods of one revision serve different
// models.
func (s *situation) mutable() bool {
	const key = v1beta1.AnnotationMutableModel
	return s.in.Service.Annotations[key] == "true" || s.in.Service.Spec.Predictor.Annotations[key] == "true"
}

// drifted reports whether a revision with traffic was not held to its content
// until now, and no Pod serves it any more. It stays so until it is refreshed:
// holding it would end all that serve, and none could follow.
func (s *situation) drifted(r *Revision) bool {
	if _, had := s.oldShare(r.Name); !had || s.in.Service.Status.ModelDigests[r.Name] != "" {
		return false
	}
	return !slices.ContainsFunc(r.Fetched, func(f Fetched) bool { return f.Digest == r.Digest })
}

// digests are those of the revisions with traffic, for the routers.
func (s *situation) digests(a answer) map[string]v1beta1.ModelDigest {
	var out map[string]v1beta1.ModelDigest
	for _, w := range a.weights {
		if digest := s.contents[w.Revision].digest; digest != "" {
			if out == nil {
				out = make(map[string]v1beta1.ModelDigest)
			}
			out[w.Revision] = v1beta1.ModelDigest(digest)
		}
	}
	return out
}

// changed returns a revision that should run and whose new Pods do not start,
// because its model is no longer where it was. It returns nil if there is none.
func (s *situation) changed(a answer) *Revision {
	for i := range s.in.Revisions {
		r := &s.in.Revisions[i]
		if f := r.Failure; f != nil && f.Reason == v1beta1.ModelChanged && s.needed(r.Name, a) {
			return r
		}
	}
	return nil
}
