// SPDX-License-Identifier: Apache-2.0

package render

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestRevisionName(t *testing.T) {
	for _, c := range []struct {
		isvc string
		n    int
		want string
	}{
		{"sklearn-iris", 1, "sklearn-iris-predictor-00001"},
		{"sklearn-iris", 100000, "sklearn-iris-predictor-100000"},
		{strings.Repeat("a", 36), 1, strings.Repeat("a", 36) + "-predictor-00001"},
		{strings.Repeat("a", 37), 1, strings.Repeat("a", 27) + "-21ec055b-predictor-00001"},
		{strings.Repeat("a", 26) + "-" + strings.Repeat("b", 10), 2, strings.Repeat("a", 26) + "-f6395674-predictor-00002"},
	} {
		if got := RevisionName(c.isvc, v1beta1.Predictor, c.n); got != c.want {
			t.Errorf("RevisionName(%q, %d) = %q, want %q", c.isvc, c.n, got, c.want)
		}
	}
}

func TestRevisionNamesAreAllowedAndDistinct(t *testing.T) {
	service := rapid.StringMatching(`[a-z]([-a-z0-9]{0,51}[a-z0-9])?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := service.Draw(t, "a"), service.Draw(t, "b")
		n := rapid.IntRange(1, 999999).Draw(t, "n")
		x, y := RevisionName(a, v1beta1.Predictor, n), RevisionName(b, v1beta1.Predictor, n)
		for _, name := range []string{x, DeploymentName(x)} {
			if errs := validation.IsDNS1035Label(name); errs != nil {
				t.Errorf("%q: %v", name, errs)
			}
		}
		if (a == b) != (x == y) {
			t.Errorf("services %q and %q have revisions %q and %q", a, b, x, y)
		}
	})
}
