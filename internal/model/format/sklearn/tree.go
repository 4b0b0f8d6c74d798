// SPDX-License-Identifier: Apache-2.0

package sklearn

import "math"

// tree is the decision tree that classifiers and forests share.
type tree struct {
	nodes   []node
	leaves  []float64 // one probability per class and leaf
	missing bool      // NaN is a valid value
	depth   int       // nodes on the longest path
}

// node sends a row left if its feature is at most the threshold. A leaf has
// no left child, and right is the index of its first probability.
type node struct {
	threshold   float64
	left, right int32
	feature     int32
	missingLeft bool
}

const (
	leaf     = -1
	nodeCost = 32 // bytes of a node
	noChild  = "a node of its tree has no such child"
)

// newTree reads the tree_ of a fitted classifier with this many classes.
func newTree(a *attributes, classes int) (t *tree, features int) {
	o, ok := a.get("tree_").(*object)
	if !ok {
		a.failf("it has no tree_")
		return &tree{}, 0
	}
	width, _ := at[int64](o.args, 0)
	outputs, _ := at[int64](o.args, 2)
	a.require(outputs == 1, "it predicts several outputs at once, which is not supported")
	a.require(width > 0 && width < math.MaxInt32, "its tree has no features")
	inner := &attributes{builder: a.builder, object: o, class: a.class, err: a.err}
	t = inner.tree(int(width), classes)
	a.err = inner.err
	return t, int(width)
}

func (a *attributes) tree(features, classes int) *tree {
	t := &tree{}
	nodes := a.array("nodes")
	a.require(len(nodes.shape) == 1 && nodes.shape[0] > 0, "its tree has no nodes")
	if a.err != nil {
		return t
	}
	count := nodes.shape[0]
	if a.check(a.builder.alloc(nodeCost * count)); a.err != nil {
		return t
	}
	t.nodes = make([]node, count)
	leaves := 0
	a.column(nodes, "left_child", func(i int, v decoded) {
		t.nodes[i].left = int32(v.int)
		if v.int == leaf {
			leaves++
			return
		}
		// Children come after their parent, so every walk ends.
		a.require(inside(v.int, i+1, count), noChild)
	})
	inner := func(set func(n *node, v decoded)) func(int, decoded) {
		return func(i int, v decoded) {
			if n := &t.nodes[i]; n.left != leaf {
				set(n, v)
			}
		}
	}
	a.column(nodes, "right_child", func(i int, v decoded) {
		if n := &t.nodes[i]; n.left != leaf {
			a.require(inside(v.int, i+1, count), noChild)
			n.right = int32(v.int)
		}
	})
	a.column(nodes, "feature", inner(func(n *node, v decoded) {
		a.require(inside(v.int, 0, features), "a node of its tree has no such feature")
		n.feature = int32(v.int)
	}))
	a.column(nodes, "threshold", inner(func(n *node, v decoded) { n.threshold = v.float }))
	if _, t.missing = nodes.dtype.fields["missing_go_to_left"]; t.missing {
		a.column(nodes, "missing_go_to_left", inner(func(n *node, v decoded) { n.missingLeft = v.int != 0 }))
	}
	a.leaves(t, classes, leaves)
	a.depth(t)
	return t
}

// depth sets t.depth, the number of nodes on the longest path. In a hostile tree that
// is all of them.
func (a *attributes) depth(t *tree) {
	if a.err == nil {
		a.check(a.builder.alloc(4 * len(t.nodes)))
	}
	if a.err != nil {
		return
	}
	depths := make([]int32, len(t.nodes))
	for i, n := range t.nodes {
		depth := depths[i] + 1
		t.depth = max(t.depth, int(depth))
		if n.left != leaf {
			depths[n.left], depths[n.right] = max(depths[n.left], depth), max(depths[n.right], depth)
		}
	}
	a.builder.release(4 * len(depths))
}

// leaves gives each leaf of a tree its probabilities.
func (a *attributes) leaves(t *tree, classes, leaves int) {
	values := a.array("values")
	a.require(len(values.shape) == 3 && values.shape[0] == len(t.nodes) && values.shape[1] == 1 && values.shape[2] == classes, "the values of its tree do not fit the nodes and classes")
	probabilities := a.floats("values")
	if a.err != nil {
		return
	}
	if a.check(a.builder.alloc(8 * classes * leaves)); a.err != nil {
		return
	}
	t.leaves = make([]float64, 0, classes*leaves)
	for i := range t.nodes {
		if n := &t.nodes[i]; n.left == leaf {
			n.right = int32(len(t.leaves))
			t.leaves = append(t.leaves, fractions(probabilities[i*classes:(i+1)*classes])...)
		}
	}
	a.builder.release(8 * len(probabilities))
}

