// SPDX-License-Identifier: Apache-2.0

package proxy

import "testing"

func TestAllowedTrailers(t *testing.T) {
	for name, ok := range map[string]bool{
		"Grpc-Status": true, "grpc-message": true, "Grpc-Status-Details-Bin": true, "X-Checksum": true, "Digest": true, "Server-Timing": true,
		"Etag": true, "Endpoint-Load-Metrics-Bin": true,
		"Host": false, "transfer-encoding": false, "Content-Length": false, "Serin-Revision": false, "serin-anything": false,
		"X-Forwarded-For": false, "Connection": false, "Set-Cookie": false, "Authorization": false, "Upgrade": false, "Expect": false,
		"Knative-Serving-Tag": false, "Trailer": false, "Te": false, "If-Match": false, "Access-Control-Allow-Origin": false, "a b": false, "": false,
	} {
		if got := trailerAllowed(name); got != ok {
			t.Errorf("%q passes: %v, want %v", name, got, ok)
		}
	}
}
