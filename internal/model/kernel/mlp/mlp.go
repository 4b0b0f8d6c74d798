// SPDX-License-Identifier: Apache-2.0

// Package mlp has multi-layer perceptrons (Rumelhart, Hinton and Williams 1986): each
// layer multiplies what the one before made with its weights, and bends the result by
// an activation function.
package mlp

import (
	"math"
	"strings"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// Classes are the estimators of this package.
var Classes = fitted.Classes{
	"sklearn.neural_network.MLPClassifier": newClassifier,
	"sklearn.neural_network.MLPRegressor":  newRegressor,
}

// perceptron is what both have.
type perceptron struct {
	input graph.Input
	graph.Outputs
	layers []layer
}

type layer struct {
	weights vector.Matrix // a row for each neuron
	bias    []float64
	bend    activation
}

// activation changes the values of all neurons of a row, or of several rows.
type activation func(values []float64)

var activations = map[string]activation{
	"identity": func([]float64) {},
	"exp":      each(math.Exp),
	"logistic": each(vector.Sigmoid),
	"tanh":     each(math.Tanh),
	"relu": func(values []float64) {
		for i, v := range values {
			values[i] = max(v, 0) // without a branch, which a core could not predict
		}
	},
}

func each(f func(float64) float64) activation {
	return func(values []float64) {
		for i, v := range values {
			values[i] = f(v)
		}
	}
}

// read reads the layers. The last one's activation is the caller's, because softmax
// is a row's.
func read(e *fitted.Estimator) (p *perceptron, out string) {
	weights, biases := e.Matrices("coefs_"), e.Matrices("intercepts_")
	e.Require(len(weights) > 0 && len(weights) == len(biases), "coefs_ does not fit intercepts_")
	p = &perceptron{}
	if !e.Ok() {
		return p, ""
	}
	p.input = e.Input(weights[0].Rows)
	p.input.Sparse = true
	bend := named(e, e.Text("relu", "activation"))
	width := p.input.Width
	for i, m := range weights {
		e.Require(m.Rows == width && m.Cols > 0 && len(biases[i].Data) == m.Cols, "its layers do not fit together")
		if !e.Alloc(8 * len(m.Data)) {
			return p, ""
		}
		p.layers = append(p.layers, layer{m.Transpose(), biases[i].Data, bend})
		width = m.Cols
		e.Wide(width)
	}
	p.layers[len(p.layers)-1].bend = func([]float64) {}
	return p, e.Text("identity", "out_activation_")
}

func named(e *fitted.Estimator, name string) activation {
	bend, ok := activations[name]
	if !ok {
		e.Failf("activation %s is not supported", pickle.Quote(name))
	}
	return bend
}

func (p *perceptron) Input() *graph.Input { return &p.input }

// outputs is the number of neurons of the last layer.
func (p *perceptron) outputs() int { return len(p.layers[len(p.layers)-1].bias) }

// forward fills dst with what the last layer makes of a block.
func (p *perceptron) forward(w *graph.Work, dst []float64, x frame.Frame) error {
	const bending = 10 // steps
	for i := range p.layers {
		l, made := &p.layers[i], dst
		if i < len(p.layers)-1 {
			made = w.Floats(x.Rows * len(l.bias))
		}
		if err := graph.Product(w, made, x, l.weights, l.bias); err != nil {
			return err
		}
		l.bend(made)
		if err := w.Steps(bending * len(made)); err != nil {
			return err
		}
		x = frame.Dense(x.Rows, len(l.bias), made)
	}
	return nil
}

// regressor is MLPRegressor.
type regressor struct{ *perceptron }

func newRegressor(e *fitted.Estimator) graph.Node {
	p, out := read(e)
	if !e.Ok() {
		return p
	}
	p.layers[len(p.layers)-1].bend = named(e, out)
	p.Outputs[frame.Predict] = graph.OneOrList(p.outputs())
	return regressor{p}
}

func (r regressor) Predict(w *graph.Work, _ frame.Method, dst []float64, x frame.Frame) error {
	return r.forward(w, dst, x)
}

// classifier is MLPClassifier. Its last layer makes one probability for each class or
// label, or the second class's alone.
type classifier struct {
	*perceptron
	softmax bool
}

func newClassifier(e *fitted.Estimator) graph.Node {
	p, out := read(e)
	binarizer := e.Part("_label_binarizer")
	labels, kind := binarizer.Labels(), binarizer.Text("", "y_type_")
	if !e.Ok() {
		return p
	}
	c, n, classes := classifier{p, out == "softmax"}, p.outputs(), len(labels.Classes[0])
	if !c.softmax {
		p.layers[len(p.layers)-1].bend = named(e, out)
	}
	switch {
	case strings.HasPrefix(kind, "multilabel"):
		e.Require(n == classes, "its last layer does not fit the labels")
		labels = e.Flags(n)
	case classes == 2:
		e.Require(n == 1, "its last layer does not fit two classes")
	default:
		e.Require(n == classes && n > 2, "its last layer does not fit the classes")
	}
	p.Outputs = graph.Outputs{labels, graph.List(classes)}
	return c
}

func (c classifier) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	n, width, made := c.outputs(), c.Outputs[m].Width, dst
	if n != width {
		made = w.Floats(x.Rows * n)
	}
	if err := c.forward(w, made, x); err != nil {
		return err
	}
	for i := range x.Rows {
		row, out := made[i*n:(i+1)*n], dst[i*width:(i+1)*width]
		if c.softmax {
			vector.Softmax(row)
		}
		switch {
		case m == frame.Predict && n == width:
			for j, v := range row {
				out[j] = 0
				if v > 0.5 {
					out[j] = 1
				}
			}
		case m == frame.Predict:
			out[0] = float64(vector.Argmax(row))
		case n == 1:
			out[0], out[1] = 1-row[0], row[0]
		}
	}
	return nil
}
