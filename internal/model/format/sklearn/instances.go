// SPDX-License-Identifier: Apache-2.0

package sklearn

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
	g, err := find(module, name)
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
		return fmt.Errorf("a name is %s and %s", describe(items[0]), describe(items[1]))
	}
	g, err := find(module, name)
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

func (m *machine) opNewObjEx() error {
	items, err := m.popN(3)
	if err != nil {
		return err
	}
	if d, ok := items[2].(*dict); !ok || len(d.entries) > 0 {
		return fmt.Errorf("%s is made with keyword arguments", describe(items[0]))
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
	return m.call(g, tuple(args))
}

func (m *machine) opObj() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return errUnderflow
	}
	return m.call(items[0], tuple(items[1:]))
}

// call stands for every way in which a pickle calls something or makes an
// instance. The only code it can reach is in the table of globals.
func (m *machine) call(callee, args any) error {
	g, ok := callee.(*global)
	if !ok || (g.call == nil && !g.class) {
		return &refusal{fmt.Sprintf("the file calls %s, which cannot be called; nothing was executed", describe(callee))}
	}
	list, ok := args.(tuple)
	if !ok {
		return fmt.Errorf("the arguments of %s are %s", g.name, describe(args))
	}
	if g.call == nil {
		return m.push(&object{class: g, args: list})
	}
	v, err := g.call(m, list)
	if err != nil {
		return err
	}
	return m.push(v)
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
	case *ndarray:
		return v.build(m, state)
	case *object:
		if err := v.build(m, state); err != nil {
			return err
		}
		if isArrayWrapper(v.class) {
			return m.unwrapArray(v)
		}
		return nil
	}
	return fmt.Errorf("%s is given a state", describe(v))
}

func (o *object) build(m *machine, state any) error {
	if pair, ok := state.(tuple); ok && len(pair) == 2 { // attributes, slots
		state = pair[0]
	}
	d, ok := state.(*dict)
	switch {
	case ok:
		for k, v := range d.entries {
			if err := m.setItem(&o.state, k, v); err != nil {
				return err
			}
		}
	case state == none{}:
	default:
		return fmt.Errorf("the state of a %s is %s", o.class.name, describe(state))
	}
	return nil
}
