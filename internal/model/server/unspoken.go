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

const (
	grpcType          = "application/grpc"
	grpcUnimplemented = "12"
)

// useV1 tells a client which protocol this server speaks.
func (s *Server) useV1() string {
	return fmt.Sprintf("Use the V1 protocol: POST %s/%s:predict.", modelsPath, url.PathEscape(s.name))
}

// noGRPC is the message of a gRPC status, in which % begins an escape.
func (s *Server) noGRPC() string {
	return "This server does not speak gRPC. " + strings.ReplaceAll(s.useV1(), "%", "%25")
}

// unspoken answers a path that there is not. gRPC that is sent to this port
// arrives as HTTP/1.1, because the queue asks first which of them the server speaks.
func (s *Server) unspoken(ctx *fasthttp.RequestCtx) {
	switch {
	case bytes.HasPrefix(ctx.Request.Header.ContentType(), []byte(grpcType)):
		ctx.SetContentType(grpcType)
		ctx.Response.Header.Set("Grpc-Status", grpcUnimplemented)
		ctx.Response.Header.Set("Grpc-Message", s.noGRPC())
	default:
		answer(ctx, http.StatusNotFound, `{"detail":"Not Found"}`)
	}
}
