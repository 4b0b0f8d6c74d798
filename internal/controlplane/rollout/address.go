// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"fmt"

	"github.com/serin-dev/serin/api/v1beta1"
)

// url is where a name is called from: outside, or inside if the service is
// private. It is empty if another service has the name.
func (s *situation) url(label string) string {
	namespace := s.in.Service.Namespace
	switch {
	case s.in.Taken[label] != "":
		return ""
	case s.in.Private:
		return inside(label, namespace)
	}
	return fmt.Sprintf("%s://%s.%s.%s", cmp.Or(s.in.Scheme, "http"), label, namespace, s.in.Domain)
}

// tagURL is where a tag is called. Within the cluster tags have no names: the
// header asks for them.
func (s *situation) tagURL(tag string) string {
	if s.in.Private {
		return ""
	}
	return s.url(v1beta1.Predictor.Host(tag, s.in.Service.Name))
}

// address is where a name is called within the cluster.
func (s *situation) address(label string) *v1beta1.Address {
	if s.in.Taken[label] != "" {
		return nil
	}
	return &v1beta1.Address{URL: inside(label, s.in.Service.Namespace)}
}

func inside(label, namespace string) string {
	return fmt.Sprintf("http://%s.%s.svc.cluster.local", label, namespace)
}

// addressState is False while another service has one of the service's names.
func (s *situation) addressState() state {
	name := s.in.Service.Name
	for _, label := range []string{name, v1beta1.Predictor.Host("", name)} {
		if owner := s.in.Taken[label]; owner != "" {
			return isFalse(ReasonAddressTaken, fmt.Sprintf("%s is a name of InferenceService %s, which had it first: give one of the two another name", label, owner))
		}
	}
	return isTrue
}

// tagState is False while another service has the host of one of the tags.
func (s *situation) tagState(traffic []v1beta1.TrafficTarget) state {
	if s.in.Private {
		return isTrue
	}
	for _, t := range traffic {
		if t.Tag == "" {
			continue
		}
		label := v1beta1.Predictor.Host(t.Tag, s.in.Service.Name)
		if owner := s.in.Taken[label]; owner != "" {
			return isFalse(ReasonAddressTaken, fmt.Sprintf("%s, the host of tag %s, is a name of InferenceService %s, which had it first: ask for the tag by the header %s", label, t.Tag, owner, v1beta1.HeaderTag))
		}
	}
	return isTrue
}
