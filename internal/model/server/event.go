// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
)

// CloudEvents, as KServe's server reads and answers them: https://cloudevents.io.

// eventMode is how a request carries a CloudEvent, and so how its answer does.
type eventMode byte

const (
	noEvent         eventMode = iota
	binaryEvent               // attributes in headers, data in the body
	structuredEvent           // a JSON object of both
)

const eventType = "application/cloudevents+json"

// eventModeOf reads the mode from the headers. Its error is a sentence for the
// client.
func eventModeOf(h *fasthttp.RequestHeader) (eventMode, error) {
	mediaType, _, _ := bytes.Cut(h.ContentType(), []byte{';'})
	structured := bytes.EqualFold(bytes.TrimSpace(mediaType), []byte(eventType))
	version := h.Peek("Ce-Specversion")
	binary := version != nil && h.Peek("Ce-Id") != nil && h.Peek("Ce-Source") != nil && h.Peek("Ce-Type") != nil
	switch {
	case binary && structured:
		return noEvent, inputError("Cloud Event Exceptions: the headers are those of a binary event, but Content-Type is that of a structured one")
	case binary && string(version) != "1.0" && string(version) != "0.3":
		return noEvent, inputError("Cloud Event Exceptions: Found invalid specversion " + strings.ToValidUTF8(string(version), "?"))
	case binary:
		return binaryEvent, nil
	case structured:
		return structuredEvent, nil
	}
	return noEvent, nil
}

// envelope is what a JSON object has of a structured CloudEvent. KServe's server
// takes the data of such an object for the request, whatever its Content-Type is.
type envelope struct {
	has  byte   // a bit for each member that KServe's server asks for
	data parser // at the value of "data"
}

const wholeEnvelope = 1<<6 - 1

// note is called before the value of each member.
func (e *envelope) note(key string, p *parser) {
	switch key {
	case "specversion":
		e.has |= 1
	case "id":
		e.has |= 2
	case "source":
		e.has |= 4
	case "type":
		e.has |= 8
	case "time":
		e.has |= 16
	case "data":
		e.has |= 32
		e.data = *p
	}
}

// answerEvent answers with an event whose data is a prediction.
func (s *Server) answerEvent(ctx *fasthttp.RequestCtx, mode eventMode, prediction []byte) {
	id, now := uuid.NewString(), time.Now().UTC().Format("2006-01-02T15:04:05.000000+00:00")
	source, kind := "io.kserve.inference."+s.name, "io.kserve.inference.response"
	if mode == binaryEvent {
		h := &ctx.Response.Header
		h.Set("Ce-Specversion", "1.0")
		h.Set("Ce-Id", id)
		h.Set("Ce-Source", source)
		h.Set("Ce-Type", kind)
		h.Set("Ce-Time", now)
		serveBytes(ctx, "application/json", prediction)
		return
	}
	serveBytes(ctx, eventType, fmt.Appendf(nil, `{"specversion":"1.0","id":"%s","source":%s,"type":"%s","time":"%s","data":%s}`, id, quote(source), kind, now, prediction))
}
