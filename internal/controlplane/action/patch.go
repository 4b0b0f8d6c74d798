// SPDX-License-Identifier: Apache-2.0

package action

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/render"
)

// set is what a merge patch sets in the predictor's spec; nil removes.
type set map[string]any

// change is a Change that merges a patch, or a set, into the predictor.
func (r *Rollout) change(predictor any, format string, args ...any) (Change, error) {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"predictor": predictor}})
	return Change{Patch: patch, Summary: fmt.Sprintf(format, args...)}, err
}

// kept are the fields that are no part of a revision. They stay when an earlier
// spec is written back, except canaryTrafficPercent, which would hold it back.
var kept = []string{"minReplicas", "maxReplicas", "scaleTarget", "scaleMetric"}

// restore is a Change that makes the spec that of a revision.
func (r *Rollout) restore(to *Revision, format string, args ...any) (Change, error) {
	if to.Spec == nil {
		return Change{}, fmt.Errorf("revision %s was recorded without its spec: apply its manifest again", to.Name)
	}
	wanted := maps.Clone(to.Spec)
	for _, field := range kept {
		if v, ok := r.predictor[field]; ok {
			wanted[field] = v
		}
	}
	for field, control := range map[string]func(string) bool{"annotations": render.IsControl, "labels": isVisibility} {
		if m := merged(field, to.Spec, r.predictor, control); len(m) > 0 {
			wanted[field] = m
		} else {
			delete(wanted, field)
		}
	}
	before, err := json.Marshal(r.predictor)
	if err != nil {
		return Change{}, err
	}
	after, err := json.Marshal(wanted)
	if err != nil {
		return Change{}, err
	}
	patch, err := jsonpatch.CreateMergePatch(before, after)
	if err != nil {
		return Change{}, fmt.Errorf("compare the spec with that of %s: %w", to.Name, err)
	}
	return r.change(json.RawMessage(patch), format, args...)
}

// merged returns a revision's annotations or labels and, of the present ones,
// those that are no part of any.
func merged(field string, revision, present map[string]any, control func(string) bool) map[string]any {
	out := map[string]any{}
	for _, from := range []struct {
		spec    map[string]any
		control bool
	}{{revision, false}, {present, true}} {
		m, _ := from.spec[field].(map[string]any)
		for k, v := range m {
			if control(k) == from.control {
				out[k] = v
			}
		}
	}
	return out
}

func isVisibility(label string) bool { return slices.Contains(v1beta1.VisibilityLabels, label) }
