// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"github.com/serin-dev/serin/internal/model/frame"
)

// The Open Inference Protocol V2 over HTTP. v2_request.go reads its requests, and
// tensor.go fills the frame: https://github.com/kserve/open-inference-protocol.

const (
	v2Path       = "/v2"
	v2Models     = v2Path + "/models"
	v2Repository = v2Path + "/repository/models/"
	lengthHeader = "Inference-Header-Content-Length"
	octetStream  = "application/octet-stream"
)

// handleV2 answers a path that begins with /v2.
func (s *Server) handleV2(ctx *fasthttp.RequestCtx, path string) {
	if name, ok := strings.CutPrefix(path, v2Repository); ok {
		s.repository(ctx, name)
		return
	}
	rest, ok := strings.CutPrefix(path, v2Models+"/")
	if !ok {
		answer(ctx, http.StatusNotFound, `{"detail":"Not Found"}`)
		return
	}
	name, verb, _ := strings.Cut(rest, "/")
	version, versioned := strings.CutPrefix(verb, "versions/")
	if versioned {
		version, verb, _ = strings.Cut(version, "/")
	}
	allowed, fits := readable, ctx.IsGet() || ctx.IsHead()
	if verb == "infer" {
		allowed, fits = callable, ctx.IsPost()
	}
	switch {
	case verb != "" && verb != "ready" && verb != "infer":
		answer(ctx, http.StatusNotFound, `{"detail":"Not Found"}`)
	case ctx.IsOptions():
		options(ctx, allowed)
	case !fits:
		notAllowed(ctx, allowed)
	case name != s.name:
		noModel(ctx, name)
	case versioned && (version != s.tensors.version || version == ""):
		fail(ctx, http.StatusNotFound, s.noVersion(version))
	case verb == "infer":
		s.infer(ctx)
	case verb == "":
		serveBytes(ctx, "application/json", s.metadata())
	default:
		s.ready(ctx)
	}
}

func (s *Server) noVersion(version string) string {
	if s.tensors.version == "" {
		return fmt.Sprintf("Model with name %s has no version %s: leave the version out.", s.name, version)
	}
	return fmt.Sprintf("Model with name %s has no version %s: leave it out, or use %s.", s.name, version, s.tensors.version)
}

// repository answers the calls that load and unload models. There is one, which is
// loaded as long as the server runs.
func (s *Server) repository(ctx *fasthttp.RequestCtx, rest string) {
	name, verb, _ := strings.Cut(rest, "/")
	switch {
	case verb != "load" && verb != "unload":
		answer(ctx, http.StatusNotFound, `{"detail":"Not Found"}`)
	case ctx.IsOptions():
		options(ctx, callable)
	case !ctx.IsPost():
		notAllowed(ctx, callable)
	case name != s.name:
		noModel(ctx, name)
	case verb == "load":
		answer(ctx, http.StatusOK, `{"name":%s,"load":true}`, quote(name))
	default:
		fail(ctx, http.StatusBadRequest, "This server does not unload its model: delete the InferenceService.")
	}
}

// signature is a tensor in a model's metadata.
type signature struct {
	Name     string  `json:"name"`
	Datatype string  `json:"datatype"`
	Shape    []int64 `json:"shape"`
}

// signatures describe the tensors that the model takes and gives. -1 is any length.
func (s *Server) signatures() (inputs, outputs []signature) {
	if s.schema.Open {
		return []signature{}, []signature{}
	}
	numbers, kind := true, func(i int) string {
		if s.schema.Kind(i) == frame.Numbers {
			return "FP64"
		}
		return "BYTES"
	}
	whole := "FP64" // of all columns in one tensor
	for i := range s.schema.Width {
		if s.schema.Kind(i) != frame.Numbers {
			numbers, whole = false, "BYTES"
		}
	}
	switch {
	case s.schema.Flat:
		inputs = []signature{{"input-0", kind(0), []int64{-1}}}
	case numbers || len(s.schema.Names) == 0:
		inputs = []signature{{"input-0", whole, []int64{-1, int64(s.schema.Width)}}}
	default:
		for i, name := range s.schema.Names {
			inputs = append(inputs, signature{name, kind(i), []int64{-1}})
		}
	}
	out, _ := s.model.Output(s.method)
	shape := []int64{-1}
	if !out.Flat {
		shape = append(shape, int64(out.Width))
	}
	return inputs, []signature{{outputName, datatypeFor(out.Type).name, shape}}
}

// metadata describes the model.
func (s *Server) metadata() []byte {
	inputs, outputs := s.signatures()
	var versions []string
	if s.tensors.version != "" {
		versions = []string{s.tensors.version}
	}
	text, err := json.Marshal(struct {
		Name     string      `json:"name"`
		Versions []string    `json:"versions"`
		Platform string      `json:"platform"`
		Inputs   []signature `json:"inputs"`
		Outputs  []signature `json:"outputs"`
	}{s.name, versions, "", inputs, outputs})
	if err != nil {
		return []byte(`{}`) // strings and numbers always encode
	}
	return text
}

