// SPDX-License-Identifier: Apache-2.0

package fitted

import (
	"errors"
	"maps"
	"slices"

	"github.com/serin-dev/serin/internal/model/pickle"
)

// miss notes an estimator that is not supported, and those inside it.
func (b *builder) miss(o *pickle.Object, public string) error {
	b.note(public)
	l := look{b, map[*pickle.Object]bool{}}
	return l.into(o, 0)
}

func (b *builder) note(public string) {
	if !slices.Contains(b.missing, public) {
		b.missing = append(b.missing, public)
	}
}

// look is a search for estimators that are not supported.
type look struct {
	*builder
	seen map[*pickle.Object]bool
}

func (l *look) into(v any, depth int) error {
	if depth == maxDepth {
		return nil
	}
	var inside []any
	switch v := v.(type) {
	case *pickle.List:
		inside = v.Items
	case pickle.Tuple:
		inside = v
	case *pickle.Array:
		inside = v.Objects
	case *pickle.Dict:
		return l.all(v.Entries, depth)
	case *pickle.Object:
		return l.object(v, depth)
	}
	for _, v := range inside {
		if err := errors.Join(l.Work(1), l.into(v, depth+1)); err != nil {
			return err
		}
	}
	return nil
}

func (l *look) object(o *pickle.Object, depth int) error {
	if l.seen[o] {
		return nil
	}
	if err := l.Alloc(slotCost); err != nil {
		return err
	}
	l.seen[o] = true
	// scikit-learn writes its version into its estimators, and nowhere else.
	if _, ok := o.State.Entries["_sklearn_version"]; ok {
		if construct, public := l.classes.find(o.Class); construct == nil {
			l.note(public)
		}
	}
	return l.all(o.State.Entries, depth)
}

// all looks into the entries in the order of their names.
func (l *look) all(entries map[string]any, depth int) error {
	if err := l.Alloc(slotCost * len(entries)); err != nil {
		return err
	}
	defer l.Release(slotCost * len(entries))
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if err := errors.Join(l.Work(1), l.into(entries[name], depth+1)); err != nil {
			return err
		}
	}
	return nil
}
