// SPDX-License-Identifier: Apache-2.0

// Package rollout decides what a rollout should look like now: which revisions
// must exist and run, who gets what share of the traffic, what the status says,
// and why.
//
// Data flows one way: an Input (the service, its revisions with their health,
// the time) goes into Decide, a Plan comes out. Decide first finds the revision
// of the current spec, then asks an ordered list of small rules (rules.go); the
// first that applies answers, and status, conditions and events follow from its
// answer.
//
// What a rollout must remember lies in the service's own status. So the same
// Input always gives the same Plan, deciding twice changes nothing, and a crash
// between any two writes is harmless. The package refuses to do I/O, to read
// clocks, and to know how a revision is rendered.
package rollout

import (
	"slices"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Input is everything that a decision reads.
type Input struct {
	Service *v1beta1.InferenceService
	// Domain ends the host names of services, such as example.com.
	Domain string
	// Scheme begins the services' URLs: http, if it is empty, or https where
	// something before the router ends TLS.
	Scheme string
	// Private says that the service has no address outside the cluster.
	Private bool
	// Taken are the names that this service wants and others have: the owner by
	// label. See hosts.Taken.
	Taken map[string]string
	// Target is what the current spec asks for.
	Target Target
	// Refusals are the objects that the API server has just refused.
	Refusals []Refusal
	// Revisions exist, oldest first.
	Revisions []Revision
	// Min is the least number of replicas of a revision with traffic. At 0 it
	// may sleep: it keeps its share without a replica, and the router wakes it.
	Min int32
	// Next has the name and number of the next new revision.
	Next Revision
	Now  time.Time
	// Routable returns the error with which the routers' own code refuses this
	// traffic. Nil skips the check: the command line does not link that code.
	Routable func(namespace, name string, traffic []v1beta1.TrafficTarget) error
}

// Target is what the current spec resolves to.
type Target struct {
	// Hash identifies the Pod template, Model the model in it. Without a hash
	// there is no template.
	Hash, Model string
	// Runtime and ClusterRuntime name the serving runtime; one of them is empty.
	Runtime, ClusterRuntime string
	// Invalid says why the spec cannot take effect, if it cannot.
	Invalid *Invalid
}

// Invalid is why no revision can be made from a spec, or why its settings are
// refused.
type Invalid struct {
	Reason  v1beta1.FailureReason
	Message string
}

// Refusal is an object that the API server refuses.
type Refusal struct {
	// Revision is the one that the object belongs to. It is empty for one of the
	// service's addresses.
	Revision string
	// Deployment is set for the revision's Deployment: its Pods may go.
	Deployment bool
	// Message names the object and holds the API server's own sentence.
	Message string
}

// Revision is one immutable template and the health of its Pods.
type Revision struct {
	Name        string
	Number      int
	Hash, Model string
	// Digest is the recorded digest of the model's content; empty until a Pod
	// has reported one.
	Digest string
	// HoldsModel is set if the revision's Pods ask for the recorded content. Those of
	// revisions that an earlier version of Serin made do not.
	HoldsModel bool
	Health
	// Deployed is set if the revision has a Deployment. Drained is set if it can
	// go: it is marked idle, has no replicas, and the last of its Pods has ended.
	Deployed, Drained bool
	// IdleSince is when the revision stopped being active; zero if it is, and
	// without a Deployment.
	IdleSince time.Time
}

// Plan is what should be.
type Plan struct {
	// Revisions are those that must exist, oldest first. Others may be deleted.
	Revisions []PlannedRevision
	Status    v1beta1.InferenceServiceStatus
	// Events are what this decision changed, for people.
	Events []Event
	// Again is when a decision may say more though nothing has changed; zero is never.
	Again time.Time
	// Rule is the name of the rule that answered, Why its reason in a sentence.
	Rule, Why string
}

// PlannedRevision is a revision that must exist.
type PlannedRevision struct {
	Name   string
	Number int
	// New is set if the revision of the current spec does not exist yet.
	New bool
	// Active is set if the revision must have replicas: it has a traffic entry
	// (be it 0%) here or in the stored status, or is being started.
	Active bool
	// Starting is set if an active revision needs a replica whatever the least
	// number is, because it has yet to show that it can serve.
	Starting bool
	// Deployed is set if the revision must have a Deployment. Without one it is
	// history: a record, from which it starts cold if it is wanted again.
	Deployed bool
	// IdleSince is when a deployed, inactive revision became so. Without it, the
	// revision goes to zero at once.
	IdleSince time.Time
	// Digest is that of the model which all Pods of the revision must serve.
	// Empty: they serve what they find.
	Digest string
	// Found is the digest to record for the revision, once and for ever; empty if
	// there is none to record.
	Found string
	// Foreign are the Pods that serve another model. They must be deleted.
	Foreign []string
	// Percent is the share of the traffic; nil without a traffic entry. Shares
	// sum to 100, or there are none.
	Percent *int64
}

// Decide returns what a rollout should be now. It performs no I/O.
func Decide(in Input) Plan {
	s := read(in)
	r, a := s.answer()
	status := bounded(s.status(a))
	return Plan{
		Revisions: s.planned(a, status),
		Status:    status,
		Events:    s.events(r, a, status),
		Again:     s.again(),
		Rule:      r.name,
		Why:       a.why,
	}
}

// again is the earliest time at which more can be said about a revision.
func (s *situation) again() (at time.Time) {
	for _, r := range s.in.Revisions {
		at = earlier(at, r.Look)
	}
	return at
}

// Revision returns the planned revision of a name. It returns nil if the
// revision need not exist.
func (p Plan) Revision(name string) *PlannedRevision {
	return p.first(func(r PlannedRevision) bool { return r.Name == name })
}

// New returns the revision that does not exist yet, nil if all do.
func (p Plan) New() *PlannedRevision {
	return p.first(func(r PlannedRevision) bool { return r.New })
}

func (p Plan) first(is func(PlannedRevision) bool) *PlannedRevision {
	i := slices.IndexFunc(p.Revisions, is)
	if i < 0 {
		return nil
	}
	return &p.Revisions[i]
}
