// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Settings is how a revision scales. Read makes one with all defaults.
type Settings struct {
	// Min and Max bound the replicas of a revision with traffic; Max 0 means
	// no bound.
	Min, Max int32
	// Initial is how many replicas a new revision starts with.
	Initial int32
	// Activation is the least number of replicas other than none.
	Activation int32
	// Metric is what is measured.
	Metric v1beta1.ScaleMetric
	// Target is the load that one replica should have: requests in flight or
	// requests per second, utilization taken off already.
	Target float64
	// Window is the time over which load is averaged, PanicWindow the shorter
	// one that shows a sudden rise.
	Window, PanicWindow time.Duration
	// PanicThreshold is how many times the ready replicas the panic window must
	// ask for to start a panic.
	PanicThreshold float64
	// ScaleDownDelay is how long less must have been enough before there is less.
	ScaleDownDelay time.Duration
	// Retention is how much longer than Window the last replica stays.
	Retention time.Duration
}

// Start is how many ready replicas a new revision needs for its first share.
func (s Settings) Start() int32 {
	n := max(1, s.Min, s.Initial)
	if s.Max > 0 {
		n = min(n, s.Max)
	}
	return n
}

// Names used in more than one place.
const (
	minScale = "min-scale"
	maxScale = "max-scale"
	metric   = "metric"
	target   = "target"
)

// Targets of a service that sets none, as in Knative.
const (
	defaultConcurrency = 100
	defaultRPS         = 200
	leastTarget        = 0.01
)

// setting is an annotation. The error of its read says what is allowed.
type setting struct {
	name string
	read func(s *reading, value string) error
}

// reading holds Settings while they are read.
type reading struct {
	Settings
	utilization, panicPart float64 // parts of 1
}

// settings are all annotations of Knative, with Knative's bounds.
var settings = []setting{
	{"class", func(_ *reading, v string) error {
		if v != "kpa.autoscaling.knative.dev" {
			return errors.New("only scaling by requests works: remove it, or write kpa.autoscaling.knative.dev")
		}
		return nil
	}},
	{metric, func(s *reading, v string) error {
		s.Metric = v1beta1.ScaleMetric(v)
		if s.Metric != v1beta1.ScaleConcurrency && s.Metric != v1beta1.ScaleRPS {
			return errors.New("requests are measured, not cpu or memory: write concurrency or rps")
		}
		return nil
	}},
	{"metric-aggregation-algorithm", func(_ *reading, v string) error {
		if v != "linear" {
			return errors.New("every second of a window counts the same: remove it, or write linear")
		}
		return nil
	}},
	{target, func(s *reading, v string) (err error) {
		s.Target, err = number(v, leastTarget, math.MaxInt32)
		return err
	}},
	{"target-utilization-percentage", func(s *reading, v string) (err error) {
		s.utilization, err = percent(v, 1, 100)
		return err
	}},
	{"target-burst-capacity", func(_ *reading, v string) error {
		// The router is always in the path and holds requests without a Pod.
		_, err := number(v, -1, math.MaxInt32)
		return err
	}},
	{minScale, func(s *reading, v string) (err error) {
		s.Min, err = count(v, 0)
		return err
	}},
	{maxScale, func(s *reading, v string) (err error) {
		s.Max, err = count(v, 0)
		return err
	}},
	{"initial-scale", func(s *reading, v string) (err error) {
		// A revision gets its share only after it has been ready once.
		s.Initial, err = count(v, 1)
		return err
	}},
	{"activation-scale", func(s *reading, v string) (err error) {
		s.Activation, err = count(v, 1)
		return err
	}},
	{"window", func(s *reading, v string) (err error) {
		s.Window, err = duration(v, 6*time.Second, time.Hour)
		return err
	}},
	{"panic-window-percentage", func(s *reading, v string) (err error) {
		s.panicPart, err = percent(v, 1, 100)
		return err
	}},
	{"panic-threshold-percentage", func(s *reading, v string) (err error) {
		s.PanicThreshold, err = percent(v, 110, 1000)
		return err
	}},
	{"scale-down-delay", func(s *reading, v string) (err error) {
		s.ScaleDownDelay, err = duration(v, 0, time.Hour)
		return err
	}},
	{"scale-to-zero-pod-retention-period", func(s *reading, v string) (err error) {
		s.Retention, err = duration(v, 0, time.Hour)
		return err
	}},
}

