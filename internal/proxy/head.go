// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"strconv"

	"github.com/valyala/fasthttp"
)

// hopByHop reports whether a header, in canonical form, is for one connection
// only. Connection can name more; see listed.
func hopByHop(name []byte) bool {
	switch string(name) {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Transfer-Encoding", "Upgrade", "Content-Length", "Expect", "Http2-Settings":
		return true
	}
	return false
}

// private returns the value of a Connection header if it can name headers: the
// usual values do not.
func private(connection []byte) []byte {
	switch string(connection) {
	case "keep-alive", "close", "Upgrade", "upgrade":
		return nil
	}
	return connection
}

// listed reports whether the value of a Connection header names a header.
func listed(connection, name []byte) bool {
	for len(connection) > 0 {
		token, rest, _ := bytes.Cut(connection, []byte{','})
		if bytes.EqualFold(bytes.TrimSpace(token), name) {
			return true
		}
		connection = rest
	}
	return false
}

// appendField appends a header line.
func appendField(b []byte, name string, value []byte) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// appendRequest appends the head that goes upstream: what the client sent in
// its order, less what was for this connection only, with the framing that the
// body will have.
func appendRequest(b []byte, h *fasthttp.RequestHeader, forwarded *forwarded) []byte {
	b = append(b, h.Method()...)
	b = append(b, ' ')
	b = append(b, h.RequestURI()...)
	b = append(b, " HTTP/1.1\r\n"...)
	connection := private(h.Peek("Connection"))
	for name, value := range h.AllInOrder() {
		if hopByHop(name) || forwarded.replaces(name) || (len(connection) > 0 && listed(connection, name)) {
			continue
		}
		b = append(b, name...)
		b = append(b, ": "...)
		b = append(b, value...)
		b = append(b, "\r\n"...)
	}
	b = forwarded.append(b, h)
	switch n := h.ContentLength(); {
	case n == chunked:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case n > 0 || (n == 0 && !h.IsGet() && !h.IsHead()):
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(n), 10)
		b = append(b, "\r\n"...)
	}
	if h.ConnectionUpgrade() {
		b = appendField(b, "Connection", []byte("Upgrade"))
		b = appendField(b, "Upgrade", h.Peek("Upgrade"))
	}
	return append(b, "\r\n"...)
}

// forwarded tells the target who asked: the X-Forwarded headers. The nil
// pointer adds nothing and keeps what is there.
type forwarded struct {
	remote string
}

// replaces reports whether append writes the header anew.
func (f *forwarded) replaces(name []byte) bool {
	return f != nil && string(name) == "X-Forwarded-For"
}

// append adds this hop to X-Forwarded-For. Host and protocol are what the first
// proxy saw: one in front of us, which may have ended TLS, knows better.
func (f *forwarded) append(b []byte, h *fasthttp.RequestHeader) []byte {
	if f == nil {
		return b
	}
	b = append(b, "X-Forwarded-For: "...)
	for _, before := range h.PeekAll("X-Forwarded-For") {
		b = append(b, before...)
		b = append(b, ", "...)
	}
	b = append(b, f.remote...)
	b = append(b, "\r\n"...)
	if len(h.Peek("X-Forwarded-Proto")) == 0 {
		b = append(b, "X-Forwarded-Proto: http\r\n"...)
	}
	if len(h.Peek("X-Forwarded-Host")) == 0 {
		b = appendField(b, "X-Forwarded-Host", h.Host())
	}
	return b
}

// framing is how a message body ends.
const (
	chunked    = -1 // fasthttp's value for chunked bodies
	untilClose = -2 // and for those that end with the connection
)

// responseFraming returns the length of a response's body, chunked or
// untilClose.
func responseFraming(h *fasthttp.ResponseHeader, head bool) int {
	status := h.StatusCode()
	if head || status < 200 || status == 204 || status == 304 {
		return 0
	}
	return h.ContentLength()
}

// appendResponse appends the head that goes to the client. framing is that of
// the body; http10 clients get bodies that end with the connection in place of
// chunks, and closes says that this is the last response on the connection.
func appendResponse(b []byte, h *fasthttp.ResponseHeader, framing int, http10, closes bool, revision string) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(h.StatusCode()), 10)
	b = append(b, ' ')
	b = append(b, reason(h)...)
	b = append(b, "\r\n"...)
	connection := private(h.Peek("Connection"))
	for name, value := range h.All() {
		switch {
		case string(name) == "Content-Length" && h.StatusCode() != fasthttp.StatusNoContent:
			// Kept: HEAD and 304 speak of a body that they do not have.
		case hopByHop(name), revision != "" && string(name) == RevisionHeader, len(connection) > 0 && listed(connection, name):
			continue
		}
		b = append(b, name...)
		b = append(b, ": "...)
		b = append(b, value...)
		b = append(b, "\r\n"...)
	}
	if revision != "" {
		b = append(b, RevisionHeader+": "...)
		b = append(b, revision...)
		b = append(b, "\r\n"...)
	}
	switch {
	case h.StatusCode() == fasthttp.StatusSwitchingProtocols:
		b = appendField(b, "Connection", []byte("Upgrade"))
		b = appendField(b, "Upgrade", h.Peek("Upgrade"))
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

// reason returns the reason phrase that the target chose.
func reason(h *fasthttp.ResponseHeader) []byte {
	if m := h.StatusMessage(); len(m) > 0 {
		return m
	}
	return []byte(fasthttp.StatusMessage(h.StatusCode()))
}

// appendRefusal appends a whole response that is our own.
func appendRefusal(b []byte, r *Refusal, head, http10, closes bool, revision string) ([]byte, int) {
	body := r.body()
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, ' ')
	b = append(b, fasthttp.StatusMessage(r.Status)...)
	b = append(b, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n"...)
	if revision != "" {
		b = appendField(b, RevisionHeader, []byte(revision))
	}
	if after := r.retryAfter(); after != "" {
		b = appendField(b, "Retry-After", []byte(after))
	}
	switch {
	case closes:
		b = append(b, "Connection: close\r\n"...)
	case http10:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	b = append(b, "\r\n"...)
	if head {
		return b, 0
	}
	return append(b, body...), len(body)
}
