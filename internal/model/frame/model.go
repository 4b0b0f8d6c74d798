// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"fmt"
	"slices"
)

// Model is a fitted model of any format. It is immutable and safe for concurrent
// use.
type Model interface {
	// Class is the name of what predicts, such as "SVC", for people.
	Class() string
	// Remarks are sentences that the owner of the model should read.
	Remarks() []string
	// Schema describes the rows that the model takes.
	Schema() Schema
	// Output describes what a method answers, and reports whether the model has it.
	Output(Method) (Output, bool)
	// Predict calls a method with the rows of x and puts its answer into dst, whose
	// memory it reuses. An InputError means that x does not fit the model. Every few
	// milliseconds it calls stop, unless that is nil, and returns its error if there
	// is one.
	Predict(stop func() error, m Method, dst *Result, x Frame) error
}

// Newer is the remark about a file of a version that no test knows.
func Newer(library, version, newest string) string {
	return fmt.Sprintf("the file was saved by %s %s, and Serin was compared with versions up to %s: it answers as that one does", library, version, newest)
}

// Method is one of scikit-learn's ways to ask a model.
type Method byte

// The methods.
const (
	Predict Method = iota
	PredictProba
	DecisionFunction
)

func (m Method) String() string {
	return [...]string{"predict", "predict_proba", "decision_function"}[m]
}

// Kind is what the values of a column may be.
type Kind byte

// The kinds of columns.
const (
	Numbers  Kind = iota // numbers only: a string is read as Python's float() reads it
	Strings              // strings and None
	Anything             // numbers, strings and None, as the request sent them
)

// Schema describes the rows that a model takes.
type Schema struct {
	Width int      // columns
	Names []string // of the columns, if the model was fitted on a DataFrame
	Kinds []Kind   // of the columns; empty if all are numbers
	Flat  bool     // a row is one value, and not a list of Width values
	// Open means that only the model itself knows which rows it takes: of any width and
	// kind, with columns of any name. Width is 0, or what it is most likely.
	Open bool
	// Picked are the columns that the model looks at, if it picks them from rows by
	// their names: such rows may lack the others, and may have any beside them. It is
	// empty if rows have all columns and no others.
	Picked []bool

	// Examples are strings that some columns know, by column: people who try the model
	// get an answer with them, where it refuses unknown strings.
	Examples map[int]string
}

// Example sets the example of a column, unless it is empty.
func (s *Schema) Example(column int, text string) {
	if text == "" {
		return
	}
	if s.Examples == nil {
		s.Examples = map[int]string{}
	}
	s.Examples[column] = text
}

// Kind returns the kind of a column.
func (s *Schema) Kind(column int) Kind {
	switch {
	case s.Open:
		return Anything
	case column < len(s.Kinds):
		return s.Kinds[column]
	case column >= s.Width && len(s.Picked) > 0:
		return Anything
	}
	return Numbers
}

// Share notes that another reader gets the same rows, and needs its own columns of them.
func (s *Schema) Share(other *Schema) {
	if len(s.Picked) != len(other.Picked) {
		s.Picked = nil
		return
	}
	s.Picked = slices.Clone(s.Picked)
	for j, picked := range other.Picked {
		s.Picked[j] = s.Picked[j] || picked
	}
}

// Spare reports whether rows whose values have names may lack a column.
func (s *Schema) Spare(column int) bool { return column < len(s.Picked) && !s.Picked[column] }

// Type is numpy's type of an answer, for protocols that tell it.
type Type byte

// The types. Bytes is a string or Python object.
const (
	Float64 Type = iota
	Float32
	Int64
	Int32
	Int16
	Int8
	Uint64
	Uint32
	Uint16
	Uint8
	Bool
	Bytes
)

// Output describes what a method answers for each row.
type Output struct {
	Type  Type
	Width int  // values for a row
	Flat  bool // a row's answer is one value, and not a list of Width values
	// Classes are the labels, if the answer is labels: one list for each of the
	// Width values, which are then indexes into it. A label is an int64, uint64,
	// float64, bool or string.
	Classes [][]any
	// Parts divides the Width values, if there is one answer for each of several
	// outputs, as their probabilities: scikit-learn has a list of such answers then,
	// each with rows of its own.
	Parts []int
	// Open means that the model does not know before it answers: the Output of each Result
	// says what that one is.
	Open bool
}

// Result is the answer to a Frame.
type Result struct {
	Output Output
	Rows   int
	Values []float64 // Rows * Output.Width, row after row
}

// Label returns the label of a value in column i.
func (o *Output) Label(i int, value float64) any { return o.Classes[i][int(value)] }

// InputError is the error of an input that a model refuses, with the text that
// scikit-learn has for it.
type InputError string

func (e InputError) Error() string { return string(e) }

// InputErrorf returns an InputError.
func InputErrorf(format string, args ...any) error { return InputError(fmt.Sprintf(format, args...)) }