// Read reads what Annotations returned, and ignores all other annotations. Its
// error is for the user: it names each wrong key, its value and the allowed
// values. A key that Knative does not have is an error too: it is misspelt.
func Read(annotations map[string]string) (Settings, error) {
	s := reading{
		Settings: Settings{
			Min: 1, Initial: 1, Activation: 1,
			Metric:         v1beta1.ScaleConcurrency,
			Window:         time.Minute,
			PanicThreshold: 2,
		},
		utilization: 0.7,
		panicPart:   0.1,
	}
	var wrong []string
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		name, ours := strings.CutPrefix(key, prefix)
		if !ours {
			continue
		}
		if err := s.read(name, annotations[key]); err != nil {
			wrong = append(wrong, fmt.Sprintf("annotation %s %.64q: %v", key, annotations[key], err))
		}
	}
	if len(wrong) == 0 {
		wrong = s.contradictions()
	}
	if len(wrong) > 0 {
		return Settings{}, errors.New(strings.Join(wrong, "; "))
	}
	s.complete()
	return s.Settings, nil
}

func (s *reading) read(name, value string) error {
	for _, k := range settings {
		if k.name == name {
			return k.read(s, value)
		}
	}
	names := make([]string, len(settings))
	for i, k := range settings {
		names[i] = k.name
	}
	return fmt.Errorf("there is no such setting: remove it, or write one of %s", strings.Join(names, ", "))
}

func (s *reading) contradictions() []string {
	var wrong []string
	if s.Max > 0 && s.Min > s.Max {
		wrong = append(wrong, fmt.Sprintf("the least number of replicas, %d, is more than the most, %d: change minReplicas or maxReplicas, or the annotations %smin-scale or max-scale", s.Min, s.Max, prefix))
	}
	if s.Max > 0 && s.Activation > s.Max {
		wrong = append(wrong, fmt.Sprintf("annotation %sactivation-scale %d is more than the most replicas, %d: change it, or maxReplicas", prefix, s.Activation, s.Max))
	}
	return wrong
}

// complete fills in what follows from several annotations.
func (s *reading) complete() {
	if s.Target == 0 {
		s.Target = defaultConcurrency
		if s.Metric == v1beta1.ScaleRPS {
			s.Target = defaultRPS
		}
	}
	s.Target = max(leastTarget, s.Target*s.utilization)
	s.PanicWindow = max(time.Second, time.Duration(float64(s.Window)*s.panicPart))
}

func number(v string, least, most float64) (float64, error) {
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || !(f >= least && f <= most) { // NaN is neither
		return 0, fmt.Errorf("write a number %s", bounds(least, most))
	}
	return f, nil
}

func percent(v string, least, most float64) (float64, error) {
	f, err := number(v, least, most)
	return f / 100, err
}

func count(v string, least int32) (int32, error) {
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil || int32(n) < least {
		return 0, fmt.Errorf("write a whole number %s", bounds(float64(least), math.MaxInt32))
	}
	return int32(n), nil
}

func bounds(least, most float64) string {
	if most == math.MaxInt32 {
		return fmt.Sprintf("of %g or more", least)
	}
	return fmt.Sprintf("from %g to %g", least, most)
}

func duration(v string, least, most time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(v)
	if err != nil || d < least || d > most || d%time.Second != 0 {
		return 0, fmt.Errorf("write whole seconds from %v to %v, such as 90s or 2m", least, most)
	}
	return d, nil
}
