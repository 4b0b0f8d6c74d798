// SPDX-License-Identifier: Apache-2.0

package linear

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The wanted ones are SGDClassifier's of scikit-learn 1.8 and 1.9.
func TestClassesThatAreAllUnlikely(t *testing.T) {
	nan, third := math.NaN(), 1.0/3
	for name, test := range map[string]struct {
		likely       func(dst, scores []float64)
		scores, want []float64
	}{
		"until 1.8":        {oneVersusRest, []float64{-800, -900, -1e10}, []float64{nan, nan, nan}},
		"from 1.9 on":      {oneVersusRestOrEqual, []float64{-800, -900, -1e10}, []float64{third, third, third}},
		"one of them":      {oneVersusRestOrEqual, []float64{-800, 0, -1e10}, []float64{0, 1, 0}},
		"none is a number": {oneVersusRestOrEqual, []float64{nan, -800, -900}, []float64{nan, nan, nan}},
		"two classes":      {oneVersusRestOrEqual, []float64{-800}, []float64{1, 0}},
		"modified Huber":   {modifiedHuber, []float64{-2, -1, -1e10}, []float64{third, third, third}},
	} {
		got := make([]float64, max(2, len(test.scores)))
		test.likely(got, test.scores)
		if diff := cmp.Diff(test.want, got, cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-15)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
