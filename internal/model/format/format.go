// SPDX-License-Identifier: Apache-2.0

// Package format has the table of all file formats of models. A format is a small
// package that turns a file into a frame.Model; Load finds it by the file's suffix.
package format

import (
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/format/sklearn"
	"github.com/serin-dev/serin/internal/model/frame"
)

// formats is all of them.
var formats = []struct {
	suffixes []string
	load     func(r io.Reader, size int64, limits budget.Limits) (frame.Model, error)
}{
	{sklearn.Suffixes, sklearn.Load},
}

// Suffixes lists those of all formats.
func Suffixes() []string {
	var all []string
	for _, f := range formats {
		all = append(all, f.suffixes...)
	}
	return all
}

// Known reports whether a file's name has the suffix of a format.
func Known(name string) bool { return slices.Contains(Suffixes(), path.Ext(name)) }

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
