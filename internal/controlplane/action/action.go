// SPDX-License-Identifier: Apache-2.0

// Package action turns the actions of a person on a rollout (promote, set-traffic,
// pause, abort, undo, refresh) into changes of the spec, and says where the rollout stands
// and what happens next.
//
// Objects of the API go into Read; a Rollout comes out. Outlook says in a
// sentence what happens next. Promote, SetTraffic, Pause, Abort, Undo, UndoTo and
// Refresh return a Change, an edit of the spec that anyone could have made by
// hand, or the reason why there is none. Only the rules of package rollout move
// traffic: what a Change does is the difference between the status and the Plans
// of rollout.Simulate.
//
// The package does no I/O and reads no clock.
package action

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
	"github.com/serin-dev/serin/internal/controlplane/scale"
)

// Objects are what the API holds of one service.
type Objects struct {
	// Service is kept as it was sent, so that a patch names only what differs.
	Service     *unstructured.Unstructured
	Records     []appsv1.ControllerRevision
	Deployments []appsv1.Deployment
	Pods        []corev1.Pod
}

// Rollout is the rollout of a service's predictor.
type Rollout struct {
	Service *v1beta1.InferenceService
	// Revisions exist, oldest first.
	Revisions []Revision
	// Current is the revision of the spec, RolledOut the last that had all the
	// traffic, Previous the one before it. Nil if there is none.
	Current, RolledOut, Previous *Revision

	predictor map[string]any // the spec's, as it was sent
	input     rollout.Input  // what the controller decides on
	ready     rollout.Plan   // what follows from the spec once all is ready
}

// Revision is one revision and its health.
type Revision struct {
	rollout.Revision
	Created time.Time
	// Runtime is the runtime that serves the model.
	Runtime string
	// Spec is the predictor's spec that it was made from, without what is not
	// part of a revision. Nil if its record does not hold it.
	Spec map[string]any
	// Share is its percentage of the traffic; nil if it has no entry.
	Share *int64
	State State
	// Wanted is how many Pods it should have now.
	Wanted int32
}

// State is what a revision is to the rollout.
type State string

// States of revisions. A revision of the past has none.
const (
	// Current is the spec's revision, and has been rolled out.
	Current State = "current"
	// Starting is the spec's revision, which takes all traffic once it is ready.
	Starting State = "starting"
	// Canary is the spec's revision while canaryTrafficPercent holds it back.
	Canary State = "canary"
	// RolledBack is the spec's revision after it gave all traffic back.
	RolledBack State = "rolled back"
	// RolledOut is the last revision that had all the traffic.
	RolledOut State = "rolled out"
	// Previous is the revision before it, to which undo goes back.
	Previous State = "previous"
)

// record is what a ControllerRevision stores.
type record struct {
	Hash           string         `json:"hash"`
	Model          string         `json:"model"`
	Runtime        string         `json:"runtime"`
	ClusterRuntime string         `json:"clusterRuntime"`
	HoldsModel     bool           `json:"holdsModel"`
	Spec           map[string]any `json:"spec"`
}

// Read makes a Rollout of what the API holds.
func Read(o Objects) (*Rollout, error) {
	raw, err := o.Service.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("read InferenceService %s: %w", o.Service.GetName(), err)
	}
	service, unreadable := v1beta1.DecodeService(raw) // the controller says what is wrong with it
	if service == nil {
		return nil, fmt.Errorf("read InferenceService %s: %w", o.Service.GetName(), unreadable)
	}
	r := &Rollout{Service: service}
	r.predictor, _, _ = unstructured.NestedMap(o.Service.Object, "spec", "predictor")
	for i := range o.Records {
		if !metav1.IsControlledBy(&o.Records[i], o.Service) {
			continue // of a deleted service of the same name
		}
		r.Revisions = append(r.Revisions, r.revision(&o.Records[i], o))
	}
	slices.SortFunc(r.Revisions, func(a, b Revision) int { return cmp.Compare(a.Number, b.Number) })
	r.input = r.read(unreadable)
	if unreadable == nil {
		for i := range r.Revisions {
			if rev := &r.Revisions[i]; rev.Hash == r.input.Target.Hash {
				r.Current = rev
			}
		}
	}
	status := r.status()
	r.RolledOut = r.Named(status.LatestRolledoutRevision)
	r.Previous = r.Named(status.PreviousRolledoutRevision)
	target := r.input.Target
	target.Invalid = nil // what the spec would mean if it were accepted
	_, r.ready = rollout.Simulate(r.input, rollout.Edit{Percent: service.Spec.Predictor.CanaryTrafficPercent, Target: target})
	for i := range r.Revisions {
		r.Revisions[i].State = r.state(&r.Revisions[i])
	}
	return r, nil
}

