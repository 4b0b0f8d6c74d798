// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"math"
	"strings"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// binary is a part of a problem of several classes. It is a classifier of two, or a
// regressor, or a constant, if all rows were of one class.
type binary struct {
	graph.Predictor
	constant float64
	method   frame.Method // how it is asked for a score
	width    int          // of that answer
	codes    []int        // of its labels; nil for a regressor or a constant
}

// binaries are the parts of an estimator.
type binaries struct {
	outer
	parts     []binary
	threshold float64 // of a score, beyond which it is for the second class
}

func newBinaries(e *fitted.Estimator) *binaries {
	b := &binaries{}
	var all []graph.Predictor
	for _, v := range e.List("estimators_") {
		o, ok := v.(*pickle.Object)
		if !ok || !e.Work(1) {
			e.Failf("one of its estimators is %s", pickle.Describe(v))
			return b
		}
		if o.Class.Name == "_ConstantPredictor" {
			y := e.Member(v).Floats("y_")
			e.Require(len(y) == 1, "a constant in it is malformed")
			if e.Ok() {
				b.parts = append(b.parts, binary{constant: y[0]})
			}
			continue
		}
		p := e.AsPredictor(e.Node(v))
		all = append(all, p)
		b.parts = append(b.parts, binary{Predictor: p})
	}
	e.Require(len(all) > 0, "it has no estimators, or constants alone")
	b.outer = newOuter(e, all...)
	if !e.Ok() {
		return b
	}
	for i := range b.parts {
		b.parts[i].read(e)
	}
	if first := &b.parts[0]; first.codes == nil || first.method == frame.PredictProba {
		b.threshold = 0.5
	}
	return b
}

// read finds how to ask for a score.
func (b *binary) read(e *fitted.Estimator) {
	if b.Predictor == nil {
		return
	}
	if out, ok := b.Output(frame.Predict); ok && out.Classes == nil {
		b.width = 1
		e.Require(out.Width == 1, "an estimator in it has several outputs")
		return
	}
	b.codes = make([]int, 0, 2)
	for _, v := range numbers(e, b.Predictor) {
		if v > 0 { // OutputCodeClassifier has -1 and 1
			b.codes = append(b.codes, 1)
		} else {
			b.codes = append(b.codes, 0)
		}
	}
	e.Require(len(b.codes) == 2, "an estimator in it has not two classes")
	switch {
	case has(b, frame.DecisionFunction, 1):
		b.method, b.width = frame.DecisionFunction, 1
	case has(b, frame.PredictProba, 2):
		b.method, b.width = frame.PredictProba, 2
	default:
		e.Failf("%s in it has neither scores nor probabilities", b.Input().Class)
	}
}

// scores fills every stride-th value of dst with a score, from at on.
func (b *binary) scores(w *graph.Work, dst []float64, at, stride int, x frame.Frame) error {
	if b.Predictor == nil {
		for i := range x.Rows {
			dst[i*stride+at] = b.constant
		}
		return nil
	}
	return b.spread(w, b.method, b.width, dst, at, stride, x)
}

// spread asks for answers of some width, and puts the last value of each into dst.
func (b *binary) spread(w *graph.Work, m frame.Method, width int, dst []float64, at, stride int, x frame.Frame) error {
	mark := w.Mark()
	defer w.Release(mark)
	part, err := ask(w, b.Predictor, m, x)
	if err != nil {
		return err
	}
	for i := range x.Rows {
		dst[i*stride+at] = part[i*width+width-1]
	}
	return w.Steps(x.Rows)
}

// likely is scores for probabilities.
func (b *binary) likely(w *graph.Work, dst []float64, at, stride int, x frame.Frame) error {
	if b.Predictor == nil {
		return b.scores(w, dst, at, stride, x)
	}
	return b.spread(w, frame.PredictProba, 2, dst, at, stride, x)
}

// scores fills dst with the scores of all parts, row after row.
func (b *binaries) scores(w *graph.Work, dst []float64, x frame.Frame) error {
	for i := range b.parts {
		if err := b.parts[i].scores(w, dst, i, len(b.parts), x); err != nil {
			return err
		}
	}
	return nil
}

// oneVsRest is OneVsRestClassifier.
type oneVsRest struct {
	*binaries
	several bool // labels for a row, of which each is 0 or 1
	last    bool // of equal scores the last one wins
	zeros   bool // probabilities that are all 0 stay so
}

func newOneVsRest(e *fitted.Estimator) graph.Node {
	version := e.Version()
	o := &oneVsRest{binaries: newBinaries(e), last: version < 108, zeros: version >= zerosSince}
	binarizer := e.Part("label_binarizer_")
	out, kind := binarizer.Labels(), binarizer.Text("", "y_type_")
	if !e.Ok() {
		return o
	}
	n, parts := len(out.Classes[0]), len(o.parts)
	o.several = strings.HasPrefix(kind, "multilabel")
	switch {
	case o.several:
		e.Require(n == parts, "its estimators do not fit the classes")
		out = graph.Flags(parts)
	case n == 2:
		e.Require(parts == 1 && kind == "binary", "its estimators do not fit the classes")
	default:
		e.Require(parts == n && kind == "multiclass", "its estimators do not fit the classes")
	}
	o.Outputs[frame.Predict] = out
	o.more(e, n)
	return o
}

const zerosSince = 107

// more adds the outputs that all parts have.
func (o *oneVsRest) more(e *fitted.Estimator, n int) {
	likely, decides := true, true
	for i := range o.parts {
		p := &o.parts[i]
		likely = likely && (p.Predictor == nil || has(p, frame.PredictProba, 2))
		decides = decides && (p.Predictor == nil || has(p, frame.DecisionFunction, 1))
	}
	if likely {
		o.Outputs[frame.PredictProba] = graph.List(n)
	}
	if decides {
		o.Outputs[frame.DecisionFunction] = graph.List(len(o.parts))
		if len(o.parts) == 1 {
			o.Outputs[frame.DecisionFunction] = graph.One()
		}
	}
	e.Wide(n)
}

