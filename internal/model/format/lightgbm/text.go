// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/internal/model/budget"
)

// section has the lines of a part of the file: "name=value".
type section map[string]string

const lineBytes = 96 // of memory for a line, without its text

// reader reads the sections of a file, which empty lines divide.
type reader struct {
	rest string
	*budget.Budget
}

// newReader takes the file as a string, without a copy of each value.
func newReader(text string, b *budget.Budget) *reader { return &reader{text, b} }

// section returns the next section that is not empty, and nil at the end of the trees.
func (r *reader) section() (section, error) {
	s := section{}
	for {
		if r.rest == "" {
			return nil, errors.New("the file ends too early: it is truncated or damaged")
		}
		line, rest, _ := strings.Cut(r.rest, "\n")
		r.rest = rest
		line = strings.TrimSuffix(line, "\r")
		if err := r.Work(1 + len(line)/budget.StepBytes); err != nil {
			return nil, err
		}
		switch {
		case line == "end of trees":
			return nil, nil
		case line == "" && len(s) > 0:
			return s, nil
		case line == "":
			continue
		}
		if err := r.Alloc(lineBytes); err != nil {
			return nil, err
		}
		name, value, _ := strings.Cut(line, "=")
		s[name] = value
	}
}

// whole returns an integer from 0 to most, or the fallback if there is none.
func (s section) whole(name string, fallback, most int) (int, error) {
	text, ok := s[name]
	if !ok {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("%s is out of range", name)
	}
	return n, nil
}

// fields calls set with each of the numbers of a line, which must be as many as count,
// or as the line has if that is less than 0.
func fields[T any](r *reader, text, name string, count int, parse func(string) (T, error)) ([]T, error) {
	found := 0
	for range strings.FieldsSeq(text) {
		found++
	}
	if count >= 0 && found != count {
		return nil, fmt.Errorf("%s has %d values, want %d", name, found, count)
	}
	if err := r.Alloc(8 * found); err != nil {
		return nil, err
	}
	all := make([]T, 0, found)
	for word := range strings.FieldsSeq(text) {
		v, err := parse(word)
		if err != nil {
			return nil, fmt.Errorf("%s holds %q, which is no number", name, word[:min(len(word), 20)])
		}
		all = append(all, v)
	}
	return all, nil
}

// floats reads the numbers of a line.
func (s section) floats(r *reader, name string, count int) ([]float64, error) {
	return fields(r, s[name], name, count, func(word string) (float64, error) {
		v, err := strconv.ParseFloat(word, 64)
		if math.IsInf(v, 0) {
			err = nil
		}
		return v, err
	})
}

// ints reads the integers of a line.
func (s section) ints(r *reader, name string, count int) ([]int, error) {
	return fields(r, s[name], name, count, strconv.Atoi)
}

// Is reports whether a file may be one of LightGBM's, by its first bytes.
func Is(head []byte) bool {
	return bytes.HasPrefix(head, []byte("tree\n")) || bytes.HasPrefix(head, []byte("tree\r\n"))
}
