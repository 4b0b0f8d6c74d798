// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/serin-dev/serin/internal/model/frame"
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

// BenchmarkParse compares our parser with encoding/json. All parse rows of 20 numbers
// into memory that they reuse: of 17 digits, as Python writes measured values, and of three.
func BenchmarkParse(b *testing.B) {
	const cols = 20
	for _, rows := range []int{1, 100, 10_000} {
		for _, digits := range []string{"long", "short"} {
			flat, nested := numbers(rows, cols, digits == "long")
			v1 := []byte(`{"instances":` + nested + `}`)
			v2 := fmt.Appendf(nil, `{"inputs":[{"name":"x","shape":[%d,%d],"datatype":"FP64","data":%s}]}`, rows, cols, flat)
			var ours batch
			var theirs struct{ Instances [][]float64 }
			for _, c := range []struct {
				name  string
				body  []byte
				parse func(body []byte) error
			}{
				{"v1", v1, ours.parse},
				{"v2", v2, func(body []byte) error { return second(ours.inferRequest("m", body, nil)) }},
				{"encoding-json", v1, func(body []byte) error { return json.Unmarshal(body, &theirs) }},
			} {
				b.Run(fmt.Sprintf("%s/%s/rows=%d", c.name, digits, rows), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if err := c.parse(c.body); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows*cols), "ns/value")
				})
			}
		}
	}
}

// numbers returns random ones as a list, and as a list of rows.
func numbers(rows, cols int, long bool) (flat, nested string) {
	r := rand.New(rand.NewPCG(1, 2))
	values := make([][]float64, rows)
	for i := range values {
		for range cols {
			v := r.Float64() * 10
			if !long {
				v = math.Round(v*100) / 100
			}
			values[i] = append(values[i], v)
		}
	}
	text, _ := json.Marshal(values) // floats always encode
	return strings.ReplaceAll(strings.ReplaceAll(string(text[1:len(text)-1]), "],[", ","), " ", ""), string(text)
}

// BenchmarkEncode writes the probabilities of three classes for 100 rows.
func BenchmarkEncode(b *testing.B) {
	result := frame.Result{Rows: 100, Output: frame.Output{Width: 3}}
	r := rand.New(rand.NewPCG(1, 2))
	for range 3 * result.Rows {
		result.Values = append(result.Values, r.Float64())
	}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = appendResult(out[:0], &result, nil)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(result.Values)), "ns/value")
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
