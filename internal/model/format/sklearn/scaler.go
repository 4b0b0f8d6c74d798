// SPDX-License-Identifier: Apache-2.0

package sklearn

// scaler is StandardScaler. Either half may be switched off.
type scaler struct {
	input
	mean, scale []float64 // nil when off
}

func newScaler(a *attributes) step {
	s := &scaler{}
	if a.flag("with_mean") {
		s.mean = a.floats("mean_")
	}
	if a.flag("with_std") {
		s.scale = a.floats("scale_")
	}
	features := max(len(s.mean), len(s.scale))
	if s.mean == nil && s.scale == nil {
		features = int(a.number("n_features_in_"))
	}
	a.require(s.mean == nil || len(s.mean) == features, "mean_ does not fit the features")
	a.require(s.scale == nil || len(s.scale) == features, "scale_ does not fit the features")
	s.input = a.input(features)
	s.allowNaN = true
	return s
}

func (s *scaler) transform(row []float64) {
	for i, v := range s.mean {
		row[i] -= v
	}
	for i, v := range s.scale {
		row[i] /= v
	}
}
