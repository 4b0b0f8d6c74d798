// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/serin-dev/serin/internal/testkit/opcodes"
)

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

// array is numpy's array of numbers, encoded.
func array(kind, elements string, shape ...int) string {
	return opcodes.Array(kind, opcodes.Bytes(elements), shape...)
}

// command is what would run a command in Python.
var command = "cos\nsystem\n" + opcodes.Text("touch /tmp/owned") + "\x85R"

// linear is a LinearRegression of so many features, with more attributes.
func linear(features int, more ...string) string {
	return opcodes.Object("sklearn.linear_model._base.LinearRegression", append([]string{
		opcodes.Text("coef_"), array(opcodes.Dtype("f8"), floats(make([]float64, features)...), features), opcodes.Text("intercept_"), "K\x01",
	}, more...)...)
}

// scaler is a MaxAbsScaler of so many features.
func scaler(features int) string {
	return opcodes.Object("sklearn.preprocessing._data.MaxAbsScaler", opcodes.Text("n_features_in_"), opcodes.Int(features), opcodes.Text("scale_"), array(opcodes.Dtype("f8"), floats(make([]float64, features)...), features))
}

// chosen is a ColumnTransformer of so many features that gives the first to an estimator.
func chosen(features int, estimator, columns string) string {
	return opcodes.Object("sklearn.compose._column_transformer.ColumnTransformer", opcodes.Text("n_features_in_"), opcodes.Int(features),
		opcodes.Text("_transformer_to_input_indices"), "}"+opcodes.Text("a")+"](K\x00es", opcodes.Text("transformers_"), "]("+opcodes.Text("a")+estimator+columns+"\x87e")
}

// node is one of a decision tree.
type node struct{ left, right, feature int }

// tree is a DecisionTreeRegressor of so many features.
func tree(features int, nodes ...node) string {
	var data, kind strings.Builder
	kind.WriteString(opcodes.Dtype("V32") + "(K\x03" + opcodes.Text("|") + "NN}(")
	for i, name := range []string{"left_child", "right_child", "feature", "threshold"} {
		code := "i8"
		if name == "threshold" {
			code = "f8"
		}
		kind.WriteString(opcodes.Text(name) + "(" + opcodes.Dtype(code) + opcodes.Int(8*i) + "t")
	}
	kind.WriteString("u" + opcodes.Int(32) + "J\xff\xff\xff\xffK\x00tb")
	for _, n := range nodes {
		data.WriteString(ints(n.left, n.right, n.feature) + floats(0))
	}
	inside := "csklearn.tree._tree\nTree\n(" + opcodes.Int(features) + array(opcodes.Dtype("i8"), ints(1), 1) + "K\x01t\x81}(" +
		opcodes.Text("nodes") + array(kind.String(), data.String(), len(nodes)) + opcodes.Text("values") + array(opcodes.Dtype("f8"), floats(make([]float64, len(nodes))...), len(nodes), 1, 1) + "ub"
	return opcodes.Object("sklearn.tree._classes.DecisionTreeRegressor", opcodes.Text("n_outputs_"), "K\x01", opcodes.Text("n_features_in_"), opcodes.Int(features), opcodes.Text("tree_"), inside)
}

// pipeline is a Pipeline of these.
func pipeline(steps ...string) string {
	return opcodes.Object("sklearn.pipeline.Pipeline", opcodes.Text("steps"), "]("+opcodes.Text("a")+strings.Join(steps, "\x86"+opcodes.Text("a"))+"\x86e")
}

// remember puts a value into the memo and takes it off the stack; recall mentions it.
func remember(key byte, value string) string { return value + "q" + string(key) + "0" }

func recall(key byte) string { return "h" + string(key) }

// pickled is a file of a value, with what comes before it.
func pickled(value string, before ...string) []byte {
	return []byte("\x80\x02" + strings.Join(before, "") + value + ".")
}