func inside(n int64, from, to int) bool { return n >= int64(from) && n < int64(to) }

// fractions turns counts of samples, which scikit-learn stored before 1.3,
// into probabilities. It leaves values that sum to 1 as they are, bit for bit.
func fractions(values []float64) []float64 {
	const rounding = 1e-9
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	if math.Abs(sum-1) > rounding {
		normalize(values)
	}
	return values
}

// column decodes one field of an array of structures, from the first to the last.
func (a *attributes) column(arr *ndarray, name string, set func(i int, v decoded)) {
	if a.err != nil {
		return
	}
	f, ok := arr.dtype.fields[name]
	number := f.dtype.number()
	if !ok || number == nil {
		a.failf("the nodes of its tree have no %s", name)
		return
	}
	i := 0
	a.check(arr.each(a.builder.budget, func(b []byte) {
		set(i, number(b[f.offset:f.offset+f.dtype.size]))
		i++
	}))
}

// find returns the probabilities of the leaf that a row ends in.
func (t *tree) find(row []float64, classes int) []float64 {
	n := &t.nodes[0]
	for n.left != leaf {
		v := float64(float32(row[n.feature]))
		if v <= n.threshold || n.missingLeft && math.IsNaN(v) {
			n = &t.nodes[n.left]
		} else {
			n = &t.nodes[n.right]
		}
	}
	return t.leaves[n.right : int(n.right)+classes]
}

// decisionTree is DecisionTreeClassifier.
type decisionTree struct {
	input
	*tree
	classes []any
}

func newDecisionTree(a *attributes) step {
	classes := a.labels()
	t, features := newTree(a, len(classes))
	d := &decisionTree{a.input(features), t, classes}
	d.single, d.allowNaN = true, t.missing
	return d
}

func (d *decisionTree) labels() []any { return d.classes }

func (d *decisionTree) hasProba() bool { return true }

func (d *decisionTree) predict(row []float64, s *scratch) int {
	s.done += d.depth
	return argmax(d.find(row, len(d.classes)))
}

func (d *decisionTree) proba(dst, row []float64, s *scratch) {
	s.done += d.depth
	copy(dst, d.find(row, len(d.classes)))
}

// forest is RandomForestClassifier: the mean of the probabilities of its trees.
type forest struct {
	input
	trees   []*tree
	classes []any
}

func newForest(a *attributes) step {
	f := &forest{classes: a.labels()}
	members, ok := a.get("estimators_").(*list)
	if !ok || len(members.items) == 0 {
		a.failf("it has no estimators_")
		return f
	}
	features := 0
	for _, v := range members.items {
		o, ok := v.(*object)
		if !ok {
			a.failf("one of its trees is %s", describe(v))
			return f
		}
		a.check(a.builder.alloc(estimatorCost))
		member := &attributes{builder: a.builder, object: o, class: a.class, err: a.err}
		t, n := newTree(member, len(f.classes))
		if features == 0 {
			features = n
		}
		member.require(n == features, "its trees have different features")
		if a.err = member.err; a.err != nil {
			return f
		}
		f.trees = append(f.trees, t)
	}
	f.input = a.input(features)
	f.single, f.allowNaN = true, f.trees[0].missing
	return f
}

func (f *forest) labels() []any { return f.classes }

func (f *forest) hasProba() bool { return true }

func (f *forest) predict(row []float64, s *scratch) int {
	s.scores = sized(&s.scores, len(f.classes))
	f.proba(s.scores, row, s)
	return argmax(s.scores)
}

func (f *forest) proba(dst, row []float64, s *scratch) {
	clear(dst)
	for _, t := range f.trees {
		if s.stopped(len(f.classes) + t.depth) {
			return
		}
		for i, p := range t.find(row, len(f.classes)) {
			dst[i] += p
		}
	}
	for i := range dst {
		dst[i] /= float64(len(f.trees))
	}
}
