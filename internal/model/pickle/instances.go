// SPDX-License-Identifier: Apache-2.0

package pickle

import "fmt"

func (m *machine) opGlobal() error {
	module, err := m.line()
	if err != nil {
		return err
	}
	name, err := m.line()
	if err != nil {
		return err
	}
	g, err := m.find(module, name)
	if err != nil {
		return err
	}
	return m.push(g)
}

func (m *machine) opStackGlobal() error {
	items, err := m.popN(2)
	if err != nil {
		return err
	}
	module, ok1 := items[0].(string)
	name, ok2 := items[1].(string)
	if !ok1 || !ok2 {
		return fmt.Errorf("a name is %s and %s", Describe(items[0]), Describe(items[1]))
	}
	g, err := m.find(module, name)
	if err != nil {
		return err
	}
	return m.push(g)
}

// opCall is both REDUCE and NEWOBJ: a callee and its arguments.
func (m *machine) opCall() error {
	items, err := m.popN(2)
	if err != nil {
		return err
	}
	return m.call(items[0], items[1])
}

// opNewObjEx is opCall with keyword arguments, which are dropped.
func (m *machine) opNewObjEx() error {
	items, err := m.popN(3)
	if err != nil {
		return err
	}
	return m.call(items[0], items[1])
}

func (m *machine) opInst() error {
	if err := m.opGlobal(); err != nil {
		return err
	}
	g, err := m.pop()
	if err != nil {
		return err
	}
	args, err := m.popMark()
	if err != nil {
		return err
	}
	return m.call(g, Tuple(args))
}

func (m *machine) opObj() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return errUnderflow
	}
	return m.call(items[0], Tuple(items[1:]))
}

// call stands for every way in which a pickle calls something or makes an
// instance. The only code it can reach is that of the table of plain names: any
// other call is kept as an Object, and nothing happens.
func (m *machine) call(callee, args any) error {
	list, ok := args.(Tuple)
	if !ok {
		return fmt.Errorf("the arguments of %s are %s", Describe(callee), Describe(args))
	}
	g, ok := callee.(*Global)
	switch {
	case ok && g.call != nil:
		v, err := g.call(m, list)
		if err != nil {
			return err
		}
		return m.push(v)
	case !ok:
		o, isObject := callee.(*Object)
		if !isObject {
			return fmt.Errorf("the file calls %s", Describe(callee))
		}
		g = o.Class
	}
	if err := m.budget.Alloc(objectCost); err != nil {
		return err
	}
	return m.push(&Object{Class: g, Args: list})
}

// opBuild gives the value on top of the stack its state.
func (m *machine) opBuild() error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *dtype:
		return v.build(m, state)
	case *Array:
		return v.build(m, state)
	case *Object:
		if err := v.build(m, state); err != nil {
			return err
		}
		if isArrayWrapper(v.Class) {
			return m.unwrapArray(v)
		}
		return nil
	case *Dict, *List, *Set, *Global:
		return nil // a subclass that became a plain value
	}
	return fmt.Errorf("%s is given a state", Describe(v))
}

func (o *Object) build(m *machine, state any) error {
	parts := []any{state}
	if pair, ok := state.(Tuple); ok && len(pair) == 2 && isState(pair[0]) && isState(pair[1]) {
		parts = pair // attributes, slots
	}
	for _, part := range parts {
		d, ok := part.(*Dict)
		if !ok {
			o.Raw = state
			continue
		}
		for k, v := range d.Entries {
			if err := m.setItem(&o.State, k, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// isState reports whether a value can be one half of a state.
func isState(v any) bool {
	_, ok := v.(*Dict)
	return ok || v == any(None{})
}
