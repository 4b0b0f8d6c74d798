// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Demand is what a rollout asks of a revision's replicas. The controller writes
// it on the revision's Deployment as annotations, and the autoscaler reads it.
type Demand struct {
	// Active revisions have replicas; others go to zero, after a delay that
	// counts from IdleSince.
	Active bool
	// IdleSince is when the revision ceased to be active, to the second. It is
	// zero while the revision is active, and if it never was.
	IdleSince time.Time
	// Min is the least number of replicas while active: at least 1 for a revision
	// that has yet to show that it can serve.
	Min int32
	// Max is the most; 0 means no bound.
	Max int32
	// Tuning holds the autoscaling.knative.dev annotations, as Annotations
	// returns them and Read reads them.
	Tuning map[string]string
}

// Annotations returns the annotations of the Deployment.
func (d Demand) Annotations() map[string]string {
	a := map[string]string{
		v1beta1.AnnotationActive:      strconv.FormatBool(d.Active),
		v1beta1.AnnotationMinReplicas: strconv.Itoa(int(d.Min)),
		v1beta1.AnnotationMaxReplicas: strconv.Itoa(int(d.Max)),
	}
	maps.Copy(a, d.Tuning)
	if !d.Active && !d.IdleSince.IsZero() {
		a[v1beta1.AnnotationIdleSince] = d.IdleSince.UTC().Format(time.RFC3339)
	}
	return a
}

// ParseDemand reads what Annotations made. Its error names every annotation that
// is missing or broken; the rest of the Demand is as good as it can be.
func ParseDemand(annotations map[string]string) (Demand, error) {
	d := Demand{Min: 1, Tuning: map[string]string{}}
	var wrong []string
	read := func(key string, parse func(string) error) {
		if err := parse(annotations[key]); err != nil {
			wrong = append(wrong, fmt.Sprintf("annotation %s %.64q: %v", key, annotations[key], err))
		}
	}
	read(v1beta1.AnnotationActive, func(s string) (err error) {
		d.Active, err = strconv.ParseBool(s)
		return err
	})
	read(v1beta1.AnnotationMinReplicas, func(s string) error { return setCount(&d.Min, s) })
	if annotations[v1beta1.AnnotationMaxReplicas] != "" {
		read(v1beta1.AnnotationMaxReplicas, func(s string) error { return setCount(&d.Max, s) })
	}
	if _, ok := annotations[v1beta1.AnnotationIdleSince]; ok && !d.Active {
		read(v1beta1.AnnotationIdleSince, func(s string) (err error) {
			d.IdleSince, err = time.Parse(time.RFC3339, s)
			return err
		})
	}
	for k, v := range annotations {
		if strings.HasPrefix(k, v1beta1.PrefixAutoscaling) {
			d.Tuning[k] = v
		}
	}
	if len(wrong) > 0 {
		return d, errors.New(strings.Join(wrong, "; "))
	}
	return d, nil
}

// setCount sets n to the number in s, or leaves it as it is.
func setCount(n *int32, s string) error {
	read, err := count(s, 0)
	if err == nil {
		*n = read
	}
	return err
}