func (o *oneVsRest) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	if m == frame.PredictProba {
		return o.likely(w, dst, x)
	}
	n, scores := len(o.parts), dst
	if len(dst) != x.Rows*n {
		scores = w.Floats(x.Rows * n)
	}
	if err := o.scores(w, scores, x); err != nil || m == frame.DecisionFunction {
		return err
	}
	if len(dst) == len(scores) {
		for i, v := range scores {
			dst[i] = 0
			if v > o.threshold {
				dst[i] = 1
			}
		}
		return nil
	}
	for i := range dst {
		best := 0
		for k, v := range scores[i*n : (i+1)*n] {
			if most := scores[i*n+best]; v > most || o.last && v == most {
				best = k
			}
		}
		dst[i] = float64(best)
	}
	return w.Steps(len(scores))
}

func (o *oneVsRest) likely(w *graph.Work, dst []float64, x frame.Frame) error {
	n := len(dst) / x.Rows
	for i := range o.parts {
		if err := o.parts[i].likely(w, dst, i+n-len(o.parts), n, x); err != nil {
			return err
		}
	}
	for i := range x.Rows {
		row, sum := dst[i*n:(i+1)*n], 0.0
		if len(o.parts) < n {
			row[0] = 1 - row[1]
		}
		for _, p := range row {
			sum += p
		}
		if o.several || sum == 0 && o.zeros {
			continue
		}
		for k := range row {
			row[k] /= sum
		}
	}
	return w.Steps(len(dst))
}

// oneVsOne is OneVsOneClassifier: a vote of one part for each pair of classes, in which
// the scores decide between classes of as many votes.
type oneVsOne struct {
	*binaries
	classes int
}

func newOneVsOne(e *fitted.Estimator) graph.Node {
	o := &oneVsOne{binaries: newBinaries(e)}
	out, n := classesOf(e, 2)
	o.classes = n
	e.Require(len(o.parts) == n*(n-1)/2, "its estimators do not fit the classes")
	e.Require(e.Get("pairwise_indices_") == nil, "an estimator on precomputed distances is not supported")
	for i := range o.parts {
		e.Require(o.parts[i].codes != nil, "one of its estimators is no classifier")
	}
	if e.Version() < 101 {
		o.threshold = 0 // also for probabilities
	}
	o.Outputs = graph.Outputs{out, {}, decisions(n)}
	e.Wide(len(o.parts))
	return o
}

func (o *oneVsOne) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	pairs := len(o.parts)
	scores, labels := w.Floats(x.Rows*pairs), w.Floats(x.Rows*pairs)
	if err := o.scores(w, scores, x); err != nil {
		return err
	}
	for k := range o.parts {
		if err := o.parts[k].spread(w, frame.Predict, 1, labels, k, pairs, x); err != nil {
			return err
		}
	}
	sums, votes, width := w.Floats(o.classes), w.Floats(o.classes), o.Outputs[m].Width
	for i := range x.Rows {
		o.vote(votes, sums, scores[i*pairs:(i+1)*pairs], labels[i*pairs:(i+1)*pairs])
		out := dst[i*width : (i+1)*width]
		switch {
		case m == frame.DecisionFunction:
			copy(out, votes[o.classes-width:])
		case o.classes == 2:
			out[0] = 0
			if votes[1] > o.threshold {
				out[0] = 1
			}
		default:
			out[0] = float64(vector.Argmax(votes))
		}
	}
	return w.Steps(len(scores))
}

// vote fills votes with those of a row, and with a share of its scores.
func (o *oneVsOne) vote(votes, sums, scores, labels []float64) {
	clear(votes)
	clear(sums)
	pair := 0
	for i := range votes {
		for j := i + 1; j < len(votes); j++ {
			sums[i] -= scores[pair]
			sums[j] += scores[pair]
			if o.parts[pair].codes[int(labels[pair])] == 0 {
				votes[i]++
			} else {
				votes[j]++
			}
			pair++
		}
	}
	for i, s := range sums {
		votes[i] += s / (3 * (math.Abs(s) + 1))
	}
}

// outputCode is OutputCodeClassifier (Dietterich and Bakiri 1995): the class whose code
// is the nearest to the scores.
type outputCode struct {
	*binaries
	codes vector.Matrix // a row for each class
}

func newOutputCode(e *fitted.Estimator) graph.Node {
	o := &outputCode{binaries: newBinaries(e), codes: e.Matrix("code_book_")}
	out, n := classesOf(e, 2)
	e.Require(o.codes.Rows == n && o.codes.Cols == len(o.parts), "code_book_ does not fit the estimators")
	o.Outputs[frame.Predict] = out
	e.Wide(len(o.parts))
	return o
}

func (o *outputCode) Predict(w *graph.Work, _ frame.Method, dst []float64, x frame.Frame) error {
	n := len(o.parts)
	scores, far := w.Floats(x.Rows*n), w.Floats(o.codes.Rows)
	if err := o.scores(w, scores, x); err != nil {
		return err
	}
	if !vector.Within(scores, math.MaxFloat64) {
		return errNotFinite
	}
	for i := range dst {
		vector.SquaredDistances(far, scores[i*n:(i+1)*n], &o.codes)
		best := 0
		for k, v := range far {
			if v < far[best] {
				best = k
			}
		}
		dst[i] = float64(best)
	}
	return w.Steps(x.Rows * len(o.codes.Data))
}
