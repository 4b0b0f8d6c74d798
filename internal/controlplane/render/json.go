// SPDX-License-Identifier: Apache-2.0

package render

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// canonical returns JSON that depends on the value alone: not on the order of
// struct fields, nor on which empty fields a Kubernetes version writes out.
func canonical(v any) []byte {
	var plain any
	mustRoundTrip(v, &plain)
	dropEmpty(plain)
	b, err := json.Marshal(plain)
	if err != nil {
		panic(fmt.Sprintf("marshal decoded JSON: %v", err))
	}
	return b
}

// dropEmpty removes the empty resources and the empty name that a container
// writes out. Other empty objects mean something, such as emptyDir: {} and an
// empty label selector.
func dropEmpty(v any) {
	switch v := v.(type) {
	case map[string]any:
		if r, ok := v["resources"].(map[string]any); ok && len(r) == 0 {
			delete(v, "resources")
		}
		if v["name"] == "" {
			delete(v, "name")
		}
		for _, e := range v {
			dropEmpty(e)
		}
	case []any:
		for _, e := range v {
			dropEmpty(e)
		}
	}
}

// mustRoundTrip copies between API types of the same JSON shape. They were decoded
// from JSON, so failing to encode them is a bug.
func mustRoundTrip(from, to any) {
	b, err := json.Marshal(from)
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber() // a large int64 is no float64
		err = d.Decode(to)
	}
	if err != nil {
		panic(fmt.Sprintf("convert %T to %T: %v", from, to, err))
	}
}
