// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestNumbersThatTakeForever(t *testing.T) {
	for _, number := range []string{
		"1e-999999999", "1E-2147483647", "+1.5e-9999999", ".1e9999", "-1e+9999", "1e-2147483647.5",
		strings.Repeat("9", 1_000_000), strings.Repeat("9", 1_000_000) + "e-999", "0." + strings.Repeat("0", 1_000_000) + "1Ei", strings.Repeat("1", 65) + "m",
	} {
		for _, where := range []string{
			`{"spec":{"predictor":{"containers":[{"resources":{"limits":{"cpu":"%s"}}}]}}}`,
			`{"spec":{"predictor":{"containers":[{"resources":{"limits":{"cpu":%s}}}]}}}`,
			`{"spec":{"predictor":{"sklearn":{"env":[{"name":"a\"1","valueFrom":{"resourceFieldRef":{"divisor":"%s"}}}]}}}}`,
		} {
			begin := time.Now()
			var s InferenceService
			if err := Decode([]byte(strings.Replace(where, "%s", number, 1)), &s); err == nil || !strings.Contains(err.Error(), "is too long, or its exponent is") {
				t.Errorf("%.20s is read: %v", number, err)
			}
			if spent := time.Since(begin); spent > time.Second {
				t.Errorf("%.20s took %v", number, spent)
			}
		}
	}
}

func TestDecodeReadsAsJSONDoes(t *testing.T) {
	for _, text := range []string{
		`{}`, `null`, `[1, "1", 1e400]`, `"1e100"`, `{"a": "1e-999 and more", "b": "1.5Gi", "1e9": "", "c": "\"1e-99999\""}`, `"\\"`, `"`, `"1e-99999`, ``, `{"a"`,
		`{"a": -1.5e-7, "b": [123, 9223372036854775807, -0]}`, `1`, `-`,
	} {
		var got, want any
		err, wantErr := Decode([]byte(text), &got), json.Unmarshal([]byte(text), &want)
		if (err == nil) != (wantErr == nil) {
			t.Errorf("%s: %v, want %v", text, err, wantErr)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"cpu":"1e-999999999"}`)
	f.Fuzz(func(_ *testing.T, text string) {
		var s InferenceService
		_ = Decode([]byte(text), &s)
	})
}

// Whatever a stranger wrote, the rest can be had.
func TestServicesThatCannotBeReadWhole(t *testing.T) {
	const (
		meta   = `"metadata":{"name":"iris"}`
		status = `"status":{"observedGeneration":7,"url":"u"}`
	)
	for name, c := range map[string]struct {
		text       string
		percent    string
		unreadable bool
	}{
		"a spec that is a number":      {`{` + meta + `,` + status + `,"spec":1}`, "none", true},
		"a predictor that is a number": {`{` + meta + `,` + status + `,"spec":{"predictor":1}}`, "none", true},
		"a wrong probe":                {`{` + meta + `,` + status + `,"spec":{"predictor":{"canaryTrafficPercent":10,"sklearn":{"livenessProbe":1}}}}`, "10", true},
		"a percent of no number":       {`{` + meta + `,` + status + `,"spec":{"predictor":{"canaryTrafficPercent":"10"}}}`, "none", true},
		"a percent of nothing":         {`{` + meta + `,` + status + `,"spec":{"predictor":{"canaryTrafficPercent":null,"model":1}}}`, "none", true},
		"a number that takes forever":  {`{` + meta + `,` + status + `,"spec":{"predictor":{"canaryTrafficPercent":10,"model":{"resources":{"limits":{"cpu":"1e-999999999"}}}}}}`, "10", true},
		"a time that is none":          {`{` + meta + `,"status":{"observedGeneration":7,"url":"u","conditions":[{"lastTransitionTime":"soon"}]},"spec":{"predictor":{"canaryTrafficPercent":10}}}`, "10", false},
		"a wrong field in the status":  {`{` + meta + `,"status":{"observedGeneration":7,"url":"u","components":1,"modelStatus":[]},"spec":{"predictor":{"canaryTrafficPercent":10}}}`, "10", false},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := DecodeService([]byte(c.text))
			if s == nil || (err != nil) != c.unreadable {
				t.Fatalf("%v, %v", s, err)
			}
			percent := "none"
			if p := s.Spec.Predictor.CanaryTrafficPercent; p != nil {
				percent = strconv.FormatInt(*p, 10)
			}
			if s.Name != "iris" || s.Status.ObservedGeneration != 7 || s.Status.URL != "u" || percent != c.percent {
				t.Errorf("read as %+v, canary %s", s, percent)
			}
		})
	}
	if s, err := DecodeService([]byte(`[]`)); s != nil || err == nil {
		t.Errorf("a list is read as %+v", s)
	}
}
