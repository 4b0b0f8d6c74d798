// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"
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
		if got := Predictor.RevisionName(c.isvc, c.n); got != c.want {
			t.Errorf("revision %d of %q is %q, want %q", c.n, c.isvc, got, c.want)
		}
	}
}

func TestRevisionNamesAreAllowedAndDistinct(t *testing.T) {
	service := rapid.StringMatching(`[a-z]([-a-z0-9]{0,51}[a-z0-9])?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := service.Draw(t, "a"), service.Draw(t, "b")
		n := rapid.IntRange(1, 999999).Draw(t, "n")
		x, y := Predictor.RevisionName(a, n), Predictor.RevisionName(b, n)
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

func TestRevisionNumber(t *testing.T) {
	long := strings.Repeat("a", 53)
	for _, n := range []int{1, 99999, 100000, 999_999_999} {
		for _, service := range []string{"iris", long} {
			if got, ok := Predictor.RevisionNumber(service, Predictor.RevisionName(service, n)); got != n || !ok {
				t.Errorf("revision %d of %s has number %d, %v", n, service, got, ok)
			}
		}
	}
	for _, name := range []string{
		"", "-", "1", "iris", "iris-predictor-", "iris-predictor-1", "iris-predictor-00000", "iris-predictor--0001", "iris-predictor-+0001",
		"iris-predictor-000001", "other-predictor-00001", "iris-predictor-9223372036854775807", "iris-predictor-1000000000", "iris-predictor-00001\x00",
		Predictor.RevisionName(long, 1),
	} {
		if n, ok := Predictor.RevisionNumber("iris", name); ok {
			t.Errorf("%q is revision %d of iris", name, n)
		}
	}
}

func TestLongLabelsAreCutToFitDNS(t *testing.T) {
	long := strings.Repeat("long-", 10) + "name" // 54 characters
	for _, c := range []struct{ tag, service, want string }{
		{"", "iris", "iris-predictor"},
		{"latest", "iris", "latest-iris-predictor"},
		{"latest", long, "latest-long-long-long-long-long-long-long-long-long-lo-e92d9ab0"},
		{"", strings.Repeat("a", 53), strings.Repeat("a", 53) + "-predictor"},
	} {
		got := Predictor.Host(c.tag, c.service)
		if got != c.want || len(got) > maxLabel {
			t.Errorf("Host(%q, %q) = %q (%d characters), want %q", c.tag, c.service, got, len(got), c.want)
		}
	}
	if Predictor.Host("latest", long) == Predictor.Host("latest", long+"r") || Predictor.Host("", long) == Predictor.Host("", long+"r") {
		t.Error("two long names share a label")
	}
}
