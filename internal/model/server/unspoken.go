// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"
)

// unspoken answers a path that there is not. A client of a protocol that this
// server does not speak learns which one to use. gRPC arrives as HTTP/1.1, because
// the queue asks the server first which of them it speaks.
func (s *Server) unspoken(ctx *fasthttp.RequestCtx, path string) {
	use := fmt.Sprintf("Use the V1 protocol: POST %s/%s:predict.", modelsPath, url.PathEscape(s.name))
	switch {
	case bytes.HasPrefix(ctx.Request.Header.ContentType(), []byte("application/grpc")):
		const unimplemented = "12"
		ctx.SetContentType("application/grpc")
		ctx.Response.Header.Set("Grpc-Status", unimplemented)
		ctx.Response.Header.Set("Grpc-Message", "This server does not speak gRPC. "+use)
	case path == "/v2" || strings.HasPrefix(path, "/v2/"):
		fail(ctx, http.StatusNotFound, "This server does not speak the V2 protocol. "+use)
	default:
		answer(ctx, http.StatusNotFound, `{"detail":"Not Found"}`)
	}
}
