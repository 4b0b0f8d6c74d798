// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"math"
	"slices"
	"strings"
)

// objective says what sums of trees, which are margins, mean. XGBoost computes in
// float32, and so does this.
type objective struct {
	margin  func(float32) float32 // of a base_score; nil if that is one
	answer  func(float32) float32 // for a margin; nil if it is one
	classes bool                  // the margins of a row are those of classes
	label   bool                  // the answer is the number of the class
	sorted  bool                  // the answers of a row are ascending
}

// objectives are those of the documentation's list of parameters
// (https://xgboost.readthedocs.io/en/stable/parameter.html). A custom one is saved
// under the name of the objective that the booster was made with.
var objectives = map[string]objective{
	"reg:squarederror": {}, "reg:linear": {}, "reg:squaredlogerror": {}, "reg:pseudohubererror": {}, "reg:absoluteerror": {}, "reg:quantileerror": {},
	"rank:pairwise": {}, "rank:ndcg": {}, "rank:map": {},
	"reg:logistic":    {margin: logit, answer: sigmoid},
	"binary:logistic": {margin: logit, answer: sigmoid},
	"binary:logitraw": {},
	"binary:hinge":    {answer: sign},
	"count:poisson":   {margin: log, answer: exp},
	"reg:gamma":       {margin: log, answer: exp},
	"reg:tweedie":     {margin: log, answer: exp},
	"survival:cox":    {margin: log, answer: exp},
	"survival:aft":    {margin: log, answer: exp},
	"multi:softprob":  {classes: true},
	"multi:softmax":   {classes: true, label: true},
}

func exp(x float32) float32 { return float32(math.Exp(float64(x))) }
func log(x float32) float32 { return float32(math.Log(float64(x))) }

func logit(p float32) float32 { return -log(1/p - 1) }

func sigmoid(x float32) float32 {
	const most = 88.7 // above, the exponential is no float32
	return 1 / (exp(min(-x, most)) + 1)
}

func sign(x float32) float32 {
	if x > 0 {
		return 1
	}
	return 0
}

// answers turns the margins of a row into as many answers, or into one label. It
// writes into margins.
func (o *objective) answers(dst []float64, margins []float32) {
	switch {
	case o.label:
		dst[0] = float64(largest(margins))
		return
	case o.classes:
		softmax(margins)
	case o.sorted:
		slices.Sort(margins)
	case o.answer != nil:
		for i, v := range margins {
			margins[i] = o.answer(v)
		}
	}
	for i, v := range margins {
		dst[i] = float64(v)
	}
}

// largest returns the first index of the largest value. NaN is never larger.
func largest[T float32 | float64](row []T) int {
	at := 0
	for i, v := range row {
		if v > row[at] {
			at = i
		}
	}
	return at
}

func softmax(row []float32) {
	most := slices.Max(row)
	sum := 0.0
	for i, v := range row {
		row[i] = exp(v - most)
		sum += float64(row[i])
	}
	for i := range row {
		row[i] /= float32(sum)
	}
}

// supported lists the objectives.
func supported() string {
	var names []string
	for name := range objectives {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
