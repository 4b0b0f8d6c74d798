// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
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

// BenchmarkParse compares our parser with encoding/json. Both parse rows of four
// numbers into memory that they reuse.
func BenchmarkParse(b *testing.B) {
	for _, rows := range []int{2, 100} {
		body := []byte(`{"instances":[` + strings.Repeat(`[6.8,2.8,4.8,1.4],`, rows-1) + `[6.0,3.4,4.5,1.6]]}`)
		var ours batch
		var theirs struct{ Instances [][]float64 }
		for name, parse := range map[string]func() error{
			"ours":          func() error { return ours.parse(body) },
			"encoding-json": func() error { return json.Unmarshal(body, &theirs) },
		} {
			b.Run(fmt.Sprintf("%s/rows=%d", name, rows), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := parse(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkInfer measures a request of two rows in V2, without the network.
func BenchmarkInfer(b *testing.B) {
	s, err := New(b.Context(), Config{ModelName: "m", ModelDir: folder(b, iris), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	for name, body := range map[string]string{
		"json":   `{"id":"1","inputs":[{"name":"x","shape":[2,4],"datatype":"FP64","data":[6.8,2.8,4.8,1.4,6.0,3.4,4.5,1.6]}]}`,
		"binary": `{"id":"1","inputs":[{"name":"x","shape":[2,4],"datatype":"FP32","parameters":{"binary_data_size":32}}]}`,
	} {
		b.Run(name, func(b *testing.B) {
			var ctx fasthttp.RequestCtx
			ctx.Request.Header.SetMethod("POST")
			ctx.Request.SetRequestURI("/v2/models/m/infer")
			if name == "binary" {
				ctx.Request.Header.Set(lengthHeader, strconv.Itoa(len(body)))
				body += strings.Repeat("\x00\x00\x80\x3f", 8)
			}
			ctx.Request.SetBodyString(body)
			b.ReportAllocs()
			for b.Loop() {
				s.handle(&ctx)
			}
			if ctx.Response.StatusCode() != http.StatusOK {
				b.Fatal(string(ctx.Response.Body()))
			}
		})
	}
}
