// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/internal/model/budget"
)

// A document, of JSON or UBJSON, becomes these values and no others: object, []any,
// []float64 for an array that holds numbers or bools only, float64, string, bool and
// nil.
type object map[string]any

const (
	maxDepth  = 32
	slotBytes = 64 // of a value in a container
)

// cursor reads the bytes of a file.
type cursor struct {
	data []byte
	at   int
	*budget.Budget
}

var (
	errEnd   = errors.New("the file ends too early: it is truncated or damaged")
	errDepth = errors.New("the file nests its values too deeply")
)

// take returns the next n bytes.
func (c *cursor) take(n uint64) ([]byte, error) {
	if n > uint64(len(c.data)-c.at) {
		return nil, errEnd
	}
	c.at += int(n)
	return c.data[c.at-int(n) : c.at], nil
}

func (c *cursor) damaged() error {
	return fmt.Errorf("byte %d: the file is damaged or no XGBoost model", c.at)
}

// list gathers the values of an array.
type list struct {
	numbers []float64
	values  []any
}

func (l *list) add(c *cursor, v any) error {
	number, plain := v.(float64)
	if b, ok := v.(bool); ok {
		plain = true
		if b {
			number = 1
		}
	}
	if plain && l.values == nil {
		if len(l.numbers) == cap(l.numbers) {
			if err := c.Alloc(8 * (len(l.numbers) + 4)); err != nil {
				return err
			}
		}
		l.numbers = append(l.numbers, number)
		return nil
	}
	if len(l.numbers) > 0 {
		return c.damaged() // no array has both
	}
	if err := c.Alloc(slotBytes); err != nil {
		return err
	}
	l.values = append(l.values, v)
	return nil
}

func (l *list) value() any {
	if l.values != nil {
		return l.values
	}
	return l.numbers
}

// unused are the arrays of a tree that predicting does not need.
var unused = map[string]bool{"loss_changes": true, "sum_hessian": true, "parents": true}

// put sets an entry, unless predicting does not need it.
func (o object) put(c *cursor, name string, v any) {
	if unused[name] {
		numbers, _ := v.([]float64)
		c.Release(8 * len(numbers))
		return
	}
	o[name] = v
}

// child returns an object inside, or an empty one.
func (o object) child(names ...string) object {
	for _, name := range names {
		o, _ = o[name].(object)
	}
	return o
}

func (o object) text(name string) string {
	s, _ := o[name].(string)
	return s
}

// whole returns an integer, which XGBoost writes as a string, or the fallback if there
// is none. Others than 0 to most are an error.
func (o object) whole(name string, fallback, most int) (int, error) {
	var n int
	var err error
	switch v := o[name].(type) {
	case nil:
		return fallback, nil
	case string:
		n, err = strconv.Atoi(v)
	case float64:
		n = int(v)
	default:
		err = strconv.ErrSyntax
	}
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("%s is out of range", name)
	}
	return n, nil
}

func (o object) numbers(name string) []float64 {
	n, _ := o[name].([]float64)
	return n
}

func (o object) list(name string) []any {
	l, _ := o[name].([]any)
	return l
}

// texts returns a list of strings, or nothing.
func (o object) texts(name string) []string {
	var all []string
	for _, v := range o.list(name) {
		s, ok := v.(string)
		if !ok {
			return nil
		}
		all = append(all, s)
	}
	return all
}

// scores reads base_score, which is a number, or a list of numbers since XGBoost 3.1.
func scores(s string) ([]float64, error) {
	var all []float64
	for part := range strings.SplitSeq(strings.Trim(s, "[]"), ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 32)
		if err != nil {
			return nil, errors.New("base_score is no number")
		}
		all = append(all, v)
	}
	return all, nil
}
