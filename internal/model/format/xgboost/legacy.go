// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/serin-dev/serin/internal/model/kernel/boosting"
)

// The binary format that XGBoost wrote into .model and .bst files before 2.1 is the
// memory of its structs, little-endian: learner, name of the objective, name of the
// booster, its model. What follows, such as attributes, predicting does not need.
const (
	learnerBytes = 136
	gbtreeBytes  = 160
	linearBytes  = 136
	treeBytes    = 148
	nodeBytes    = 20
	statBytes    = 16
	defaultLeft  = 1 << 31
)

// words reads n bytes as integers of 32 bits.
func (c *cursor) words(n int) ([]uint32, error) {
	raw, err := c.take(uint64(n))
	if err != nil {
		return nil, err
	}
	if err := c.Alloc(n); err != nil {
		return nil, err
	}
	all := make([]uint32, n/4)
	for i := range all {
		all[i] = binary.LittleEndian.Uint32(raw[4*i:])
	}
	return all, nil
}

// length reads the number of elements that follow, of size bytes each.
func (c *cursor) length(size uint64) (int, error) {
	raw, err := c.take(8)
	if err != nil {
		return 0, err
	}
	n := binary.LittleEndian.Uint64(raw)
	if n > uint64(len(c.data)-c.at)/size {
		return 0, errEnd
	}
	return int(n), nil
}

func (c *cursor) name() (string, error) {
	n, err := c.length(1)
	if err != nil {
		return "", err
	}
	raw, err := c.take(uint64(n))
	return string(raw), err
}

// singles reads a vector of float32.
func (c *cursor) singles() ([]float32, error) {
	n, err := c.length(4)
	if err != nil {
		return nil, err
	}
	words, err := c.words(4 * n)
	if err != nil {
		return nil, err
	}
	all := make([]float32, n)
	for i, w := range words {
		all[i] = math.Float32frombits(w)
	}
	return all, c.Alloc(4 * n)
}

func (c *cursor) legacy() (*model, error) {
	head, err := c.words(learnerBytes)
	if err != nil {
		return nil, err
	}
	m := &model{features: int(head[1]), classes: int(head[2]), version: int(min(head[5], math.MaxInt16))*100 + int(min(head[6], 99))}
	m.targets = int(max(head[7], 1))
	if m.features > boosting.MaxFeatures || m.classes > maxGroups || m.targets > maxGroups {
		return nil, c.damaged()
	}
	m.base = []float64{float64(math.Float32frombits(head[0]))}
	m.transformed = head[5] < 1
	if m.objective, err = c.name(); err != nil {
		return nil, err
	}
	if m.booster, err = c.name(); err != nil {
		return nil, err
	}
	switch m.booster {
	case "gblinear":
		if _, err = c.take(linearBytes); err == nil {
			m.weights, err = c.singles()
		}
	case "gbtree", "dart":
		err = c.legacyTrees(m)
	default:
		return nil, c.damaged()
	}
	return m, err
}

func (c *cursor) legacyTrees(m *model) error {
	head, err := c.words(gbtreeBytes)
	if err != nil {
		return err
	}
	trees := int(head[0])
	if trees > (len(c.data)-c.at)/treeBytes {
		return errEnd
	}
	for range trees {
		t, err := c.legacyTree()
		if err != nil {
			return err
		}
		m.trees = append(m.trees, t)
	}
	groups, err := c.words(4 * trees)
	if err != nil {
		return err
	}
	for _, g := range groups {
		m.groups = append(m.groups, int(g))
	}
	if m.booster == "dart" && trees > 0 {
		m.drop, err = c.singles()
	}
	return err
}

func (c *cursor) legacyTree() (*tree, error) {
	head, err := c.words(treeBytes)
	if err != nil {
		return nil, err
	}
	count := int(head[1])
	if head[0] > 1 || head[5] > 1 {
		return nil, errors.New("trees with several roots, or with vectors for leaves, are not supported in the old binary format: save the model as JSON")
	}
	if count > (len(c.data)-c.at)/(nodeBytes+statBytes) {
		return nil, errEnd
	}
	words, err := c.words(nodeBytes * count)
	if err != nil {
		return nil, err
	}
	if _, err := c.take(uint64(statBytes * count)); err != nil {
		return nil, err
	}
	if err := c.Alloc((splitBytes + 4) * count); err != nil {
		return nil, err
	}
	t := &tree{splits: make([]split, count), values: make([]float32, count), width: 1}
	for i := range t.splits {
		n := words[nodeBytes/4*i:]
		value := math.Float32frombits(n[4])
		t.splits[i] = split{
			Leaf: int32(n[1]) == -1, Left: int(int32(n[1])), Right: int(int32(n[2])),
			Feature: int(n[3] &^ defaultLeft), MissingLeft: n[3]&defaultLeft != 0, AtMost: below(value),
		}
		t.values[i] = value
	}
	return t, nil
}
