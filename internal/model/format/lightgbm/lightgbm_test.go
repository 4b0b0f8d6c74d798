// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/testkit/corpus"
)

func load(text string) (frame.Model, error) {
	return Load(strings.NewReader(text), int64(len(text)), budget.Limits{Memory: 64 << 20})
}

const head = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\nobjective=regression\nfeature_names=a b\n\n"

func TestFilesBeyondTheSupportedOnesAreRefusedByName(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"another file":         {"hello", "the file does not begin with the line tree: it is no LightGBM model"},
		"a new version":        {strings.Replace(head, "v4", "v5", 1), `version "v5" of the format is not supported; supported are v2, v3, v4`},
		"an unknown objective": {strings.Replace(head, "=regression", "=magic", 1), `objective "magic" is not supported`},
		"no end":               {head + "Tree=0\nnum_leaves=1\nleaf_value=1\n\n", "the file ends too early: it is truncated or damaged"},
		"a node without child": {head + "Tree=0\nnum_leaves=2\nsplit_feature=0\ndecision_type=2\nthreshold=1\nleft_child=0\nright_child=-2\nleaf_value=1 2\n\nend of trees\n", "tree 0: a node of a tree has no such child"},
		"too few values":       {head + "Tree=0\nnum_leaves=2\nleaf_value=1\n\nend of trees\n", "tree 0: leaf_value has 1 values, want 2"},
		"pandas' categories":   {head + "end of trees\n\npandas_categorical:[[\"x\"]]\n", "the model was fitted on a DataFrame with columns of pandas' type category, which is not supported: fit it on their codes"},
	} {
		if _, err := load(test.file); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

// FuzzLoad looks for files that crash the reader, or a model that crashes when it
// predicts.
func FuzzLoad(f *testing.F) {
	for _, c := range corpus.Cases(f, "lightgbm") {
		if strings.HasSuffix(c.File, ".txt") && len(c.Data) < 4000 {
			f.Add(string(c.Data))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := load(text); err == nil {
			_ = modeltest.Survives(t, m)
		}
	})
}
