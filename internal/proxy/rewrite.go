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

// appendLine appends a header line as it came.
func appendLine(b []byte, f *field) []byte {
	b = append(b, f.line...)
	return append(b, "\r\n"...)
}

// appendRequest appends the head that goes upstream: what the client sent in
// its order, less what was for this connection only.
func appendRequest(b []byte, h *head, forwarded *forwarded) []byte {
	b = append(b, h.method...)
	b = append(b, ' ')
	b = append(b, h.target...)
	b = append(b, " HTTP/1.1\r\n"...)
	named := false
	for i := range h.fields {
		f := &h.fields[i]
		switch f.kind {
		case kindHop, kindConnection, kindEncoding, kindUpgrade, kindExpect:
			continue
		case kindForwardedFor:
			if forwarded != nil { // which adds to it
				continue
			}
		case kindOther:
			if h.private(f) {
				continue
			}
		case kindHost:
			if len(f.value) == 0 { // there will be one
				continue
			}
		case kindLength, kindForwardedProto, kindForwardedHost, kindRevision:
		}
		b = appendLine(b, f)
		named = named || f.kind == kindHost
	}
	if !named { // an HTTP/1.0 client's, or it was empty
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

// forwarded tells the target who asked: the X-Forwarded headers. The nil
// pointer adds nothing and keeps what is there.
type forwarded struct {
	remote string
}

// append adds this hop to X-Forwarded-For. Host and protocol are what the first
// proxy saw: one in front of us, which may have ended TLS, knows better.
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

// appendResponse appends the head that goes to the client. framing is that of
// the body; http10 clients get bodies that end with the connection in place of
// chunks, and closes says that this is the last response on the connection.
func appendResponse(b []byte, h *head, framing int, http10, closes bool, name string) []byte {
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
			// HEAD and 304 speak of a body that they do not have.
			if h.length == chunked || h.status == http.StatusNoContent || h.status < 200 {
				continue
			}
		case kindRevision:
			if name != "" {
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
	if name != "" {
		b = appendField(b, RevisionHeader, name)
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

// appendRefusal appends a whole response that is our own, and returns how much
// of it is body.
func appendRefusal(b []byte, r *Refusal, isHead, http10, closes bool, name string) ([]byte, int) {
	body := r.body()
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(r.Status)...)
	b = append(b, "\r\nContent-Type: "+r.contentType()+"\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n"...)
	if name != "" {
		b = appendField(b, RevisionHeader, name)
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
