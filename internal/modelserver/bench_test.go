// SPDX-License-Identifier: Apache-2.0

package modelserver

import (
	"log/slog"
	"testing"

	"github.com/valyala/fasthttp"
)

// BenchmarkPredict is a request without the network.
func BenchmarkPredict(b *testing.B) {
	s, err := New(b.Context(), Config{ModelName: "m", ModelDir: folder(b, iris), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.SetRequestURI("/v1/models/m:predict")
	ctx.Request.SetBodyString(irisBody)
	b.ReportAllocs()
	for b.Loop() {
		s.handle(&ctx)
	}
	if got := string(ctx.Response.Body()); got != `{"predictions":[1,1]}` {
		b.Fatal(got)
	}
}
