// SPDX-License-Identifier: Apache-2.0

package action

import (
	"fmt"
	"strings"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// Refresh asks for a new revision of the model that lies at the storageUri now.
func (r *Rollout) Refresh(now time.Time) (Change, error) {
	uri := render.StorageURI(&r.Service.Spec.Predictor)
	switch {
	case r.Current == nil || r.invalid():
		return Change{}, fmt.Errorf("no revision can be made of the spec: %s 'abort' writes the last good one back", r.Outlook().Next)
	case uri == "":
		return Change{}, fmt.Errorf("%s has no storageUri: there is no model to fetch again", r.Service.Name)
	case strings.HasPrefix(uri, "pvc://"):
		return Change{}, fmt.Errorf("%s is mounted, not fetched: new Pods serve what lies there. Put another model into another folder, and change storageUri", uri)
	}
	at := now.UTC().Format(time.RFC3339)
	predictor := r.Service.Spec.Predictor.DeepCopy()
	if predictor.Annotations == nil {
		predictor.Annotations = map[string]string{}
	}
	predictor.Annotations[v1beta1.AnnotationRefresh] = at
	o := r.simulate(predictor.CanaryTrafficPercent, rollout.Target{Hash: render.Hash(predictor), Model: render.Model(predictor)})
	next := &Revision{Revision: r.input.Next}
	gets := "takes all the traffic"
	if percent, _ := share(o.ready, next); percent < 100 {
		gets = fmt.Sprintf("gets %d%% of the traffic", percent)
	}
	return r.change(set{"annotations": set{v1beta1.AnnotationRefresh: at}},
		"%s, of what lies at %s now, %s %s", next.Name, uri, gets, o.when(next))
}
