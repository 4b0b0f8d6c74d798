// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// isGRPC reports whether a Content-Type is one of gRPC's.
func isGRPC(contentType string) bool { return strings.HasPrefix(contentType, "application/grpc") }

// grpcCode maps a status to gRPC's code for it
// (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md), and a
// timeout to DEADLINE_EXCEEDED.
func grpcCode(status int) int {
	switch status {
	case http.StatusNotFound:
		return 12 // UNIMPLEMENTED
	case http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return 4 // DEADLINE_EXCEEDED
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return 14 // UNAVAILABLE
	}
	return 2 // UNKNOWN
}

// grpcMessage percent-encodes the bytes that gRPC does not allow in a message.
func grpcMessage(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// grpcStatuses are the HTTP statuses that gRPC's codes, from 0 on, stand for
// (https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto).
var grpcStatuses = [...]int{
	200, StatusClientGone, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
}

// callStatus is the HTTP status that the trailers of a gRPC call stand for. A call
// that ends without a code has failed, as for its client.
func callStatus(trailer http.Header) int {
	code, err := strconv.ParseUint(trailer.Get("Grpc-Status"), 10, 8)
	if err != nil || int(code) >= len(grpcStatuses) {
		return http.StatusInternalServerError
	}
	return grpcStatuses[code]
}
