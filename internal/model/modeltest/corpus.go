// SPDX-License-Identifier: Apache-2.0

package modeltest

import (
	"errors"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/testkit/corpus"
)

// AskCase asks a model that was loaded from a case of the corpus. An error that the rows
// do not fit the columns is that of each answer.
func AskCase(c *corpus.Case, m frame.Model) (corpus.Ask, error) {
	x, problem := Frame(c.Input.Rows, c.Input.Columns, m.Schema())
	if problem != nil && !errors.Is(problem, ErrColumns) {
		return nil, problem
	}
	return func(method string) ([]any, error) {
		values, ok, err := Answer(m, method, x)
		switch {
		case !ok:
			return nil, corpus.ErrMethod
		case problem != nil:
			return nil, problem
		}
		return values, err
	}, nil
}
