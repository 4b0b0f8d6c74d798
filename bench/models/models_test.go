// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSameTellsTheFirstRowThatDiffers(t *testing.T) {
	if err := same([]any{int64(1), 0.5, "a"}, []any{1.0, 0.5 + 1e-9, "a"}); err != nil {
		t.Error(err)
	}
	for want, answers := range map[string][]any{
		"1 answers, want 2":                     {1.0},
		"row 1: 2, and not the library's 1":     {1.0, 2.0},
		"row 1: <nil>, and not the library's 1": {1.0, nil},
		"row 0: a, and not the library's 1":     {"a", 1.0},
	} {
		if err := same(answers, []any{1.0, 1.0}); err == nil || err.Error() != want {
			t.Errorf("%v: %v, want %s", answers, err, want)
		}
	}
}

func TestAnswersOfAllProtocolsAreRead(t *testing.T) {
	for name, test := range map[string]struct {
		read func([]byte) ([]float64, error)
		body string
	}{
		"V1":                       {v1Answers, `{"predictions":[1,2]}`},
		"V2":                       {v2Answers, `{"outputs":[{"name":"o","data":[1,2]}]}`},
		"gRPC, contents":           {protoAnswers, "\x2a\x06\x2a\x04\x1a\x02\x01\x02"},
		"gRPC, contents beside it": {protoAnswers, "\x32\x10\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00"},
	} {
		got, err := test.read([]byte(test.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff([]float64{1, 2}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRequestsHoldTheRows(t *testing.T) {
	rows := [][]float64{{1, 2}}
	const numbers = "\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x00\x40"
	for _, p := range protocols {
		body, jsonLength := p.request(rows)
		want, length := map[string]string{
			"V1":        `{"instances":[[1,2]]}`,
			"V2":        `{"inputs":[{"data":[1,2],"datatype":"FP64","name":"input-0","shape":[1,2]}]}`,
			"V2 binary": `{"inputs":[{"datatype":"FP64","name":"input-0","parameters":{"binary_data_size":16},"shape":[1,2]}]}` + numbers,
			"gRPC":      "\x0a\x01m\x2a\x13\x0a\x07input-0\x12\x04FP64\x1a\x02\x01\x02\x3a\x10" + numbers,
		}[p.name], 0
		if p.name == "V2 binary" {
			length = len(want) - len(numbers)
		}
		if diff := cmp.Diff(want, string(body)); diff != "" || jsonLength != length {
			t.Errorf("%s: length %d, want %d %s", p.name, jsonLength, length, diff)
		}
	}
}
