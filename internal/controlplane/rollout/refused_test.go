// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// An address that somebody else has is said, and changes no share.
func TestARefusedAddressMovesNoTraffic(t *testing.T) {
	w := newWorld()
	w.apply("m1", "", nil)
	w.decide()
	w.revision(1).Ready = 1
	before := w.decide()

	in := w.input()
	in.Refusals = []Refusal{{Message: "Service iris exists and is not Serin's"}}
	p := Decide(in)
	if diff := cmp.Diff(weights(before), weights(p)); diff != "" {
		t.Errorf("weights (-before +after):\n%s", diff)
	}
	for _, c := range p.Status.Conditions {
		if c.Type == v1beta1.ConditionReady && (c.Status != metav1.ConditionFalse || c.Reason != ReasonAddressRefused) {
			t.Errorf("Ready: %+v", c)
		}
	}
	want := []Event{{Warning: true, Reason: ReasonAddressRefused, Message: "Service iris exists and is not Serin's"}}
	if diff := cmp.Diff(want, p.Events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
