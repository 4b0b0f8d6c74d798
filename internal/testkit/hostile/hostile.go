// SPDX-License-Identifier: Apache-2.0

// Package hostile makes input for tests as a stranger would: JSON trees with
// parts replaced, repeated, renamed or left out (Mutate), files that random bytes
// decide (Choices), and files with a few words or numbers changed (Damaged).
// These reach where random bytes alone do not. Models and Archives are a collection
// of files that each attempt one thing. Bounded and Frugal limit what reading any of
// this may cost.
package hostile

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// Mutate returns a copy of a decoded JSON object with one to six parts changed.
func Mutate(r *rand.Rand, object map[string]any) map[string]any {
	tree := clone(object)
	for range 1 + r.IntN(6) {
		change(r, tree, 1+r.IntN(12))
	}
	return tree
}

// clone copies decoded JSON.
func clone(object map[string]any) map[string]any {
	b, err := json.Marshal(object)
	if err != nil {
		panic(err) // it was decoded
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	return out
}

// change walks down the tree, at most so many steps, and changes the value that
// it reaches.
func change(r *rand.Rand, at any, steps int) {
	switch at := at.(type) {
	case map[string]any:
		if len(at) == 0 {
			at["a"] = value(r)
			return
		}
		key := pick(r, slices.Sorted(maps.Keys(at)))
		if steps > 0 && inner(at[key]) {
			change(r, at[key], steps-1)
			return
		}
		switch r.IntN(8) {
		case 0:
			delete(at, key)
		case 1:
			at[pick(r, slices.Sorted(maps.Keys(at)))] = at[key] // a shared subtree is fine: it is only read
		case 2:
			at[text(r)] = at[key]
		default:
			at[key] = value(r)
		}
	case []any:
		if len(at) == 0 {
			return
		}
		i := r.IntN(len(at))
		if steps > 0 && inner(at[i]) {
			change(r, at[i], steps-1)
			return
		}
		at[i] = value(r)
	}
}

func inner(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return true
	case []any:
		return len(v) > 0
	}
	return false
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

var numbers = []any{
	0.0, 1.0, 2.0, 3.0, -1.0, -2.0, 1.5, 101.0, 1e308, -1e308, 5e-324, json.Number("9223372036854775807"), json.Number("-9223372036854775808"),
	json.Number("4611686018427387904"), json.Number("2147483648"), json.Number("99999999999999999999999999"), true, false, nil,
}

var texts = []string{
	"", "-", ".", "..", "/", "\x00", "\x1b[31m", "\u2028", "ä\ufffd", "%s%n", "{{", "{{.Name}}", "{{.Labels.x}}", "{{(((((", "{{if .Name}}", "1", "-1", "1e3", "1e-999999999", "NaN", "+Inf",
	"1e308", "9223372036854775808", "true", "null", "127.0.0.1", "::1", "169.254.169.254", "0.0.0.0", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "-292277022399-01-01T00:00:00Z",
	"iris", "victim-predictor-00001", "iris-predictor-99999999999999999999", "http://", "http://[", "header:X", "--concurrency=-9223372036854775808", "10000h", "$(VAR)", "pvc://", "a@b", "True",
	strings.Repeat("9", 400), strings.Repeat("x", 20_000), strings.Repeat("ä-", 5_000), strings.Repeat("{{.Name}}", 2_000),
}

func text(r *rand.Rand) string { return pick(r, texts) }

// value returns any JSON value: a number, a text, a deep tree or a long list.
func value(r *rand.Rand) any {
	switch r.IntN(8) {
	case 0, 1, 2:
		return pick(r, numbers)
	case 3, 4, 5:
		return text(r)
	case 6:
		var deep any = text(r)
		for range pick(r, []int{1, 3, 500}) {
			if r.IntN(2) == 0 {
				deep = []any{deep}
			} else {
				deep = map[string]any{pick(r, []string{"a", "name", "traffic", "containers"}): deep}
			}
		}
		return deep
	}
	return slices.Repeat([]any{map[string]any{"name": text(r), "percent": pick(r, numbers), "revisionName": "iris-predictor-00001"}}, pick(r, []int{0, 1, 2, 300}))
}
