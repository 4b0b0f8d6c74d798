// SPDX-License-Identifier: Apache-2.0

package sklearn

import "fmt"

func (m *machine) opMark() error {
	if err := m.budget.alloc(slotCost); err != nil {
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
	return m.push(tuple(items))
}

func (m *machine) opTupleN(n int) error {
	items, err := m.popN(n)
	if err != nil {
		return err
	}
	return m.push(tuple(items))
}

func (m *machine) opList() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	return m.push(&list{items})
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
	l, ok := v.(*list)
	if !ok {
		return fmt.Errorf("append to %s", describe(v))
	}
	l.items = append(l.items, items...)
	return nil
}

func (m *machine) opDict() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	if err := m.push(&dict{}); err != nil {
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
	d, ok := v.(*dict)
	if !ok || len(items)%2 != 0 {
		return fmt.Errorf("set %d items of %s", len(items), describe(v))
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
func (m *machine) setItem(d *dict, key, value any) error {
	k, ok := key.(string)
	if !ok {
		return nil
	}
	cost := entryCost
	if d.entries == nil {
		cost += dictCost
	}
	if err := m.budget.alloc(cost); err != nil {
		return err
	}
	if err := m.budget.work(len(k) / stepBytes); err != nil {
		return err
	}
	if d.entries == nil {
		d.entries = map[string]any{}
	}
	d.entries[k] = value
	return nil
}

func (m *machine) opAddItems() error {
	if _, err := m.popMark(); err != nil {
		return err
	}
	return second(m.top())
}

func (m *machine) opFrozenSet() error {
	if _, err := m.popMark(); err != nil {
		return err
	}
	return m.push(&set{})
}
