// SPDX-License-Identifier: Apache-2.0

// Package opcodes writes pickles, of protocol 2, for tests of what reads them.
//
// Each function returns the opcodes that leave one value on the stack of an unpickler.
// A file is "\x80\x02", a value and ".".
package opcodes

import (
	"encoding/binary"
	"strings"
)

// Text is a str.
func Text(s string) string { return "X" + size(len(s)) + s }

// Int is an int of 32 bits.
func Int(n int) string { return "J" + size(n) }

// Bytes is bytes.
func Bytes(s string) string { return "B" + size(len(s)) + s }

// Dtype is numpy's type of a code, such as "f8".
func Dtype(code string) string { return "cnumpy\ndtype\n(" + Text(code) + "\x89\x88tR" }

// NewArray is numpy's array before it has its state.
const NewArray = "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR"

// Array is numpy's array of a dtype, whose elements are a value: Bytes, or a list of
// objects.
func Array(dtype, elements string, shape ...int) string {
	var dims strings.Builder
	for _, n := range shape {
		dims.WriteString(Int(n))
	}
	return NewArray + "(K\x01(" + dims.String() + "t" + dtype + "\x89" + elements + "tb"
}

// Object is an instance of a class, such as "sklearn.svm._classes.SVC". Its attributes are
// names and values in turn.
func Object(class string, attributes ...string) string {
	dot := strings.LastIndexByte(class, '.')
	return "c" + class[:dot] + "\n" + class[dot+1:] + "\n)\x81}(" + strings.Join(attributes, "") + "ub"
}

func size(n int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }
