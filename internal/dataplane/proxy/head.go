// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
)

// head is the start line and the header fields of an HTTP/1 message, parsed as far
// as a proxy needs. It points into the bytes that it was parsed from.
//
// Whatever two parsers could understand differently is refused: it might hide
// a second request in the first. So a head has one Host, one length and one way to
// end the body, and no continued lines, spaces around names or control
// characters. The proxy sends every other line as it was received.
type head struct {
	method, uri []byte // of a request; the uri is the request target of RFC 9112, 3.2
	status      int    // of a response
	reason      []byte
	http10      bool

	fields []field
	seen   uint16 // the kinds that occurred, as a bit set

	host     []byte
	length   int    // of the body: a number, chunked, or untilClose if there is none
	protocol []byte // the value of Upgrade
	expects  bool   // the client waits for 100 Continue
	closes   bool   // the connection closes after this message
	keeps    bool   // Connection: keep-alive
	upgrades bool   // Connection: upgrade
	names    bool   // Connection names further fields
}

// field is a header line without its CRLF.
type field struct {
	kind              kind
	line, name, value []byte
}

// kind is what a field means to a proxy.
type kind uint8

const (
	kindOther      kind = iota
	kindHop             // hop-by-hop, and not used here
	kindConnection      // hop-by-hop, and names further hop-by-hop fields
	kindLength
	kindEncoding
	kindUpgrade
	kindExpect
	kindHost
	kindForwardedFor
	kindForwardedProto
	kindForwardedHost
	kindRevision
)

// kindOf returns the kind of a field. The name is in lower case.
func kindOf(name []byte) kind {
	switch string(name) {
	case "connection":
		return kindConnection
	case "content-length":
		return kindLength
	case "transfer-encoding":
		return kindEncoding
	case "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "http2-settings":
		return kindHop
	case "upgrade":
		return kindUpgrade
	case "expect":
		return kindExpect
	case "host":
		return kindHost
	case "x-forwarded-for":
		return kindForwardedFor
	case "x-forwarded-proto":
		return kindForwardedProto
	case "x-forwarded-host":
		return kindForwardedHost
	case "serin-revision":
		return kindRevision
	}
	return kindOther
}

// maxFields bounds the memory for a head of very short fields.
const maxFields = 256

// longestKind is the length of the longest name that kindOf knows.
const longestKind = len("proxy-authorization")

// Framings of a body other than a number of bytes.
const (
	chunked    = -1
	untilClose = -2
)

var (
	errIncomplete = errors.New("the head is not complete")
	errMalformed  = errors.New("the head is malformed")
	errVersion    = errors.New("the version is not supported")
	errTooLarge   = fmt.Errorf("the head has more than %d bytes or %d fields", bufferSize, maxFields)
)

// readHead parses the head that br has buffered. While it is incomplete, readHead
// calls more and waits for input.
func readHead(br *bufio.Reader, parse func([]byte) (int, error), more func() error) error {
	for {
		b, _ := br.Peek(br.Buffered()) // buffered, so it cannot fail
		n, err := parse(b)
		if !errors.Is(err, errIncomplete) {
			_, _ = br.Discard(n) // as above
			return err
		}
		if len(b) == br.Size() {
			return errTooLarge
		}
		if err := more(); err != nil {
			return err
		}
		if _, err := br.Peek(len(b) + 1); err != nil {
			if errors.Is(err, io.EOF) {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
}

// parseRequest parses a request's head at the beginning of b and returns its
// length.
func (h *head) parseRequest(b []byte) (int, error) {
	*h = head{fields: h.fields[:0], length: untilClose}
	start := 0
	for bytes.HasPrefix(b[start:], []byte("\r\n")) { // some clients send these after a body
		start += 2
	}
	line, next, err := nextLine(b, start)
	if err != nil {
		return 0, err
	}
	var version []byte
	var ok1, ok2 bool
	h.method, version, ok1 = bytes.Cut(line, []byte{' '})
	h.uri, version, ok2 = bytes.Cut(version, []byte{' '})
	if !ok1 || !ok2 || !isToken(h.method) || len(h.uri) == 0 || !isText(h.uri) || bytes.IndexByte(h.uri, '\t') >= 0 {
		return 0, errMalformed
	}
	if err := h.setVersion(version); err != nil {
		return 0, err
	}
	n, err := h.parseFields(b, next)
	switch {
	case err != nil:
		return 0, err
	case h.has(kindLength) && h.has(kindEncoding), !h.http10 && !h.has(kindHost):
		return 0, errMalformed
	case h.length == untilClose:
		h.length = 0
	}
	return n, nil
}

// parseResponse parses a response's head at the beginning of b and returns its
// length.
func (h *head) parseResponse(b []byte) (int, error) {
	*h = head{fields: h.fields[:0], length: untilClose}
	line, next, err := nextLine(b, 0)
	if err != nil {
		return 0, err
	}
	version, status, _ := bytes.Cut(line, []byte{' '})
	status, h.reason, _ = bytes.Cut(status, []byte{' '})
	n, ok := number(status)
	if !ok || len(status) != 3 || n < 100 || !isText(h.reason) {
		return 0, errMalformed
	}
	h.status = n
	if err := h.setVersion(version); err != nil {
		return 0, err
	}
	at, err := h.parseFields(b, next)
	if h.has(kindLength) && h.has(kindEncoding) { // RFC 9112, 6.3: possibly an attack, so the connection is not reused
		h.closes = true
	}
	return at, err
}

func (h *head) setVersion(version []byte) error {
	switch {
	case string(version) == "HTTP/1.1":
	case string(version) == "HTTP/1.0":
		h.http10 = true
	case len(version) == len("HTTP/1.1") && string(version[:5]) == "HTTP/" && version[6] == '.':
		return errVersion
	default:
		return errMalformed
	}
	return nil
}

// parseFields parses the lines of b[at:] up to the empty one, and returns the index
// after that.
func (h *head) parseFields(b []byte, at int) (int, error) {
	for {
		line, next, err := nextLine(b, at)
		if err != nil {
			return 0, err
		}
		if len(line) == 0 {
			if h.http10 && !h.keeps {
				h.closes = true
			}
			return next, nil
		}
		f, ok := parseField(line)
		if !ok || !h.note(f) {
			return 0, errMalformed
		}
		if len(h.fields) == maxFields {
			return 0, errTooLarge
		}
		h.fields = append(h.fields, f)
		at = next
	}
}

// nextLine returns the line that begins at b[at:], and the index of the next one.
func nextLine(b []byte, at int) (line []byte, next int, err error) {
	n := bytes.IndexByte(b[at:], '\n')
	if n < 0 {
		return nil, 0, errIncomplete
	}
	return bytes.TrimSuffix(b[at:at+n], []byte{'\r'}), at + n + 1, nil
}

// parseField splits a header line.
func parseField(line []byte) (field, bool) {
	var lower [longestKind]byte
	for i, c := range line {
		if c == ':' {
			f := field{line: line, name: line[:i], value: bytes.Trim(line[i+1:], " \t")}
			if i <= longestKind {
				f.kind = kindOf(lower[:i])
			}
			return f, i > 0 && isText(f.value)
		}
		if !tokenChar[c] {
			return field{}, false
		}
		if i < longestKind {
			lower[i] = c | 0x20 // this maps no other token character to a letter, digit or hyphen
		}
	}
	return field{}, false
}

// note records what a field means for the message, and reports false if the field
// is invalid.
func (h *head) note(f field) bool {
	again := h.has(f.kind)
	h.seen |= 1 << f.kind
	switch f.kind {
	case kindHost:
		h.host = f.value
		return !again
	case kindLength:
		n, ok := number(f.value)
		if h.length != chunked {
			h.length = n
		}
		return ok && !again
	case kindEncoding:
		h.length = chunked
		return !again && !h.http10 && bytes.EqualFold(f.value, []byte("chunked"))
	case kindConnection:
		h.noteConnection(f.value)
	case kindUpgrade:
		h.protocol = f.value
	case kindExpect:
		h.expects = bytes.EqualFold(f.value, []byte("100-continue"))
	case kindOther, kindHop, kindForwardedFor, kindForwardedProto, kindForwardedHost, kindRevision:
	}
	return true
}

func (h *head) noteConnection(value []byte) {
	for token := range bytes.SplitSeq(value, []byte{','}) {
		switch token = bytes.Trim(token, " \t"); {
		case len(token) == 0:
		case bytes.EqualFold(token, []byte("close")):
			h.closes = true
		case bytes.EqualFold(token, []byte("keep-alive")):
			h.keeps = true
		case bytes.EqualFold(token, []byte("upgrade")):
			h.upgrades = true
		default:
			h.names = true
		}
	}
}

// has reports whether a field of the kind occurred.
func (h *head) has(k kind) bool { return h.seen&(1<<k) != 0 }

// upgrading reports whether the message asks for another protocol, or agrees to
// one.
func (h *head) upgrading() bool { return h.upgrades && len(h.protocol) > 0 && !h.http10 }

// isHead reports whether the method is HEAD.
func (h *head) isHead() bool { return string(h.method) == "HEAD" }

// private reports whether the Connection field names f, which makes it hop-by-hop.
func (h *head) private(f *field) bool {
	if !h.names {
		return false
	}
	for _, c := range h.fields {
		if c.kind != kindConnection {
			continue
		}
		for token := range bytes.SplitSeq(c.value, []byte{','}) {
			if bytes.EqualFold(bytes.Trim(token, " \t"), f.name) {
				return true
			}
		}
	}
	return false
}

// version returns the request's protocol.
func (h *head) version() string {
	if h.http10 {
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}

// get returns the first value of a field.
func (h *head) get(name string) []byte {
	for _, f := range h.fields {
		if len(f.name) == len(name) && bytes.EqualFold(f.name, []byte(name)) {
			return f.value
		}
	}
	return nil
}

// number parses a string of digits.
func number(b []byte) (int, bool) {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || n > (math.MaxInt-9)/10 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(b) > 0
}

// tokenChar is the set of the characters of names and methods: RFC 9110, 5.6.2.
var tokenChar = func() (is [256]bool) {
	for _, c := range "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		is[c] = true
	}
	return is
}()

func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenChar[c] {
			return false
		}
	}
	return len(b) > 0
}

// isText reports whether b is free of control characters other than tabs.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
