// SPDX-License-Identifier: Apache-2.0

package sklearn

// The unpickler turns a file into these values and no others:
//
//	none, bool, int64, bigInt, float64, string   Python's scalars, numpy's too
//	raw                                           bytes and bytearray
//	tuple, *list, *dict, *set                     containers
//	*global                                       a class or function of the table
//	*object                                       an instance of such a class
//	*dtype, *ndarray                              numpy

// none is Python's None.
type none struct{}

// bigInt stands for an integer beyond int64. Only random states hold any, and
// predicting needs none of them.
type bigInt struct{}

// raw is Python's bytes or bytearray.
type raw []byte

type tuple []any

type list struct{ items []any }

// dict is Python's dict, without the entries that machine.setItem leaves out.
type dict struct{ entries map[string]any }

// set is Python's set or frozenset. No estimator needs the elements of one.
type set struct{}

// object is an instance of a known class: its class, and its attributes.
type object struct {
	class *global
	args  []any
	state dict
}

// describe names the type of a value for error messages, in Python's words.
func describe(v any) string {
	switch v := v.(type) {
	case nil, none:
		return "None"
	case bool:
		return "a bool"
	case int64, bigInt:
		return "an int"
	case float64:
		return "a float"
	case string:
		return "a str"
	case raw:
		return "bytes"
	case tuple:
		return "a tuple"
	case *list:
		return "a list"
	case *dict:
		return "a dict"
	case *set:
		return "a set"
	case *global:
		return v.name
	case *object:
		return "a " + v.class.name
	case *dtype:
		return "a dtype"
	case *ndarray:
		return "an array"
	}
	return "an unknown value"
}
