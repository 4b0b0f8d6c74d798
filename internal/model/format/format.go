// SPDX-License-Identifier: Apache-2.0

// Package format has the table of all file formats of models. A format is a small
// package that turns a file into a frame.Model; Load finds it by the file's suffix.
package format

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/format/lightgbm"
	"github.com/serin-dev/serin/internal/model/format/sklearn"
	"github.com/serin-dev/serin/internal/model/format/xgboost"
	"github.com/serin-dev/serin/internal/model/frame"
)

// formats is all of them.
var formats = []struct {
	suffixes []string
	load     func(r io.Reader, size int64, limits budget.Limits) (frame.Model, error)
}{
	{sklearn.Suffixes, sklearn.Load},
	{[]string{".skops"}, sklearn.LoadSkops},
	{[]string{".json", ".ubj", ".model"}, xgboost.Load},
	{[]string{".txt"}, lightgbm.Load},
	{[]string{".bst"}, loadBst},
}

// loadBst reads a file whose suffix both XGBoost's and LightGBM's servers of KServe have.
func loadBst(r io.Reader, size int64, limits budget.Limits) (frame.Model, error) {
	const enough = 8 // bytes to tell them apart
	peeked := bufio.NewReader(r)
	head, err := peeked.Peek(enough)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("read the file: %w", err)
	case lightgbm.Is(head):
		return lightgbm.Load(peeked, size, limits)
	}
	return xgboost.Load(peeked, size, limits)
}

// Suffixes lists those of all formats.
func Suffixes() []string {
	var all []string
	for _, f := range formats {
		all = append(all, f.suffixes...)
	}
	return all
}

// Rank orders the files of a folder by name: 0 has no format's suffix, and a suffix that
// files beside models often have (.txt, .json) ranks below the others.
func Rank(name string) int {
	ext := path.Ext(name)
	switch {
	case !slices.Contains(Suffixes(), ext):
		return 0
	case ext == ".txt":
		return 1
	case ext == ".json":
		return 2
	}
	return 3
}

// Load reads a model from a file of size bytes. A panic of the reader becomes an
// error of one sentence. An error that is budget.ErrMemory means that a larger
// limits.Memory would do.
func Load(name string, r io.Reader, size int64, limits budget.Limits) (m frame.Model, err error) {
	defer func() {
		if bug := recover(); bug != nil {
			m, err = nil, fmt.Errorf("this file makes Serin's reader fail, which is a bug: please report it and attach the file (%v)", bug)
		}
	}()
	for _, f := range formats {
		if slices.Contains(f.suffixes, path.Ext(name)) {
			return f.load(r, size, limits)
		}
	}
	return nil, fmt.Errorf("no format has files of this name: %s", name)
}
