// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/valyala/fasthttp"
)

// noGRPC is the message of gRPC that is sent to the port for HTTP.
func (s *Server) noGRPC() string {
	return fmt.Sprintf("The model's port for gRPC is closed (--enable_grpc=false). Use HTTP: POST %s/%s/infer.", v2Models, url.PathEscape(s.name))
}

// unspoken answers a path that there is not. gRPC that is sent to this port
// arrives as HTTP/1.1, because the queue asks first which of them the server speaks.
func (s *Server) unspoken(ctx *fasthttp.RequestCtx) {
	switch {
	case bytes.HasPrefix(ctx.Request.Header.ContentType(), []byte(grpcType)):
		ctx.SetContentType(grpcType)
		ctx.Response.Header.Set("Grpc-Status", strconv.Itoa(int(unimplemented)))
		ctx.Response.Header.Set("Grpc-Message", percent(s.noGRPC()))
	default:
		answer(ctx, http.StatusNotFound, `{"detail":"Not Found"}`)
	}
}