// read makes the controller's Input of what the API holds.
func (r *Rollout) read(unreadable error) rollout.Input {
	p := &r.Service.Spec.Predictor
	in := rollout.Input{
		Service: r.Service,
		Target:  rollout.Target{Hash: render.Hash(p), Model: render.Model(p)},
		Min:     least(r.Service),
	}
	if unreadable != nil || r.invalid() {
		in.Target.Invalid = &rollout.Invalid{Reason: v1beta1.InvalidPredictorSpec}
	}
	for _, rev := range r.Revisions {
		in.Revisions = append(in.Revisions, rev.Revision)
	}
	n := rollout.NextNumber(r.Service.Name, in.Revisions, r.status())
	in.Next = rollout.Revision{Name: v1beta1.Predictor.RevisionName(r.Service.Name, n), Number: n}
	return in
}

// least is the least number of replicas of a revision with traffic.
func least(s *v1beta1.InferenceService) int32 {
	p := &s.Spec.Predictor
	settings, err := scale.Read(scale.Annotations(s.Annotations, p.Annotations, &p.ComponentExtension, 0))
	if err != nil {
		return 1 // the controller says that the spec is invalid
	}
	return settings.Min
}

// invalid reports whether the spec cannot take effect as it is: no revision
// could be made of it, or the API server refuses what follows from it.
func (r *Rollout) invalid() bool {
	m := r.Service.Status.ModelStatus
	return r.Observed() && m != nil && m.TransitionStatus == v1beta1.InvalidSpec
}

// revision reads a revision from its record and its Pods. If the record does not
// decode, only its name and its Pods are known.
func (r *Rollout) revision(cr *appsv1.ControllerRevision, o Objects) Revision {
	var rec record
	if err := json.Unmarshal(cr.Data.Raw, &rec); err != nil {
		rec = record{}
	}
	rev := Revision{
		Revision: rollout.Revision{Name: cr.Name, Number: int(cr.Revision), Hash: rec.Hash, Model: rec.Model, Digest: v1beta1.RecordedDigest(cr), HoldsModel: rec.HoldsModel},
		Created:  cr.CreationTimestamp.Time,
		Runtime:  cmp.Or(rec.Runtime, rec.ClusterRuntime),
		Spec:     rec.Spec,
		Share:    r.share(cr.Name),
	}
	rev.readPods(o)
	return rev
}

// readPods reads how many Pods the revision should have, and their health.
func (rev *Revision) readPods(o Objects) {
	of := func(labels map[string]string) bool { return labels[v1beta1.LabelRevision] == rev.Name }
	var deployment *appsv1.Deployment
	if i := slices.IndexFunc(o.Deployments, func(d appsv1.Deployment) bool { return of(d.Labels) }); i >= 0 {
		deployment = &o.Deployments[i]
		rev.Deployed = true
		if deployment.Spec.Replicas != nil {
			rev.Wanted = *deployment.Spec.Replicas
		}
	}
	var pods []corev1.Pod
	for _, p := range o.Pods {
		if of(p.Labels) {
			pods = append(pods, p)
		}
	}
	rev.Health = rollout.HealthOf(rollout.Observed{Pods: pods, Deployment: deployment})
}

func (r *Rollout) status() v1beta1.ComponentStatus {
	return r.Service.Status.Components[v1beta1.Predictor]
}

// Named returns the revision of a name or a number. It returns nil if there is
// none.
func (r *Rollout) Named(name string) *Revision {
	number, err := strconv.Atoi(name)
	for i := range r.Revisions {
		if rev := &r.Revisions[i]; rev.Name == name || err == nil && rev.Number == number {
			return rev
		}
	}
	return nil
}

// share is what the status gives a revision.
func (r *Rollout) share(revision string) *int64 {
	for _, t := range r.status().Traffic {
		if t.RevisionName == revision && t.Percent != nil {
			return t.Percent
		}
	}
	return nil
}

// percent is a revision's share, 0 if it has none.
func (rev *Revision) percent() int64 {
	if rev == nil || rev.Share == nil {
		return 0
	}
	return *rev.Share
}

// held returns canaryTrafficPercent, and whether it holds a revision back.
func (r *Rollout) held() (int64, bool) {
	c := rollout.CanaryPercent(r.Service)
	return c, c < 100
}

func (r *Rollout) state(rev *Revision) State {
	switch rev {
	case r.Current:
		switch percent, _ := share(r.ready, rev); {
		case rev == r.RolledOut:
			return Current
		case percent == 100:
			return Starting
		case percent == 0 && r.RolledOut == r.Previous:
			return RolledBack
		}
		return Canary
	case r.RolledOut:
		return RolledOut
	case r.Previous:
		return Previous
	}
	return ""
}

func (r *Rollout) stopped() bool { return r.Service.Annotations[v1beta1.AnnotationStop] == "true" }

// Observed reports whether the status is about the present spec.
func (r *Rollout) Observed() bool {
	return r.Service.Status.ObservedGeneration >= r.Service.Generation
}

func (r *Rollout) condition(kind string) v1beta1.Condition {
	for _, c := range r.Service.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return v1beta1.Condition{Type: kind, Status: metav1.ConditionUnknown}
}

// names lists the revisions for people.
func (r *Rollout) names() string {
	var out []string
	for _, rev := range r.Revisions {
		out = append(out, fmt.Sprintf("%d (%s)", rev.Number, rev.Name))
	}
	return strings.Join(out, ", ")
}
