// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"encoding/binary"
	"math"
	"strings"
)

// Parts of pickles, of protocol 2.

func str(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func whole(n int) string { return "J" + string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }

func bytesOf(s string) string {
	return "B" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func floats(values ...float64) string {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return string(b)
}

func ints(values ...int) string {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return string(b)
}

// dtype is numpy's type of a code.
func dtype(code string) string { return "cnumpy\ndtype\n(" + str(code) + "\x89\x88tR" }

// array is numpy's array of elements of a type.
func array(kind, elements string, shape ...int) string {
	var dims strings.Builder
	for _, n := range shape {
		dims.WriteString(whole(n))
	}
	return "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR(K\x01(" + dims.String() + "t" + kind + "\x89" + bytesOf(elements) + "tb"
}

// object is an instance with attributes, each a text and a value.
func object(class string, attributes ...string) string {
	dot := strings.LastIndexByte(class, '.')
	return "c" + class[:dot] + "\n" + class[dot+1:] + "\n)\x81}(" + strings.Join(attributes, "") + "ub"
}

// command is what would run a command in Python.
var command = "cos\nsystem\n" + str("touch /tmp/owned") + "\x85R"

// linear is a LinearRegression of so many features, with more attributes.
func linear(features int, more ...string) string {
	return object("sklearn.linear_model._base.LinearRegression", append([]string{
		str("coef_"), array(dtype("f8"), floats(make([]float64, features)...), features), str("intercept_"), "K\x01",
	}, more...)...)
}

// scaler is a MaxAbsScaler of so many features.
func scaler(features int) string {
	return object("sklearn.preprocessing._data.MaxAbsScaler", str("n_features_in_"), whole(features), str("scale_"), array(dtype("f8"), floats(make([]float64, features)...), features))
}

// chosen is a ColumnTransformer of so many features that gives the first to an estimator.
func chosen(features int, estimator, columns string) string {
	return object("sklearn.compose._column_transformer.ColumnTransformer", str("n_features_in_"), whole(features),
		str("_transformer_to_input_indices"), "}"+str("a")+"](K\x00es", str("transformers_"), "]("+str("a")+estimator+columns+"\x87e")
}

// node is one of a decision tree.
type node struct{ left, right, feature int }

// tree is a DecisionTreeRegressor of so many features.
func tree(features int, nodes ...node) string {
	var data, kind strings.Builder
	kind.WriteString(dtype("V32") + "(K\x03" + str("|") + "NN}(")
	for i, name := range []string{"left_child", "right_child", "feature", "threshold"} {
		code := "i8"
		if name == "threshold" {
			code = "f8"
		}
		kind.WriteString(str(name) + "(" + dtype(code) + whole(8*i) + "t")
	}
	kind.WriteString("u" + whole(32) + "J\xff\xff\xff\xffK\x00tb")
	for _, n := range nodes {
		data.WriteString(ints(n.left, n.right, n.feature) + floats(0))
	}
	inside := "csklearn.tree._tree\nTree\n(" + whole(features) + array(dtype("i8"), ints(1), 1) + "K\x01t\x81}(" +
		str("nodes") + array(kind.String(), data.String(), len(nodes)) + str("values") + array(dtype("f8"), floats(make([]float64, len(nodes))...), len(nodes), 1, 1) + "ub"
	return object("sklearn.tree._classes.DecisionTreeRegressor", str("n_outputs_"), "K\x01", str("n_features_in_"), whole(features), str("tree_"), inside)
}

// pipeline is a Pipeline of these.
func pipeline(steps ...string) string {
	return object("sklearn.pipeline.Pipeline", str("steps"), "]("+str("a")+strings.Join(steps, "\x86"+str("a"))+"\x86e")
}

// remember puts a value into the memo and takes it off the stack; recall mentions it.
func remember(key byte, value string) string { return value + "q" + string(key) + "0" }

func recall(key byte) string { return "h" + string(key) }

// pickled is a file of a value, with what comes before it.
func pickled(value string, before ...string) []byte {
	return []byte("\x80\x02" + strings.Join(before, "") + value + ".")
}
