// SPDX-License-Identifier: Apache-2.0

package v1beta1

// ModelOrLegacy returns the model that the predictor names, with legacy forms
// read as `model`, or nil for custom containers. A legacy form wins over
// `model`, as in KServe, whose Python client patches one onto the other.
func (p *PredictorSpec) ModelOrLegacy() *ModelSpec {
	for _, l := range []struct {
		format, protocol string
		spec             *LegacySpec
	}{
		{"sklearn", "", p.SKLearn},
		{"xgboost", "", p.XGBoost},
		{"tensorflow", "", p.Tensorflow},
		{"pytorch", "", p.PyTorch},
		{"triton", "v2", p.Triton},
		{"onnx", "v2", p.ONNX},
		{"huggingface", "v2", p.HuggingFace},
		{"pmml", "", p.PMML},
		{"lightgbm", "", p.LightGBM},
		{"paddle", "", p.Paddle},
	} {
		if l.spec == nil {
			continue
		}
		m := &ModelSpec{ModelFormat: ModelFormat{Name: l.format}, PredictorExtension: *l.spec.PredictorExtension.DeepCopy()}
		if m.ProtocolVersion == nil && l.protocol != "" {
			m.ProtocolVersion = &l.protocol
		}
		return m
	}
	return p.Model
}
