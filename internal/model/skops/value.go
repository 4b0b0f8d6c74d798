// SPDX-License-Identifier: Apache-2.0

package skops

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"

	"github.com/serin-dev/serin/internal/model/pickle"
)

// value makes the value of a node.
func (r *reader) value(n *node) (any, error) {
	if r.depth == maxDepth {
		return nil, errors.New("the values of the file are nested too deeply")
	}
	r.depth++
	defer func() { r.depth-- }()
	if err := r.Alloc(slotCost); err != nil {
		return nil, err
	}
	switch n.Loader {
	case "JsonNode":
		return r.scalar(n)
	case "DictNode":
		return r.dict(n)
	case "ListNode":
		items, err := r.items(n.Content)
		return &pickle.List{Items: items}, err
	case "TupleNode":
		items, err := r.items(n.Content)
		return pickle.Tuple(items), err
	case "SetNode":
		items, err := r.items(n.Content)
		return &pickle.Set{Items: items}, err
	case "TypeNode", "FunctionNode":
		return &pickle.Global{Module: n.Module, Name: n.Class}, nil
	case "BytesNode", "BytearrayNode":
		data, err := r.file(n.File)
		return pickle.Bytes(data), err
	case "NdArrayNode":
		return r.array(n)
	}
	return r.object(n)
}

// child makes the value of a node that lies in another one, or None if there is none.
func (r *reader) child(data json.RawMessage) (any, error) {
	if len(data) == 0 {
		return pickle.None{}, nil
	}
	size := nodeCost + copies*len(data)
	if err := r.Alloc(size); err != nil {
		return nil, err
	}
	defer r.Release(size)
	var n node
	if err := r.decode(data, &n); err != nil {
		return nil, err
	}
	return r.value(&n)
}

// items makes the values of a list.
func (r *reader) items(data json.RawMessage) ([]any, error) {
	var all []json.RawMessage
	if err := r.decode(data, &all); err != nil {
		return nil, err
	}
	items := make([]any, 0, len(all))
	for _, one := range all {
		v, err := r.child(one)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	return items, nil
}

// dict keeps entries whose keys are strings, as package pickle does.
func (r *reader) dict(n *node) (any, error) {
	d := &pickle.Dict{}
	if slices.ContainsFunc(n.KeyTypes.Content, func(key keyType) bool { return key.Class != "str" }) {
		return d, nil
	}
	var all map[string]json.RawMessage
	if err := r.decode(n.Content, &all); err != nil {
		return nil, err
	}
	d.Entries = make(map[string]any, len(all))
	for key, one := range all {
		v, err := r.child(one)
		if err != nil {
			return nil, err
		}
		if err := r.Alloc(2*slotCost + len(key)); err != nil {
			return nil, err
		}
		d.Entries[key] = v
	}
	return d, nil
}

// scalar reads a value that lies as JSON in a string.
func (r *reader) scalar(n *node) (any, error) {
	var text string
	if err := r.decode(n.Content, &text); err != nil {
		return nil, err
	}
	return r.plain([]byte(text))
}

// plain reads a scalar of Python's JSON, which has NaN and infinities.
func (r *reader) plain(text []byte) (any, error) {
	switch string(text) {
	case "null":
		return pickle.None{}, nil
	case "true", "false":
		return text[0] == 't', nil
	case "NaN":
		return math.NaN(), nil
	case "Infinity", "-Infinity":
		return math.Inf(1 - 2*bytes.Count(text, []byte("-"))), nil
	}
	if len(text) > 0 && text[0] == '"' {
		var s string
		err := r.decode(text, &s)
		return s, errors.Join(err, r.Alloc(len(s)))
	}
	if i, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return i, nil
	} else if errors.Is(err, strconv.ErrRange) {
		return pickle.BigInt{}, nil
	}
	if f, err := strconv.ParseFloat(string(text), 64); err == nil {
		return f, nil
	}
	return nil, errSchema
}

// array reads an array of numbers or strings, which is a file, or one of values. Of any
// other class it is a scalar of numpy.
func (r *reader) array(n *node) (any, error) {
	if n.Type == "json" {
		return r.objects(n)
	}
	data, err := r.file(n.File)
	if err != nil {
		return nil, err
	}
	a, err := array(r.Budget, data)
	if err != nil || n.Class == "ndarray" {
		return a, err
	}
	return a.Scalar()
}

func (r *reader) objects(n *node) (any, error) {
	dims, err := r.child(n.Shape)
	if err != nil {
		return nil, err
	}
	tuple, _ := dims.(pickle.Tuple)
	shape := make([]int64, len(tuple))
	for i, v := range tuple {
		shape[i], _ = v.(int64)
	}
	items, err := r.items(n.Content)
	if err != nil {
		return nil, err
	}
	for range len(shape) - 1 { // the lists in lists that numpy's tolist makes
		var flat []any
		for _, v := range items {
			l, ok := v.(*pickle.List)
			if !ok {
				return nil, errSchema
			}
			if err := r.Alloc(slotCost * len(l.Items)); err != nil {
				return nil, err
			}
			flat = append(flat, l.Items...)
		}
		items = flat
	}
	return pickle.NewObjects(r.Budget, items, shape)
}

// object makes an inert object of what Python would call, with its attributes.
func (r *reader) object(n *node) (any, error) {
	o := &pickle.Object{Class: &pickle.Global{Module: n.Module, Name: n.Class}}
	if err := r.Alloc(nodeCost); err != nil {
		return nil, err
	}
	var err error
	switch {
	case n.Loader == "SliceNode":
		o.Args, err = r.slice(n)
		return o, err
	case n.Loader == "ConstructorFromReduceNode":
		v, err := r.child(n.Content)
		o.Args, _ = v.(pickle.Tuple)
		return o, err
	case n.Loader != "ObjectNode" && len(n.Reduce.Args) == 0:
		return o, nil // whatever it is, no estimator reads it
	}
	args, err := r.child(n.Reduce.Args)
	if err != nil {
		return nil, err
	}
	o.Args, _ = args.(pickle.Tuple)
	state, err := r.child(n.Content)
	if err != nil {
		return nil, err
	}
	switch state := state.(type) {
	case pickle.None:
	case *pickle.Dict:
		o.State = *state
	default:
		o.Raw = state
	}
	return o, nil
}

// slice reads Python's slice, whose three values lie there as they are.
func (r *reader) slice(n *node) (pickle.Tuple, error) {
	var raw struct{ Start, Stop, Step json.RawMessage }
	if err := r.decode(n.Content, &raw); err != nil {
		return nil, err
	}
	var args pickle.Tuple
	for _, part := range []json.RawMessage{raw.Start, raw.Stop, raw.Step} {
		v, err := r.plain(part)
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	return args, nil
}
