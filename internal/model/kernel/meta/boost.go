// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// boosting is AdaBoost: members that are fitted on what others do badly.
type boosting struct {
	outer
	weights []float64 // of each member
	sum     float64   // of all weights of the file
	classes int       // 0 for a regression
	places  [][]int   // the classes of each member's labels, for SAMME
	against float64   // what a vote counts for the classes that it is not for
}

func newBoosting(e *fitted.Estimator) *boosting {
	b := &boosting{outer: newOuter(e, members(e, e.List("estimators_"))...)}
	weights := e.Floats("estimator_weights_")
	e.Require(len(weights) >= len(b.members), "estimator_weights_ does not fit the estimators")
	if e.Ok() {
		b.weights = weights[:len(b.members)]
	}
	for _, v := range weights {
		b.sum += v
	}
	b.input.AllowNaN, b.input.AllowInf = false, false
	return b
}

// newAdaBoostClassifier makes AdaBoostClassifier (Hastie, Rosset, Zhu and Zou,
// "Multi-class AdaBoost", 2009).
func newAdaBoostClassifier(e *fitted.Estimator) graph.Node {
	b := newBoosting(e)
	out, n := classesOf(e, 2)
	b.classes = n
	version, algorithm := e.Version(), e.Text("", "algorithm")
	if algorithm == "" && version < 106 {
		algorithm = "SAMME.R"
	}
	switch {
	case algorithm == "SAMME" || version >= 106 && algorithm != "SAMME.R":
		if version >= againstSince {
			b.against = -1 / float64(n-1)
		}
		for _, p := range b.members {
			b.places = append(b.places, places(e, p, out.Classes[0]))
		}
	case algorithm == "SAMME.R":
		for _, p := range b.members {
			e.Require(has(p, frame.PredictProba, n), "one of its estimators has no probabilities of its classes")
		}
	default:
		e.Failf("algorithm %s is not supported", pickle.Quote(algorithm))
	}
	b.Outputs = graph.Outputs{out, graph.List(n), graph.Decisions(n)}
	e.Wide(n)
	return b
}

// againstSince is the scikit-learn from which on a vote counts against other classes.
const againstSince = 103

func newAdaBoostRegressor(e *fitted.Estimator) graph.Node {
	b := newBoosting(e)
	for _, p := range b.members {
		e.Require(has(p, frame.Predict, 1), "one of its estimators predicts no number")
	}
	e.Wide(len(b.members))
	b.Outputs[frame.Predict] = graph.One()
	return b
}

func (b *boosting) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	if b.classes == 0 {
		return b.median(w, dst, x)
	}
	scores := w.Floats(x.Rows * b.classes)
	if err := b.scores(w, scores, x); err != nil {
		return err
	}
	n, width := b.classes, b.Outputs[m].Width
	for i := range x.Rows {
		row, out := scores[i*n:(i+1)*n], dst[i*width:(i+1)*width]
		if n == 2 {
			row[1] -= row[0]
			row[0] = -row[1]
		}
		switch m {
		case frame.DecisionFunction:
			copy(out, row[n-width:])
		case frame.PredictProba:
			for k, v := range row {
				out[k] = v / float64(max(n-1, 1))
				if n == 2 {
					out[k] = v / 2
				}
			}
			vector.Softmax(out)
		case frame.Predict:
			out[0] = float64(vector.Argmax(row))
		}
	}
	return w.Steps(20 * len(scores))
}

// scores fills dst with the decisions for all classes.
func (b *boosting) scores(w *graph.Work, dst []float64, x frame.Frame) error {
	clear(dst)
	mark := w.Mark()
	for i, p := range b.members {
		w.Release(mark)
		m := frame.Predict
		if b.places == nil {
			m = frame.PredictProba
		}
		part, err := ask(w, p, m, x)
		if err != nil {
			return err
		}
		for r := range x.Rows {
			row := dst[r*b.classes : (r+1)*b.classes]
			if b.places == nil {
				b.logs(row, part[r*b.classes:(r+1)*b.classes])
				continue
			}
			for k := range row {
				row[k] += b.against * b.weights[i]
			}
			row[b.places[i][int(part[r])]] += (1 - b.against) * b.weights[i]
		}
	}
	for i := range dst {
		dst[i] /= b.sum
	}
	return w.Steps(len(dst) * len(b.members))
}

// logs adds the scores of SAMME.R.
func (b *boosting) logs(dst, probabilities []float64) {
	const least = 0x1p-52
	mean := 0.0
	for _, p := range probabilities {
		mean += math.Log(max(p, least)) / float64(len(probabilities))
	}
	for k, p := range probabilities {
		dst[k] += float64(len(probabilities)-1) * (math.Log(max(p, least)) - mean)
	}
}

// median answers the weighted median of the members (Drucker 1997).
func (b *boosting) median(w *graph.Work, dst []float64, x frame.Frame) error {
	n := len(b.members)
	all := w.Floats(x.Rows * n)
	mark := w.Mark()
	for i, p := range b.members {
		w.Release(mark)
		part, err := ask(w, p, frame.Predict, x)
		if err != nil {
			return err
		}
		for r, v := range part {
			all[r*n+i] = v
		}
	}
	order := w.Ints(n)
	for r := range dst {
		values := all[r*n : (r+1)*n]
		total := 0.0
		for i := range order {
			at := i
			for ; at > 0 && values[order[at-1]] > values[i]; at-- {
				order[at] = order[at-1]
			}
			order[at] = i
			total += b.weights[i]
			if err := w.Steps(1 + i - at); err != nil {
				return err
			}
		}
		dst[r] = values[order[0]] // also if no weight is a number
		sum := 0.0
		for _, i := range order {
			if sum += b.weights[i]; sum >= total/2 {
				dst[r] = values[i]
				break
			}
		}
	}
	return nil
}
