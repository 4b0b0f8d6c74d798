// SPDX-License-Identifier: Apache-2.0

package scale_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/scale"
)

const kn = "autoscaling.knative.dev/"

func TestAnnotations(t *testing.T) {
	type layers struct {
		service, component map[string]string
		ext                v1beta1.ComponentExtension
		concurrency        int64
	}
	for name, tt := range map[string]struct {
		in   layers
		want map[string]string
	}{
		"nothing set says nothing": {layers{}, map[string]string{}},
		"annotations of others are left out": {
			layers{service: map[string]string{"team": "iris", kn + "window": "30s"}},
			map[string]string{kn + "window": "30s"},
		},
		"the component's annotation wins over the service's": {
			layers{
				service:   map[string]string{kn + "window": "30s", kn + "target": "5"},
				component: map[string]string{kn + "window": "40s"},
			},
			map[string]string{kn + "window": "40s", kn + "target": "5"},
		},
		"fields win over annotations": {
			layers{
				component: map[string]string{kn + "min-scale": "4", kn + "max-scale": "9", kn + "target": "5", kn + "metric": "concurrency"},
				ext: v1beta1.ComponentExtension{
					MinReplicas: new(int32(0)), MaxReplicas: 3, ScaleTarget: new(int32(7)), ScaleMetric: new(v1beta1.ScaleRPS),
				},
			},
			map[string]string{kn + "min-scale": "0", kn + "max-scale": "3", kn + "target": "7", kn + "metric": "rps"},
		},
		"old spellings become new ones": {
			layers{service: map[string]string{kn + "minScale": "2", kn + "scaleToZeroPodRetentionPeriod": "1m"}},
			map[string]string{kn + "min-scale": "2", kn + "scale-to-zero-pod-retention-period": "1m"},
		},
		"of two spellings the new one wins": {
			layers{service: map[string]string{kn + "maxScale": "2", kn + "max-scale": "3"}},
			map[string]string{kn + "max-scale": "3"},
		},
		"but an old spelling on the component wins over a new one on the service": {
			layers{
				service:   map[string]string{kn + "max-scale": "3"},
				component: map[string]string{kn + "maxScale": "2"},
			},
			map[string]string{kn + "max-scale": "2"},
		},
		"what is unknown stays, for Read to refuse": {
			layers{service: map[string]string{kn + "widnow": "30s"}},
			map[string]string{kn + "widnow": "30s"},
		},
		"containerConcurrency is the target when none is set": {
			layers{concurrency: 4}, map[string]string{kn + "target": "4"},
		},
		"containerConcurrency bounds the target": {
			layers{concurrency: 4, ext: v1beta1.ComponentExtension{ScaleTarget: new(int32(10))}},
			map[string]string{kn + "target": "4"},
		},
		"a lower target stays": {
			layers{concurrency: 4, service: map[string]string{kn + "target": "2.5"}},
			map[string]string{kn + "target": "2.5"},
		},
		"a target in requests per second has nothing to do with containerConcurrency": {
			layers{concurrency: 4, ext: v1beta1.ComponentExtension{ScaleMetric: new(v1beta1.ScaleRPS), ScaleTarget: new(int32(10))}},
			map[string]string{kn + "metric": "rps", kn + "target": "10"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			service, component := maps.Clone(tt.in.service), maps.Clone(tt.in.component)
			got := scale.Annotations(service, component, &tt.in.ext, tt.in.concurrency)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]map[string]string{tt.in.service, tt.in.component}, []map[string]string{service, component}); diff != "" {
				t.Errorf("its arguments changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestRead(t *testing.T) {
	defaults := scale.Settings{
		Min: 1, Initial: 1, Activation: 1, Metric: v1beta1.ScaleConcurrency, Target: 70,
		Window: time.Minute, PanicWindow: 6 * time.Second, PanicThreshold: 2,
	}
	with := func(change func(*scale.Settings)) scale.Settings {
		s := defaults
		change(&s)
		return s
	}
	for name, tt := range map[string]struct {
		in   map[string]string // without the prefix
		want scale.Settings
	}{
		"nothing set":           {nil, defaults},
		"requests per second":   {map[string]string{"metric": "rps"}, with(func(s *scale.Settings) { s.Metric, s.Target = v1beta1.ScaleRPS, 140 })},
		"a target":              {map[string]string{"target": "10"}, with(func(s *scale.Settings) { s.Target = 7 })},
		"a target of its own %": {map[string]string{"target": "10", "target-utilization-percentage": "90"}, with(func(s *scale.Settings) { s.Target = 9 })},
		"a tiny target":         {map[string]string{"target": "0.01"}, with(func(s *scale.Settings) { s.Target = 0.01 })},
		"bounds":                {map[string]string{"min-scale": "0", "max-scale": "5"}, with(func(s *scale.Settings) { s.Min, s.Max = 0, 5 })},
		"sizes to start with":   {map[string]string{"initial-scale": "3", "activation-scale": "2"}, with(func(s *scale.Settings) { s.Initial, s.Activation = 3, 2 })},
		"windows": {map[string]string{"window": "2m", "panic-window-percentage": "25", "panic-threshold-percentage": "150"}, with(func(s *scale.Settings) {
			s.Window, s.PanicWindow, s.PanicThreshold = 2*time.Minute, 30*time.Second, 1.5
		})},
		"the shortest window": {map[string]string{"window": "6s"}, with(func(s *scale.Settings) { s.Window, s.PanicWindow = 6*time.Second, time.Second })},
		"delays":              {map[string]string{"scale-down-delay": "15m", "scale-to-zero-pod-retention-period": "90s"}, with(func(s *scale.Settings) { s.ScaleDownDelay, s.Retention = 15*time.Minute, 90*time.Second })},
		"without effect":      {map[string]string{"class": "kpa.autoscaling.knative.dev", "target-burst-capacity": "-1", "metric-aggregation-algorithm": "linear"}, defaults},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := scale.Read(prefixed(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateApprox(1e-9, 0)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	const tail = ": write a number of 0.01 or more"
	for name, tt := range map[string]struct {
		in   map[string]string
		want string
	}{
		"another autoscaler":          {map[string]string{"class": "hpa.autoscaling.knative.dev"}, `annotation autoscaling.knative.dev/class "hpa.autoscaling.knative.dev": only scaling by requests works: remove it, or write kpa.autoscaling.knative.dev`},
		"cpu":                         {map[string]string{"metric": "cpu"}, `annotation autoscaling.knative.dev/metric "cpu": requests are measured, not cpu or memory: write concurrency or rps`},
		"another average":             {map[string]string{"metric-aggregation-algorithm": "weighted-exponential"}, `annotation autoscaling.knative.dev/metric-aggregation-algorithm "weighted-exponential": every second of a window counts the same: remove it, or write linear`},
		"a target of zero":            {map[string]string{"target": "0"}, `annotation autoscaling.knative.dev/target "0"` + tail},
		"a target that is none":       {map[string]string{"target": "NaN"}, `annotation autoscaling.knative.dev/target "NaN"` + tail},
		"more than everything":        {map[string]string{"target-utilization-percentage": "101"}, `annotation autoscaling.knative.dev/target-utilization-percentage "101": write a number from 1 to 100`},
		"a negative bound":            {map[string]string{"min-scale": "-1"}, `annotation autoscaling.knative.dev/min-scale "-1": write a whole number of 0 or more`},
		"a bound beyond counting":     {map[string]string{"max-scale": "4294967296"}, `annotation autoscaling.knative.dev/max-scale "4294967296": write a whole number of 0 or more`},
		"to start with nothing":       {map[string]string{"initial-scale": "0"}, `annotation autoscaling.knative.dev/initial-scale "0": write a whole number of 1 or more`},
		"a window without its unit":   {map[string]string{"window": "60"}, `annotation autoscaling.knative.dev/window "60": write whole seconds from 6s to 1h0m0s, such as 90s or 2m`},
		"a window that is too short":  {map[string]string{"window": "5s"}, `annotation autoscaling.knative.dev/window "5s": write whole seconds from 6s to 1h0m0s, such as 90s or 2m`},
		"parts of seconds":            {map[string]string{"scale-down-delay": "1500ms"}, `annotation autoscaling.knative.dev/scale-down-delay "1500ms": write whole seconds from 0s to 1h0m0s, such as 90s or 2m`},
		"a panic about nothing":       {map[string]string{"panic-threshold-percentage": "100"}, `annotation autoscaling.knative.dev/panic-threshold-percentage "100": write a number from 110 to 1000`},
		"a typing error":              {map[string]string{"widnow": "60s"}, `annotation autoscaling.knative.dev/widnow "60s": there is no such setting: remove it, or write one of class, metric, metric-aggregation-algorithm, target, target-utilization-percentage, target-burst-capacity, min-scale, max-scale, initial-scale, activation-scale, window, panic-window-percentage, panic-threshold-percentage, scale-down-delay, scale-to-zero-pod-retention-period`},
		"a least above the most":      {map[string]string{"min-scale": "3", "max-scale": "2"}, `the least number of replicas, 3, is more than the most, 2: change minReplicas or maxReplicas, or the annotations autoscaling.knative.dev/min-scale or max-scale`},
		"an activation above the max": {map[string]string{"activation-scale": "3", "max-scale": "2"}, `annotation autoscaling.knative.dev/activation-scale 3 is more than the most replicas, 2: change it, or maxReplicas`},
		"two errors":                  {map[string]string{"target": "x", "min-scale": "x"}, `annotation autoscaling.knative.dev/min-scale "x": write a whole number of 0 or more; annotation autoscaling.knative.dev/target "x"` + tail},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := scale.Read(prefixed(tt.in))
			if err == nil {
				t.Fatalf("read %+v", s)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStart(t *testing.T) {
	for name, tt := range map[string]struct {
		in   map[string]string
		want int32
	}{
		"one":                              {nil, 1},
		"one even if it may go to zero":    {map[string]string{"min-scale": "0"}, 1},
		"all that it must keep":            {map[string]string{"min-scale": "3"}, 3},
		"more to start with":               {map[string]string{"min-scale": "3", "initial-scale": "5"}, 5},
		"never more than it may ever have": {map[string]string{"initial-scale": "5", "max-scale": "2"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := scale.Read(prefixed(tt.in))
			if err != nil || s.Start() != tt.want {
				t.Errorf("starts with %d, want %d (%v)", s.Start(), tt.want, err)
			}
		})
	}
}

func prefixed(settings map[string]string) map[string]string {
	a := map[string]string{"team": "iris"}
	for k, v := range settings {
		a[kn+k] = v
	}
	return a
}
