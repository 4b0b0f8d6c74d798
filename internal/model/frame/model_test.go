// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadersOfTheSameRowsNeedTheColumnsOfAll(t *testing.T) {
	first := []bool{true, false, false}
	for name, test := range map[string]struct{ other, want []bool }{
		"others":                 {[]bool{false, false, true}, []bool{true, false, true}},
		"exactly all columns":    {nil, nil},
		"rows of another length": {[]bool{true}, nil},
	} {
		s := Schema{Width: 3, Picked: first}
		s.Share(&Schema{Picked: test.other})
		if diff := cmp.Diff(test.want, s.Picked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff([]bool{true, false, false}, first); diff != "" {
		t.Errorf("the first reader's own (-want +got):\n%s", diff)
	}
}
