// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Bounds of a quantity such as 1.5e3 that Decode reads. The schema has them
// too, where it reaches.
const (
	maxQuantityDigits = 64
	maxExponentDigits = 3
)

// Decode is json.Unmarshal for what users wrote, the API server's JSON or their
// own. Kubernetes' code for quantities takes days for 1e-999999999, so a value
// of that kind is refused first, wherever it stands, with quotes or without.
func Decode(b []byte, into any) error {
	for rest := b; ; {
		i := bytes.IndexByte(rest, '"')
		if i < 0 {
			i = len(rest)
		}
		if n := bare(rest[:i]); n != nil {
			return endless(n)
		}
		if i == len(rest) {
			return json.Unmarshal(b, into)
		}
		text := rest[i+1:]
		n, long := number(text)
		n += span(text[n:], "numkKMGTPEi", 2)
		if long && n < len(text) && text[n] == '"' {
			return endless(text[:n])
		}
		rest = text[end(text):]
	}
}

func endless(number []byte) error {
	return fmt.Errorf("the number %s... is too long, or its exponent is: write at most %d digits, and %d in the exponent", number[:min(len(number), 16)], maxQuantityDigits, maxExponentDigits)
}

// bare returns a number between strings that takes Kubernetes too long to read, or nil.
func bare(between []byte) []byte {
	for len(between) > 0 {
		n, long := number(between)
		if long {
			return between[:n]
		}
		between = between[max(n, 1):]
	}
	return nil
}

// end is where the string at whose beginning text stands is over.
func end(text []byte) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(text)
}

// number returns the length of the number that text begins with, and reports
// whether it takes Kubernetes too long to read.
func number(text []byte) (length int, long bool) {
	sign := span(text, "+-", 1)
	digits := span(text[sign:], "0123456789.", len(text))
	length = sign + digits
	exponent := 0
	if e := span(text[length:], "eE", 1); digits > 0 && e > 0 {
		e += span(text[length+e:], "+-", 1)
		exponent = span(text[length+e:], "0123456789.", len(text))
		length += e + exponent
	}
	return length, digits > maxQuantityDigits || exponent > maxExponentDigits
}

// span is how many bytes, at most, text begins with that are of a set.
func span(text []byte, set string, most int) int {
	n := 0
	for n < min(len(text), most) && strings.IndexByte(set, text[n]) >= 0 {
		n++
	}
	return n
}

// DecodeService reads an InferenceService from JSON. Of one whose spec cannot be
// read it returns the error and what can always be had: the metadata, the status
// and, if they can be read, canaryTrafficPercent and the predictor's labels. Of a
// status it reads what can be read: the controller writes it anew.
func DecodeService(b []byte) (*InferenceService, error) {
	var whole InferenceService
	if Decode(b, &whole) == nil {
		return &whole, nil
	}
	var parts struct {
		Metadata     metav1.ObjectMeta `json:"metadata"`
		Spec, Status json.RawMessage
	}
	if err := json.Unmarshal(b, &parts); err != nil {
		return nil, err
	}
	s := &InferenceService{ObjectMeta: parts.Metadata, Status: decodeStatus(parts.Status)}
	var spec struct {
		Spec InferenceServiceSpec `json:"spec"`
	}
	unreadable := Decode(wrapped("spec", parts.Spec), &spec)
	if unreadable == nil {
		s.Spec = spec.Spec
		return s, nil
	}
	var some struct{ Predictor map[string]json.RawMessage }
	_ = json.Unmarshal(parts.Spec, &some) // of what is no object there is nothing to read
	var percent *int64                    // after an error 0, which means something
	if json.Unmarshal(some.Predictor["canaryTrafficPercent"], &percent) == nil {
		s.Spec.Predictor.CanaryTrafficPercent = percent
	}
	_ = json.Unmarshal(some.Predictor["labels"], &s.Spec.Predictor.Labels) // it reads those that are text
	return s, unreadable
}

// decodeStatus reads each field of a status for itself.
func decodeStatus(raw json.RawMessage) InferenceServiceStatus {
	var st InferenceServiceStatus
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(raw, &fields)
	for name, value := range fields {
		_ = Decode(wrapped(name, value), &st) // it reads what it can
	}
	return st
}

// wrapped is an object of one field, so that errors name it.
func wrapped(name string, value json.RawMessage) []byte {
	b, err := json.Marshal(map[string]json.RawMessage{name: value})
	if err != nil {
		return []byte("{}") // value was decoded, so it can be written
	}
	return b
}
