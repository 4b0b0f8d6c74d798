// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

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
	o.Outputs = graph.Outputs{out, {}, graph.Decisions(n)}
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
