// SPDX-License-Identifier: Apache-2.0

package action

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// Outcome is how far the rollout has come.
type Outcome string

// Outcomes.
const (
	// Settled means that all the spec asks for is in effect.
	Settled Outcome = "settled"
	// Progressing means that it will be, as things are.
	Progressing Outcome = "progressing"
	// Failed means that a person must act.
	Failed Outcome = "failed"
)

// Outlook is where a rollout stands, and what happens next and why.
type Outlook struct {
	Outcome Outcome
	Next    string
}

// outlooks are asked in this order; the first that answers wins.
var outlooks = []func(*Rollout) (Outlook, bool){
	unobserved,
	stopped,
	invalid,
	failing,
	waitingForPrevious,
	firstStarts,
	notReady,
	rolledBack,
	canary,
	rolledOut,
}

// Outlook says where the rollout stands.
func (r *Rollout) Outlook() Outlook {
	for _, answer := range outlooks {
		if o, ok := answer(r); ok {
			if c := r.condition(v1beta1.ConditionModelChanged); o.Outcome != Failed && c.Status == metav1.ConditionTrue {
				o.Next += " But new Pods do not start. " + c.Message
			}
			if why := r.soFar(); o.Outcome == Progressing && why != "" {
				o.Next += " So far, " + why + "."
			}
			return o
		}
	}
	return Outlook{Progressing, "The controller has not said yet what this spec means."}
}

// soFar is what keeps the Pods from being ready.
func (r *Rollout) soFar() string {
	m := r.Service.Status.ModelStatus
	if m == nil || m.LastFailureInfo == nil || m.LastFailureInfo.Reason == v1beta1.ModelChanged || !r.Observed() {
		return ""
	}
	return m.LastFailureInfo.Sentence()
}

func settled(format string, args ...any) Outlook {
	return Outlook{Settled, fmt.Sprintf(format, args...)}
}

func progressing(format string, args ...any) Outlook {
	return Outlook{Progressing, fmt.Sprintf(format, args...)}
}

func failed(format string, args ...any) Outlook {
	return Outlook{Failed, fmt.Sprintf(format, args...)}
}

func unobserved(r *Rollout) (Outlook, bool) {
	return progressing("The controller has not looked at the latest change yet."), !r.Observed()
}

func stopped(r *Rollout) (Outlook, bool) {
	return settled("The service is stopped: nothing runs until its annotation %s is removed.", v1beta1.AnnotationStop), r.stopped()
}

func invalid(r *Rollout) (Outlook, bool) {
	if !r.invalid() {
		return Outlook{}, false
	}
	why := "no revision can be made of it"
	if f := r.Service.Status.ModelStatus.LastFailureInfo; f != nil {
		why = f.Message
	}
	return failed("The spec is invalid: %s. %s", why, r.meanwhile()), true
}

func failing(r *Rollout) (Outlook, bool) {
	c := r.condition(v1beta1.ConditionPredictorReady)
	return failed("%s. %s", c.Message, r.meanwhile()), c.Status == metav1.ConditionFalse
}

func waitingForPrevious(r *Rollout) (Outlook, bool) {
	c := r.condition(v1beta1.ConditionPredictorReady)
	if c.Reason != rollout.ReasonWaitingForPrevious || r.Previous == nil {
		return Outlook{}, false
	}
	return progressing("%s is starting (%s); once it is ready, the traffic goes back to it. %s",
		r.Previous.Name, r.pods(r.Previous), r.meanwhile()), true
}

func firstStarts(r *Rollout) (Outlook, bool) {
	if r.RolledOut != nil || r.Current == nil {
		return Outlook{}, false
	}
	return progressing("%s is the first revision: it takes all the traffic once it is ready (%s).", r.Current.Name, r.pods(r.Current)), true
}

func notReady(r *Rollout) (Outlook, bool) {
	if r.Current == nil || r.condition(v1beta1.ConditionReady).Status == metav1.ConditionTrue {
		return Outlook{}, false
	}
	n := r.Current.Name
	gets := fmt.Sprintf("%s takes all the traffic", n)
	switch percent, _ := share(r.ready, r.Current); {
	case r.Current == r.RolledOut:
		return progressing("%s is waiting for its Pods (%s). %s", n, r.pods(r.Current), r.meanwhile()), true
	case r.goesBack(r.ready):
		return progressing("%s takes all the traffic back once it is ready (%s). %s", r.Previous.Name, r.pods(r.Previous), r.meanwhile()), true
	case percent < 100:
		gets = fmt.Sprintf("%s gets %d%% of the traffic", n, percent)
	}
	return progressing("%s once it is ready (%s). %s", gets, r.pods(r.Current), r.meanwhile()), true
}

func rolledBack(r *Rollout) (Outlook, bool) {
	if r.Current == nil || r.Current.State != RolledBack {
		return Outlook{}, false
	}
	return settled("%s gets nothing: all the traffic is with %s. 'abort' writes the spec of %s back, 'promote' gives %s everything.",
		r.Current.Name, r.RolledOut.Name, r.RolledOut.Name, r.Current.Name), true
}

func canary(r *Rollout) (Outlook, bool) {
	if r.Current == nil || r.Current.State != Canary {
		return Outlook{}, false
	}
	percent, _ := r.held()
	return settled("%s stays at %d%% until somebody decides: 'promote' gives it everything, 'abort' nothing.", r.Current.Name, percent), true
}

func rolledOut(r *Rollout) (Outlook, bool) {
	if r.Current == nil || r.Current != r.RolledOut {
		return Outlook{}, false
	}
	all := r.Current.Name + " has all the traffic."
	c, held := r.held()
	switch {
	case held:
		return settled("%s canaryTrafficPercent %d means nothing: there is no previous revision to split with.", all, c), true
	case r.goesBack(r.asked(0).ready):
		return settled("%s 'undo' gives it back to %s.", all, r.Previous.Name), true
	}
	return settled("%s", all), true
}

// meanwhile says which revision has the traffic until then.
func (r *Rollout) meanwhile() string {
	var most *Revision
	for i := range r.Revisions {
		if rev := &r.Revisions[i]; rev.percent() > most.percent() {
			most = rev
		}
	}
	switch {
	case most == nil:
		return "Nothing serves yet."
	case most.percent() == 100:
		return fmt.Sprintf("Until then %s has all the traffic.", most.Name)
	}
	return fmt.Sprintf("Until then the traffic stays as it is, %d%% with %s.", most.percent(), most.Name)
}

// pods reads like "0 of 1 Pods ready". A revision of the past has no Deployment
// until it is wanted again.
func (r *Rollout) pods(rev *Revision) string {
	if !rev.Deployed {
		return "not started yet"
	}
	return fmt.Sprintf("%d of %d Pods ready", rev.Ready, max(1, r.input.Min, rev.Wanted))
}
