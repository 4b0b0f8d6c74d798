// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/kernel/boosting"
)

// model is what any of the file formats says.
type model struct {
	version     int // that saved it: 304 is 3.4
	features    int
	names       []string
	classes     int // 0 if there are none
	targets     int
	base        []float64
	transformed bool // base is a margin already
	objective   string
	booster     string
	trees       []*tree
	groups      []int     // the output of each tree
	drop        []float32 // weight of each tree of dart
	weights     []float32 // of gblinear
	best        int       // the best iteration, or -1
	rounds      []int     // where the trees of each iteration start
	parallel    int       // trees for each iteration and output
}

type split = boosting.Split[float32]

// tree has the values of each node, by the file's number; only those of leaves count.
type tree struct {
	splits []split
	values []float32
	width  int
}

const (
	maxGroups  = 1 << 16
	splitBytes = 96
)

// parse reads a model of any of the formats.
func parse(data []byte, b *budget.Budget) (*model, error) {
	c := &cursor{data: data, Budget: b}
	if !bytes.HasPrefix(data, []byte("{")) {
		c.data = bytes.TrimPrefix(data, []byte("binf"))
		if len(c.data) < learnerBytes {
			return nil, c.damaged()
		}
		return c.legacy()
	}
	read := c.ubjson
	if rest := bytes.TrimLeft(data[1:], " \t\r\n"); len(rest) > 0 && (rest[0] == '"' || rest[0] == '}' && len(rest) == 1) {
		read = c.json
	}
	v, err := read(0)
	if err != nil {
		return nil, err
	}
	root, ok := v.(object)
	if !ok {
		return nil, c.damaged()
	}
	// XGBoost before 1.6 has it beside the model, in a pickle.
	parallel, err := root.child("Config", "learner", "gradient_booster", "gbtree_train_param").whole("num_parallel_tree", 1, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	if inner := root.child("Model"); len(inner) > 0 { // as pickles have it
		root = inner
	}
	learner := root.child("learner")
	if len(learner) == 0 {
		return nil, errors.New("the file has no learner: it is no XGBoost model")
	}
	m := &model{parallel: parallel, best: -1}
	if v := root.numbers("version"); len(v) > 1 {
		m.version = int(v[0])*100 + int(v[1])
	}
	return m, m.learner(c, learner)
}

// newest is the newest XGBoost that the tests know: 304 is 3.4.
const newest = 304

func (m *model) remarks() []string {
	if m.version <= newest {
		return nil
	}
	version := func(v int) string { return fmt.Sprintf("%d.%d", v/100, v%100) }
	return []string{frame.Newer("XGBoost", version(m.version), version(newest))}
}

func (m *model) learner(c *cursor, o object) error {
	param := o.child("learner_model_param")
	var errs [4]error
	m.features, errs[0] = param.whole("num_feature", 0, boosting.MaxFeatures)
	m.classes, errs[1] = param.whole("num_class", 0, maxGroups)
	m.targets, errs[2] = param.whole("num_target", 1, maxGroups)
	m.base, errs[3] = scores(param.text("base_score"))
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	if best, err := strconv.ParseUint(o.child("attributes").text("best_iteration"), 10, 30); err == nil {
		m.best = int(best)
	}
	m.objective = o.child("objective").text("name")
	m.names = o.texts("feature_names")
	booster := o.child("gradient_booster")
	m.booster = booster.text("name")
	m.drop = singles(booster.numbers("weight_drop"))
	if inner := booster.child("gbtree"); len(inner) > 0 {
		booster = inner // of dart, before XGBoost 3.4
	}
	body := booster.child("model")
	if len(m.drop) == 0 {
		m.drop = singles(body.numbers("weight_drop"))
	}
	m.weights = singles(body.numbers("weights"))
	return m.forest(c, body)
}

func (m *model) forest(c *cursor, o object) error {
	var err error
	if m.parallel, err = o.child("gbtree_model_param").whole("num_parallel_tree", m.parallel, math.MaxInt32); err != nil {
		return err
	}
	for _, n := range o.numbers("iteration_indptr") {
		m.rounds = append(m.rounds, int(n))
	}
	for _, n := range o.numbers("tree_info") {
		m.groups = append(m.groups, int(n))
	}
	for i, v := range o.list("trees") {
		one, ok := v.(object)
		if !ok {
			return c.damaged()
		}
		t, err := m.tree(c, one)
		if err != nil {
			return fmt.Errorf("tree %d: %w", i, err)
		}
		m.trees = append(m.trees, t)
	}
	return nil
}

func singles(from []float64) []float32 {
	to := make([]float32, len(from))
	for i, v := range from {
		to[i] = float32(v)
	}
	return to
}

// tree reads the nodes of a tree, which lie in an array for each field.
func (m *model) tree(c *cursor, o object) (*tree, error) {
	left, right := o.numbers("left_children"), o.numbers("right_children")
	feature, condition, missing := o.numbers("split_indices"), o.numbers("split_conditions"), o.numbers("default_left")
	count := len(left)
	for _, field := range [][]float64{right, feature, condition, missing} {
		if len(field) != count {
			return nil, errors.New("its fields have different lengths")
		}
	}
	if err := c.Alloc((splitBytes + 4) * count); err != nil {
		return nil, err
	}
	t := &tree{splits: make([]split, count), width: 1}
	for i := range t.splits {
		t.splits[i] = split{
			Leaf: left[i] == -1, Left: int(left[i]), Right: int(right[i]), Feature: int(feature[i]),
			AtMost: below(float32(condition[i])), MissingLeft: missing[i] != 0,
		}
	}
	width, err := o.child("tree_param").whole("size_leaf_vector", 1, maxGroups)
	if err != nil {
		return nil, err
	}
	if err := t.leaves(c, o, max(width, 1)); err != nil {
		return nil, err
	}
	return t, m.sets(c, o, t)
}

// leaves reads the values of leaves. Vectors are those of all nodes, before XGBoost
// 3.1, or those of leaves, which then have their number for a right child.
func (t *tree) leaves(c *cursor, o object, width int) error {
	if width == 1 {
		t.values = singles(o.numbers("split_conditions"))
		return nil
	}
	values, ofLeaves := o["leaf_weights"].([]float64)
	if !ofLeaves {
		values = o.numbers("base_weights")
	}
	if err := c.Alloc(4 * width * len(t.splits)); err != nil {
		return err
	}
	t.width, t.values = width, make([]float32, width*len(t.splits))
	for i, s := range t.splits {
		at := i
		switch {
		case !s.Leaf:
			continue
		case ofLeaves:
			at = s.Right
		}
		if at < 0 || at > len(t.splits) || (at+1)*width > len(values) {
			return errors.New("a leaf has no values")
		}
		copy(t.values[i*width:], singles(values[at*width:(at+1)*width]))
	}
	return nil
}

// sets reads the splits by category. Their members go to the right.
func (m *model) sets(c *cursor, o object, t *tree) error {
	kinds := o.numbers("split_type")
	segments, sizes, categories := o.numbers("categories_segments"), o.numbers("categories_sizes"), o.numbers("categories")
	nodes := o.numbers("categories_nodes")
	if len(segments) != len(nodes) || len(sizes) != len(nodes) {
		return errors.New("its categories have different lengths")
	}
	for i, at := range nodes {
		if !(at >= 0 && at < float64(len(t.splits)) && segments[i] >= 0 && sizes[i] >= 0 && segments[i]+sizes[i] <= float64(len(categories))) {
			return errors.New("a node has no such categories")
		}
		members := categories[int(segments[i]):int(segments[i]+sizes[i])]
		largest := 0.0
		for _, v := range members {
			if !(v >= 0 && v < boosting.MaxFeatures) {
				return errors.New("a category is out of range")
			}
			largest = max(largest, v)
		}
		words := int(largest)/32 + 1
		if err := c.Alloc(4*words + slotBytes + len(members)); err != nil {
			return err
		}
		// XGBoost before 1.7 sends what the bits have no place for where NaN goes.
		set := &boosting.Set{Bits: make([]uint32, words), Above: -math.SmallestNonzeroFloat64, Missing: m.version < 107}
		for _, v := range members {
			set.Bits[int(v)/32] |= 1 << (int(v) % 32)
		}
		t.splits[int(at)].Set = set
	}
	for i := range t.splits {
		if i < len(kinds) && kinds[i] == 1 && !t.splits[i].Leaf && t.splits[i].Set == nil {
			return errors.New("a node has no categories")
		}
	}
	return nil
}

// below returns the largest float32 that is less than v: XGBoost sends what is less to
// the left.
func below(v float32) float32 { return math.Nextafter32(v, float32(math.Inf(-1))) }
