// SPDX-License-Identifier: Apache-2.0

package pickle

import "strings"

// A file becomes these values and no others:
//
//	None, bool, int64, BigInt, float64, string   Python's scalars, numpy's too
//	Bytes                                         bytes and bytearray
//	Tuple, *List, *Dict, *Set                     containers
//	*Global                                       a class or function that the file names
//	*Object                                       what it says it would call or make
//	*dtype, *Array                                numpy

// None is Python's None.
type None struct{}

// BigInt stands for an integer beyond int64. Only random states hold any, and
// predicting needs none of them.
type BigInt struct{}

// Bytes is Python's bytes or bytearray.
type Bytes []byte

// Tuple is Python's tuple.
type Tuple []any

// List is Python's list.
type List struct{ Items []any }

// Dict is Python's dict, without the entries whose keys are no strings: no
// attribute has another.
type Dict struct{ Entries map[string]any }

// Set is Python's set or frozenset.
type Set struct{ Items []any }

// Object is inert: it says what Python would call, with what, and what it would
// then set. Nothing was called.
type Object struct {
	Class *Global // the class, or the function
	Args  Tuple
	State Dict // its attributes
	Raw   any  // its state, if that is no dict
	Items Dict // of a subclass of dict
	List  List // of a subclass of list
	// Shared tells that the file mentions the object more than once.
	Shared bool
}

// Float returns a number of Python as a float64. A bool is one, too.
func Float(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// Describe names the type of a value for error messages, in Python's words.
func Describe(v any) string {
	switch v := v.(type) {
	case nil, None:
		return "None"
	case bool:
		return "a bool"
	case int64, BigInt:
		return "an int"
	case float64:
		return "a float"
	case string:
		return "a str"
	case Bytes:
		return "bytes"
	case Tuple:
		return "a tuple"
	case *List:
		return "a list"
	case *Dict:
		return "a dict"
	case *Set:
		return "a set"
	case *Global:
		return v.Public()
	case *Object:
		return article(v.Class.Public())
	case *dtype:
		return "a dtype"
	case *Array:
		return "an array"
	}
	return "an unknown value"
}

func article(name string) string {
	if name != "" && strings.ContainsRune("aeiouAEIOU", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}
