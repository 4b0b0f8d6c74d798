// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// encodeLabels renders each class once: a prediction is then a copy.
func encodeLabels(classes []any) ([][]byte, error) {
	var labels [][]byte
	for _, c := range classes {
		switch c := c.(type) {
		case int64:
			labels = append(labels, strconv.AppendInt(nil, c, 10))
		case float64:
			labels = append(labels, appendFloat(nil, c))
		case bool:
			labels = append(labels, strconv.AppendBool(nil, c))
		case string:
			labels = append(labels, []byte(quote(c)))
		default:
			return nil, fmt.Errorf("a class label is a %T", c)
		}
	}
	return labels, nil
}

func appendPredictions(dst []byte, classes []int, labels [][]byte) []byte {
	dst = append(dst, `{"predictions":[`...)
	for i, c := range classes {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, labels[c]...)
	}
	return append(dst, `]}`...)
}

// appendProbabilities writes one list for each width probabilities.
func appendProbabilities(dst []byte, probabilities []float64, width int) []byte {
	dst = append(dst, `{"predictions":[`...)
	for i, p := range probabilities {
		switch {
		case i == 0:
			dst = append(dst, '[')
		case i%width == 0:
			dst = append(dst, `],[`...)
		default:
			dst = append(dst, ',')
		}
		dst = appendFloat(dst, p)
	}
	return append(dst, `]]}`...)
}

// appendFloat writes a float so that it reads back as the same float, and not
// as an integer.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...) // JSON has no such numbers
	}
	if size := math.Abs(f); size != 0 && (size < 1e-5 || size >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if bytes.IndexByte(dst[n:], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}

// quote renders a string as JSON. It leaves <, > and & as they are.
func quote(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return `""` // strings always encode
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
