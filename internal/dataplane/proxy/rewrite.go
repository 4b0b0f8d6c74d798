// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"net/http"
	"strconv"
)

// appendField appends a header line.
func appendField[T string | []byte](b []byte, name string, value T) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// appendLine appends a header line as it was received.
func appendLine(b []byte, f *field) []byte {
	b = append(b, f.line...)
	return append(b, "\r\n"...)
}

// appendRequest appends the head for the target: the client's fields in their order,
// without the hop-by-hop fields.
func appendRequest(b []byte, h *head, forwarded *forwarded) []byte {
	b = append(b, h.method...)
	b = append(b, ' ')
	b = append(b, h.uri...)
	b = append(b, " HTTP/1.1\r\n"...)
	named := false
	for i := range h.fields {
		f := &h.fields[i]
		switch f.kind {
		case kindHop, kindConnection, kindEncoding, kindUpgrade, kindExpect:
			continue
		case kindForwardedFor:
			if forwarded != nil { // forwarded.append merges it
				continue
			}
		case kindOther:
			if h.private(f) {
				continue
			}
		case kindHost:
			if len(f.value) == 0 { // it is added below
				continue
			}
		case kindLength, kindForwardedProto, kindForwardedHost, kindRevision:
		}
		b = appendLine(b, f)
		named = named || f.kind == kindHost
	}
	if !named { // from an HTTP/1.0 client, or with an empty Host
		b = appendField(b, "Host", h.host)
	}
	b = forwarded.append(b, h)
	if h.length == chunked {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if h.upgrading() {
		b = append(b, "Connection: Upgrade\r\n"...)
		b = appendField(b, "Upgrade", h.protocol)
	}
	return append(b, "\r\n"...)
}

// forwarded adds the X-Forwarded headers. The nil pointer adds nothing and keeps the
// client's.
type forwarded struct {
	remote string
}

// append adds this hop to X-Forwarded-For. It keeps the host and protocol that a
// proxy in front of this one reports: that proxy may have terminated TLS.
func (f *forwarded) append(b []byte, h *head) []byte {
	if f == nil {
		return b
	}
	b = append(b, "X-Forwarded-For: "...)
	if h.has(kindForwardedFor) {
		for _, before := range h.fields {
			if before.kind == kindForwardedFor {
				b = append(b, before.value...)
				b = append(b, ", "...)
			}
		}
	}
	b = append(b, f.remote...)
	b = append(b, "\r\n"...)
	if !h.has(kindForwardedProto) {
		b = append(b, "X-Forwarded-Proto: http\r\n"...)
	}
	if !h.has(kindForwardedHost) {
		b = appendField(b, "X-Forwarded-Host", h.host)
	}
	return b
}

// responseFraming returns the length of a response's body, chunked or
// untilClose.
func responseFraming(h *head, isHead bool) int {
	if isHead || h.status < 200 || h.status == http.StatusNoContent || h.status == http.StatusNotModified {
		return 0
	}
	return h.length
}

// appendResponse appends the head for the client. framing is that of the body. An
// http10 client gets a body that ends with the connection in place of chunks.
// closes means that the connection closes after this response.
func appendResponse(b []byte, h *head, framing int, http10, closes bool, revision string) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(h.status), 10)
	b = append(b, ' ')
	b = append(b, h.reason...)
	b = append(b, "\r\n"...)
	for i := range h.fields {
		f := &h.fields[i]
		switch f.kind {
		case kindHop, kindConnection, kindEncoding, kindUpgrade:
			continue
		case kindLength:
			// The responses to HEAD and 304 have the length of a body that is not sent.
			if h.length == chunked || h.status == http.StatusNoContent || h.status < 200 {
				continue
			}
		case kindRevision:
			if revision != "" {
				continue
			}
		case kindOther:
			if h.private(f) {
				continue
			}
		case kindExpect, kindHost, kindForwardedFor, kindForwardedProto, kindForwardedHost:
		}
		b = appendLine(b, f)
	}
	if revision != "" {
		b = appendField(b, RevisionHeader, revision)
	}
	switch {
	case h.status == http.StatusSwitchingProtocols:
		b = append(b, "Connection: Upgrade\r\n"...)
		b = appendField(b, "Upgrade", h.protocol)
	case closes:
		b = append(b, "Connection: close\r\n"...)
	case http10:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	if framing < 0 && !http10 {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	return append(b, "\r\n"...)
}

// appendRefusal appends r as a complete response, and returns the length of its
// body.
func appendRefusal(b []byte, r *Refusal, isHead, http10, closes bool, revision string) ([]byte, int) {
	body := r.body()
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(r.Status)...)
	b = append(b, "\r\nContent-Type: "+r.contentType()+"\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n"...)
	if revision != "" {
		b = appendField(b, RevisionHeader, revision)
	}
	if after := r.retryAfter(); after != "" {
		b = appendField(b, "Retry-After", after)
	}
	if r.Allow != "" {
		b = appendField(b, "Allow", r.Allow)
	}
	switch {
	case closes:
		b = append(b, "Connection: close\r\n"...)
	case http10:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	b = append(b, "\r\n"...)
	if isHead {
		return b, 0
	}
	return append(b, body...), len(body)
}
