// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"cmp"
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

// Events says what answers have that are events, as KServe's variables do.
type Events struct {
	Source, Type string // instead of KServe's
	Merge        bool   // the other attributes of the request, too
}

// merged returns the attributes of a structured event, as members of a JSON object,
// that its answer has as well.
func merged(body []byte) (members []byte) {
	p := &parser{data: body}
	_ = p.object(func(key string) error { // it was read before
		p.peek()
		start := p.pos
		err := p.skip()
		switch key {
		case "specversion", "id", "source", "type", "time", "data":
		default:
			members = append(append(append(append(members, ','), quote(key)...), ':'), p.data[start:p.pos]...)
		}
		return err
	})
	return members
}

// mergeHeaders copies the attributes of a binary event that its answer has as well.
func mergeHeaders(ctx *fasthttp.RequestCtx) {
	for key, value := range ctx.Request.Header.All() {
		if bytes.HasPrefix(bytes.ToLower(key), []byte("ce-")) {
			ctx.Response.Header.SetBytesKV(key, value)
		}
	}
}

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

// answerEvent answers with an event whose data is a prediction. The body is that of the request.
func (s *Server) answerEvent(ctx *fasthttp.RequestCtx, mode eventMode, body, prediction []byte) {
	id, now := uuid.NewString(), time.Now().UTC().Format("2006-01-02T15:04:05.000000+00:00")
	source, kind := cmp.Or(s.events.Source, "io.kserve.inference."+s.name), cmp.Or(s.events.Type, "io.kserve.inference.response")
	if mode == binaryEvent {
		if s.events.Merge {
			mergeHeaders(ctx)
		}
		h := &ctx.Response.Header
		h.Set("Ce-Specversion", "1.0")
		h.Set("Ce-Id", id)
		h.Set("Ce-Source", source)
		h.Set("Ce-Type", kind)
		h.Set("Ce-Time", now)
		serveBytes(ctx, "application/json", prediction)
		return
	}
	var more []byte
	if s.events.Merge {
		more = merged(body)
	}
	serveBytes(ctx, eventType, fmt.Appendf(nil, `{"specversion":"1.0","id":"%s","source":%s,"type":%s,"time":"%s"%s,"data":%s}`, id, quote(source), quote(kind), now, more, prediction))
}
