// SPDX-License-Identifier: Apache-2.0

package pickle

import (
	"fmt"

	"github.com/serin-dev/serin/internal/model/budget"
)

func (m *machine) opMark() error {
	if err := m.budget.Alloc(slotCost); err != nil {
		return err
	}
	m.marks = append(m.marks, len(m.stack))
	return nil
}

func (m *machine) opTuple() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	return m.push(Tuple(items))
}

func (m *machine) opTupleN(n int) error {
	items, err := m.popN(n)
	if err != nil {
		return err
	}
	return m.push(Tuple(items))
}

func (m *machine) opList() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	return m.push(&List{items})
}

func (m *machine) opAppend() error {
	item, err := m.pop()
	if err != nil {
		return err
	}
	return m.extend([]any{item})
}

func (m *machine) opAppends() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	return m.extend(items)
}

func (m *machine) extend(items []any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	switch l := v.(type) {
	case *List:
		l.Items = append(l.Items, items...)
	case *Object:
		l.List.Items = append(l.List.Items, items...)
	default:
		return fmt.Errorf("append to %s", Describe(v))
	}
	return nil
}

func (m *machine) opDict() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	if err := m.push(&Dict{}); err != nil {
		return err
	}
	return m.setItems(items)
}

func (m *machine) opSetItem() error {
	items, err := m.popN(2)
	if err != nil {
		return err
	}
	return m.setItems(items)
}

func (m *machine) opSetItems() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	return m.setItems(items)
}

func (m *machine) setItems(items []any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	d, ok := v.(*Dict)
	if o, isObject := v.(*Object); isObject {
		d, ok = &o.Items, true
	}
	if !ok || len(items)%2 != 0 {
		return fmt.Errorf("set %d items of %s", len(items), Describe(v))
	}
	for i := 0; i < len(items); i += 2 {
		if err := m.setItem(d, items[i], items[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// setItem keeps entries with string keys only: attributes and fields have no
// others. It charges the length of the key, which is hashed each time.
func (m *machine) setItem(d *Dict, key, value any) error {
	k, ok := key.(string)
	if !ok {
		return nil
	}
	cost := entryCost
	if d.Entries == nil {
		cost += dictCost
	}
	if err := m.budget.Alloc(cost); err != nil {
		return err
	}
	if err := m.budget.Work(len(k) / budget.StepBytes); err != nil {
		return err
	}
	if d.Entries == nil {
		d.Entries = map[string]any{}
	}
	d.Entries[k] = value
	return nil
}

func (m *machine) opAddItems() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	s, ok := v.(*Set)
	if !ok {
		return fmt.Errorf("add to %s", Describe(v))
	}
	s.Items = append(s.Items, items...)
	return nil
}

func (m *machine) opFrozenSet() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	return m.push(&Set{items})
}
