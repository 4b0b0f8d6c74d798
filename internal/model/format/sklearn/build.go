// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"errors"
	"fmt"
	"strings"
)

const (
	// maxPipelines bounds the nesting of pipelines: a hostile one may contain itself.
	maxPipelines = 16
	// estimatorCost is the memory of an estimator without its arrays, in bytes. Each
	// mention is charged, because a file can mention an estimator many times.
	estimatorCost = 1 << 10
)

// An estimator can be part of a model.
type estimator struct {
	modules []string // that files name for its class, newest first
	build   func(*attributes) step
}

// estimators is all of them, by the name of their class.
var estimators = map[string]estimator{
	"SVC":                    {[]string{"sklearn.svm._classes", "sklearn.svm.classes"}, newSVC},
	"LogisticRegression":     {[]string{"sklearn.linear_model._logistic", "sklearn.linear_model.logistic"}, newLogistic},
	"DecisionTreeClassifier": {[]string{"sklearn.tree._classes", "sklearn.tree.tree"}, newDecisionTree},
	"RandomForestClassifier": {[]string{"sklearn.ensemble._forest", "sklearn.ensemble.forest"}, newForest},
	"StandardScaler":         {[]string{"sklearn.preprocessing._data", "sklearn.preprocessing.data"}, newScaler},
	"Pipeline":               {[]string{"sklearn.pipeline"}, nil}, // see builder.pipeline
}

// builder turns the values of a file into estimators.
type builder struct{ *budget }

func build(value any, budget *budget) (*Model, error) {
	b := &builder{budget}
	steps, err := b.steps(value, 0)
	if err != nil {
		return nil, err
	}
	if len(steps) == 0 {
		return nil, errors.New("the pipeline has no steps")
	}
	m := &Model{}
	for _, s := range steps[:len(steps)-1] {
		t, ok := s.(transformer)
		if !ok {
			return nil, fmt.Errorf("%s stands in the middle of a pipeline but transforms nothing", s.shape().class)
		}
		m.transforms = append(m.transforms, t)
	}
	last := steps[len(steps)-1]
	c, ok := last.(classifier)
	if !ok {
		return nil, fmt.Errorf("the model ends in %s, which predicts nothing", last.shape().class)
	}
	m.classifier = c
	m.classes = c.labels()
	first := m.first()
	m.features = first.names
	for _, s := range steps {
		if got := s.shape(); got.features != first.features {
			return nil, fmt.Errorf("%s gives %d features, but %s expects %d", first.class, first.features, got.class, got.features)
		}
	}
	return m, nil
}

// steps builds an estimator, which for a pipeline is several.
func (b *builder) steps(value any, depth int) ([]step, error) {
	o, ok := value.(*object)
	if !ok {
		return nil, fmt.Errorf("the file holds %s, not an estimator", describe(value))
	}
	class := o.class.name[strings.LastIndexByte(o.class.name, '.')+1:]
	e, ok := estimators[class]
	if !ok {
		return nil, fmt.Errorf("the file holds %s, not an estimator", describe(value))
	}
	if err := b.alloc(estimatorCost); err != nil {
		return nil, err
	}
	if err := b.work(len(o.state.entries)); err != nil { // fitted looks at all of them
		return nil, err
	}
	if class == "Pipeline" {
		return b.pipeline(o, depth)
	}
	if !fitted(o) {
		return nil, fmt.Errorf("the %s was saved before it was fitted", class)
	}
	a := &attributes{builder: b, object: o, class: class}
	s := e.build(a)
	if a.err != nil {
		return nil, fmt.Errorf("%s: %w", class, a.err)
	}
	return []step{s}, nil
}

// fitted reports whether an estimator is fitted: by scikit-learn's convention,
// fitting adds attributes whose names end in an underscore.
func fitted(o *object) bool {
	for name := range o.state.entries {
		if strings.HasSuffix(name, "_") {
			return true
		}
	}
	return false
}

func (b *builder) pipeline(o *object, depth int) ([]step, error) {
	if depth == maxPipelines {
		return nil, errors.New("pipelines are nested too deeply")
	}
	named, ok := o.state.entries["steps"].(*list)
	if !ok {
		return nil, errors.New("the pipeline has no steps")
	}
	var all []step
	for _, item := range named.items {
		if err := b.work(1); err != nil {
			return nil, err
		}
		pair, _ := item.(tuple)
		value := arg(pair, 1)
		if value == any(none{}) || value == any("passthrough") {
			continue
		}
		steps, err := b.steps(value, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, steps...)
	}
	return all, nil
}
