// SPDX-License-Identifier: Apache-2.0

package neighbours

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// centroid is NearestCentroid (Tibshirani, Hastie, Narasimhan and Chu 2002).
type centroid struct {
	input graph.Input
	graph.Outputs
	metric
	centers vector.Matrix // one for each class

	// Scores are those of a discriminant analysis, from scikit-learn 1.6 on.
	scaled vector.Matrix // the centers divided by scale
	scale  []float64
	prior  []float64 // twice the logarithm of each class's
	likely bool      // the classes are not equally likely
}

func newCentroid(e *fitted.Estimator) graph.Node {
	labels, centers := e.Labels(), e.Matrix("centroids_")
	c := &centroid{input: e.Input(centers.Cols), centers: centers}
	switch name := e.Text("euclidean", "metric"); name {
	case "euclidean":
		c.metric = metric{name, vector.SquaredDistance, squaredOfFour, 2, 2}
	case "manhattan":
		c.metric = metric{name, cityblock, cityblockOfFour, 1, 1}
	default:
		e.Failf("metric %s is not supported", pickle.Quote(name))
	}
	if !e.Ok() {
		return c
	}
	e.Require(len(labels.Classes[0]) == centers.Rows, "centroids_ does not fit the classes")
	c.Outputs[frame.Predict] = labels
	if e.Version() >= 106 {
		c.score(e)
	}
	return c
}

// score reads what scores need.
func (c *centroid) score(e *fitted.Estimator) {
	prior, scale := e.Floats("class_prior_"), e.Floats("within_class_std_dev_")
	classes := c.centers.Rows
	e.Require(len(prior) == classes && len(scale) == c.centers.Cols, "class_prior_ and within_class_std_dev_ do not fit centroids_")
	if !e.Alloc(8 * (len(c.centers.Data) + len(scale) + classes)) {
		return
	}
	equal := 1 / float64(classes)
	for _, p := range prior {
		c.likely = c.likely || !(math.Abs(p-equal) <= 1e-8+1e-5*equal)
		c.prior = append(c.prior, 2*math.Log(p))
	}
	for _, s := range scale {
		if s == 0 {
			s = 1
		}
		c.scale = append(c.scale, s)
	}
	c.scaled = vector.Matrix{Rows: classes, Cols: c.centers.Cols}
	for i, v := range c.centers.Data {
		c.scaled.Data = append(c.scaled.Data, v/c.scale[i%len(c.scale)])
	}
	if c.name != "euclidean" {
		return
	}
	c.Outputs[frame.PredictProba] = graph.List(classes)
	c.Outputs[frame.DecisionFunction] = graph.List(classes)
	if classes == 2 {
		c.Outputs[frame.DecisionFunction] = graph.One()
	}
}

func (c *centroid) Input() *graph.Input { return &c.input }

func (c *centroid) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	scores, width, scaled := w.Floats(c.centers.Rows), c.Outputs[m].Width, w.Floats(x.Cols)
	for i := range x.Rows {
		if m == frame.Predict && !c.likely {
			for k := range scores {
				scores[k] = -c.reduced(x.Row(i), c.centers.Row(k))
			}
		} else {
			c.scores(scores, scaled, x.Row(i))
		}
		out := dst[i*width : (i+1)*width]
		switch {
		case m == frame.Predict:
			out[0] = float64(vector.Argmax(scores))
		case m == frame.PredictProba:
			copy(out, scores)
			vector.Softmax(out)
		case width == 1:
			out[0] = scores[1] - scores[0]
		default:
			copy(out, scores)
		}
		if err := w.Steps(2 * len(c.centers.Data)); err != nil {
			return err
		}
	}
	return nil
}

func (c *centroid) scores(dst, scaled, row []float64) {
	for j, v := range row {
		scaled[j] = v / c.scale[j]
	}
	for k := range dst {
		d := c.distance(c.reduced(scaled, c.scaled.Row(k)))
		dst[k] = c.prior[k] - d*d
	}
}
