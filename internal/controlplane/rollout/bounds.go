// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"strings"

	"github.com/serin-dev/serin/api/v1beta1"
)

// maxMessage bounds the messages of others, in bytes. A status has room for
// several, and its schema allows eight times that.
const maxMessage = 4096

// cut shortens a message that is too long.
func cut(message string) string {
	const more = " ..."
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage-len(more)], "") + more
}

// bounded cuts the messages of a status to what its schema allows.
func bounded(st v1beta1.InferenceServiceStatus) v1beta1.InferenceServiceStatus {
	for i := range st.Conditions {
		st.Conditions[i].Message = cut(st.Conditions[i].Message)
	}
	if f := lastFailure(st); f != nil {
		f.Message = cut(f.Message)
	}
	return st
}

// percent is the share of a traffic entry. A status may hold anything.
func percent(t v1beta1.TrafficTarget) int64 {
	if t.Percent == nil {
		return 0
	}
	return share100(*t.Percent)
}

func share100(n int64) int64 { return min(max(n, 0), 100) }
