// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/kernel/boosting"
)

const (
	maxOutputs = 1 << 16
	splitBytes = 104
)

type split = boosting.Split[float64]

// parse reads the booster of the first rounds of a file; less than 1 is all.
func parse(text string, b *budget.Budget, rounds int) (*booster, error) {
	if !Is([]byte(text[:min(len(text), 8)])) {
		return nil, errors.New("the file does not begin with the line tree: it is no LightGBM model")
	}
	r := newReader(text, b)
	head, err := r.section()
	if err != nil {
		return nil, err
	}
	out, err := r.head(head)
	if err != nil {
		return nil, err
	}
	for i := 0; ; i++ {
		s, err := r.section()
		switch {
		case err != nil:
			return nil, err
		case s == nil:
			return out, out.whole(r)
		case rounds > 0 && i >= rounds*out.outputs:
			continue
		}
		t, err := r.tree(s, out.input.Width)
		if err != nil {
			return nil, fmt.Errorf("tree %d: %w", i, err)
		}
		out.trees, out.walks = append(out.trees, t), append(out.walks, t.tree)
	}
}

// whole checks what follows the trees.
func (b *booster) whole(r *reader) error {
	if len(b.trees)%b.outputs != 0 {
		return errors.New("its trees are not as many for each output")
	}
	_, categories, _ := strings.Cut(r.rest, "\npandas_categorical:")
	if c := strings.TrimSpace(categories); c != "" && c != "null" && c != "[]" {
		return errors.New("the model was fitted on a DataFrame with columns of pandas' type category, which is not supported: fit it on their codes")
	}
	return nil
}

func (r *reader) head(s section) (*booster, error) {
	if v := s["version"]; v != "v2" && v != "v3" && v != "v4" {
		return nil, fmt.Errorf("version %.20q of the format is not supported; supported are v2, v3, v4", v)
	}
	var errs [3]error
	var last, classes int
	out := &booster{input: graph.Input{Class: "Booster", AllowNaN: true, AllowInf: true}}
	classes, errs[0] = s.whole("num_class", 1, maxOutputs)
	out.outputs, errs[1] = s.whole("num_tree_per_iteration", classes, maxOutputs)
	last, errs[2] = s.whole("max_feature_idx", 0, boosting.MaxFeatures-1)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	if out.outputs == 0 || classes != out.outputs {
		return nil, errors.New("its number of classes does not fit its trees")
	}
	out.input.Schema = frame.Schema{Width: last + 1}
	if err := r.Alloc(8 * len(s["feature_names"])); err != nil {
		return nil, err
	}
	names := strings.Fields(s["feature_names"])
	if len(names) != last+1 {
		return nil, errors.New("its feature_names do not fit its features")
	}
	if names[0] != "Column_0" { // those of a model that was fitted on a matrix
		out.input.Names = names
	}
	_, out.average = s["average_output"]
	if err := out.objectiveOf(s["objective"]); err != nil {
		return nil, err
	}
	out.Outputs[frame.Predict] = frame.Output{Type: frame.Float64, Width: out.outputs, Flat: out.outputs == 1}
	return out, nil
}

// The bits of a node's decision_type. The two above are how it treats missing values.
const (
	categorical = 1
	defaultLeft = 2
)

// missing is how a node treats missing values.
type missing int

const (
	missingNone missing = iota
	missingZero
	missingNaN
)

// nodes are the fields of the splits of a tree.
type nodes struct {
	feature, kind, left, right []int
	threshold                  []float64
}

func (r *reader) nodes(s section, count int) (n nodes, err error) {
	var errs [5]error
	n.feature, errs[0] = s.ints(r, "split_feature", count)
	n.kind, errs[1] = s.ints(r, "decision_type", count)
	n.left, errs[2] = s.ints(r, "left_child", count)
	n.right, errs[3] = s.ints(r, "right_child", count)
	n.threshold, errs[4] = s.floats(r, "threshold", count)
	return n, errors.Join(errs[:]...)
}