// infer answers a prediction.
func (s *Server) infer(ctx *fasthttp.RequestCtx) {
	b := s.batch(ctx.Request.Header.ContentLength())
	defer s.recycle(b)

	times := stopwatch{time.Now()}
	event, err := eventModeOf(&ctx.Request.Header)
	var c call
	if e := s.body(ctx, b); e != nil {
		err = e
	} else if err == nil {
		c, err = b.inferBody(s.name, ctx.Request.Header.Peek(lengthHeader), b.body)
	}
	if err == nil {
		err = b.fill(c.contentType == "pd")
	}
	if err != nil {
		unprocessable(ctx, err)
		return
	}
	times.lap(s.metrics.preprocess)

	if code, err := s.ask(func() error { return gone(ctx.Conn()) }, b); err != nil {
		reject(ctx, code, err)
		return
	}
	times.lap(s.metrics.predict)
	s.answerInfer(ctx, b, c, event)
	times.lap(s.metrics.postprocess)
}

// inferBody reads a body, whose JSON ends at the length in the header, if there is one.
func (b *batch) inferBody(model string, header, body []byte) (call, error) {
	var tail []byte
	if header != nil {
		n, err := strconv.ParseUint(string(bytes.TrimSpace(header)), 10, 63)
		if err != nil || n > uint64(len(body)) {
			return call{}, inputError("The header " + lengthHeader + " is not the length of the JSON in the body")
		}
		body, tail = body[:n], body[n:]
	}
	return b.inferRequest(model, body, tail)
}

// unprocessable answers a request that could not be read. JSON that is no V2 request
// is a 422, as in KServe. Beside KServe's detail it has an error, which Triton's client shows.
// Before binary tensors it is a 400.
func unprocessable(ctx *fasthttp.RequestCtx, err error) {
	if string(ctx.Request.Header.ContentType()) == octetStream {
		message := err.Error()
		if ctx.Request.Header.Peek(lengthHeader) == nil {
			message += ". Binary tensors need the header " + lengthHeader
		}
		fail(ctx, http.StatusBadRequest, message)
		return
	}
	kind, where, message, more, sentence := "", []any{"body"}, "", "", err.Error()
	if e, ok := errors.AsType[*syntaxError](err); ok {
		kind, message = "json_invalid", "JSON decode error"
		where, more = append(where, e.offset), fmt.Sprintf(`,"ctx":{"error":%s}`, quote(e.message))
	} else if e, ok := errors.AsType[*schemaError](err); ok {
		kind, message = e.kind, e.message
		where = append(where, e.where...)
	} else {
		reject(ctx, http.StatusBadRequest, err)
		return
	}
	place, err := json.Marshal(where)
	if err != nil {
		place = []byte(`["body"]`) // strings and numbers always encode
	}
	answer(ctx, http.StatusUnprocessableEntity, `{"detail":[{"type":"%s","loc":%s,"msg":%s%s}],"error":%s}`, kind, place, quote(message), more, quote(sentence))
}

// answerInfer writes the answer as JSON, as an event, or as JSON and a binary tensor.
// The last two leave out what is null, as in KServe.
func (s *Server) answerInfer(ctx *fasthttp.RequestCtx, b *batch, c call, event eventMode) {
	parameters := `,"parameters":null`
	if c.binary || event != noEvent {
		parameters = ""
	}
	b.out = append(b.out[:0], `{"model_name":`...)
	b.out = append(b.out, s.tensors.name...)
	b.out = append(b.out, `,"model_version":`...)
	b.out = append(b.out, s.tensors.quotedVersion...)
	b.out = append(b.out, `,"id":`...)
	if c.id == "" {
		c.id = uuid.NewString()
	}
	b.out = append(b.out, quote(c.id)...)
	b.out = append(b.out, parameters...)
	b.out = append(b.out, `,"outputs":[{"name":"`+outputName+`","shape":[`...)
	b.out = strconv.AppendInt(b.out, int64(b.result.Rows), 10)
	if !b.result.Output.Flat {
		b.out = strconv.AppendInt(append(b.out, ','), int64(b.result.Output.Width), 10)
	}
	b.out = append(b.out, `],"datatype":"`...)
	b.out = append(append(b.out, datatypeFor(b.result.Output.Type).name...), '"')
	if !c.binary {
		flat := b.result
		flat.Output.Flat = true
		b.out = append(append(b.out, parameters...), `,"data":`...)
		b.out = append(appendResult(b.out, &flat, b.tensors.labels), `}]}`...)
		if event != noEvent {
			s.answerEvent(ctx, event, nil, b.out)
			return
		}
		serve(ctx, "application/json", b)
		return
	}
	b.raw = appendRaw(b.raw[:0], &b.result, b.tensors.raw)
	b.out = append(b.out, `,"parameters":{"binary_data_size":`...)
	b.out = append(strconv.AppendInt(b.out, int64(len(b.raw)), 10), `}}]}`...)
	ctx.Response.Header.Set(lengthHeader, strconv.Itoa(len(b.out)))
	b.out = append(b.out, b.raw...)
	serve(ctx, octetStream, b)
}
