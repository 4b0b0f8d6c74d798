// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"maps"
	"slices"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Edit is a change of a service's spec.
type Edit struct {
	// Percent is canaryTrafficPercent; nil removes it.
	Percent *int64
	// Target is what the spec asks for.
	Target Target
}

// Simulate returns what Decide answers after an edit of the spec: now, and once
// the service runs and each of its revisions is ready.
func Simulate(in Input, e Edit) (now, ready Plan) {
	edited := *in.Service
	edited.Spec.Predictor.CanaryTrafficPercent = e.Percent
	in.Service, in.Target = &edited, e.Target
	now = Decide(in)

	runs := edited
	runs.Annotations = maps.Clone(edited.Annotations)
	delete(runs.Annotations, v1beta1.AnnotationStop)
	in.Service, in.Refusals = &runs, nil
	in.Revisions = slices.Clone(in.Revisions)
	if n := now.New(); n != nil {
		in.Revisions = append(in.Revisions, Revision{Name: n.Name, Number: n.Number, Hash: e.Target.Hash, Model: e.Target.Model})
	}
	for i := range in.Revisions {
		in.Revisions[i].Health = Health{Ready: max(1, in.Min)}
	}
	return now, Decide(in)
}