// tree reads a tree. Its splits come first and then its leaves, which are numbers below
// 0 in the file.
func (r *reader) tree(s section, width int) (*tree, error) {
	leaves, err := s.whole("num_leaves", 0, math.MaxInt32)
	if err != nil || leaves == 0 {
		return nil, errors.New("num_leaves is out of range")
	}
	t := &tree{first: leaves - 1}
	if t.values, err = s.floats(r, "leaf_value", leaves); err != nil {
		return nil, err
	}
	n, err := r.nodes(s, leaves-1)
	if err != nil {
		return nil, err
	}
	sets, err := r.sets(s)
	if err != nil {
		return nil, err
	}
	if err := r.Alloc(splitBytes * (2*leaves - 1)); err != nil {
		return nil, err
	}
	splits := make([]split, 2*leaves-1)
	for i := range splits {
		if i >= t.first {
			splits[i].Leaf = true
			continue
		}
		if splits[i], err = n.split(i, t.first, sets); err != nil {
			return nil, err
		}
	}
	if t.tree, err = boosting.New(r.Budget, splits, width); err != nil {
		return nil, err
	}
	r.Release(splitBytes * len(splits))
	if s["is_linear"] == "1" {
		t.linear, err = r.linear(s, leaves, width)
		for i := range t.linear {
			t.longest = max(t.longest, len(t.linear[i].features))
		}
	}
	return t, err
}

func (n *nodes) split(i, first int, sets []*boosting.Set) (split, error) {
	child := func(c int) int {
		if c < 0 {
			return first + ^c
		}
		return c
	}
	s := split{Left: child(n.left[i]), Right: child(n.right[i]), Feature: n.feature[i], AtMost: n.threshold[i]}
	if n.kind[i]&categorical != 0 {
		at := n.threshold[i]
		if !(at >= 0 && at < float64(len(sets))) {
			return s, errors.New("a node has no such categories")
		}
		s.Set = sets[int(at)]
		return s, nil
	}
	s.MissingLeft = n.kind[i]&defaultLeft != 0
	switch missing(n.kind[i] >> 2 & 3) {
	case missingZero:
		s.ZeroMissing = true
	case missingNaN:
	case missingNone: // NaN is zero then
		s.MissingLeft = s.AtMost >= 0
	default:
		return s, errors.New("a node treats missing values in an unknown way")
	}
	return s, nil
}

// sets reads the categories of splits, whose members go to the left.
func (r *reader) sets(s section) ([]*boosting.Set, error) {
	count, err := s.whole("num_cat", 0, math.MaxInt32)
	if err != nil || count == 0 {
		return nil, err
	}
	bounds, err := s.ints(r, "cat_boundaries", count+1)
	if err != nil {
		return nil, err
	}
	words, err := s.ints(r, "cat_threshold", -1)
	if err != nil {
		return nil, err
	}
	if err := r.Alloc(4*len(words) + 64*count); err != nil {
		return nil, err
	}
	bits := make([]uint32, len(words))
	for i, w := range words {
		bits[i] = uint32(w)
	}
	sets := make([]*boosting.Set, count)
	for i := range sets {
		from, to := bounds[i], bounds[i+1]
		if from < 0 || to < from || to > len(bits) {
			return nil, errors.New("a node has no such categories")
		}
		sets[i] = &boosting.Set{Bits: bits[from:to], Left: true, Above: -1}
	}
	return sets, nil
}

// linear reads the linear models of leaves.
func (r *reader) linear(s section, leaves, width int) ([]linear, error) {
	constants, err := s.floats(r, "leaf_const", leaves)
	if err != nil {
		return nil, err
	}
	counts, err := s.ints(r, "num_features", leaves)
	if err != nil {
		return nil, err
	}
	features, err := s.ints(r, "leaf_features", -1)
	if err != nil {
		return nil, err
	}
	weights, err := s.floats(r, "leaf_coeff", len(features))
	if err != nil {
		return nil, err
	}
	for _, f := range features {
		if f < 0 || f >= width {
			return nil, errors.New("a leaf has no such feature")
		}
	}
	if err := r.Alloc(64 * leaves); err != nil {
		return nil, err
	}
	all := make([]linear, leaves)
	for i, n := range counts {
		if n < 0 || n > len(features) {
			return nil, errors.New("a leaf has no such features")
		}
		all[i] = linear{constants[i], features[:n], weights[:n]}
		features, weights = features[n:], weights[n:]
	}
	return all, nil
}
