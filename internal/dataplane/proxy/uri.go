// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"net/http"
)

// allowed is the Allow header of the answer to TRACE.
const allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// checkRequest refuses requests of any protocol that this proxy does not send on:
// methods for the proxy itself, and URIs and hosts that another parser could
// understand differently.
func checkRequest(method string, uri, host []byte) *Refusal {
	switch {
	case method == http.MethodConnect:
		return refusef(http.StatusNotImplemented, "CONNECT is not supported")
	case method == http.MethodTrace:
		return &Refusal{Status: http.StatusMethodNotAllowed, Text: "TRACE is not supported", Allow: allowed}
	case !isHost(host):
		return refusef(http.StatusBadRequest, "the request's host is not valid")
	case method == http.MethodOptions && string(uri) == "*":
		return nil
	case len(uri) == 0 || uri[0] != '/':
		return refusef(http.StatusBadRequest, "the request's target must be a path")
	}
	return checkPath(uri)
}

// checkPath refuses paths that servers read differently: those with segments . and
// .., also if these are encoded, separated by backslashes or followed by
// parameters, and those with invalid escapes. Clients resolve such segments before
// they send a request.
func checkPath(uri []byte) *Refusal {
	path, _, _ := bytes.Cut(uri, []byte{'?'})
	if !unusual(path) {
		return nil
	}
	s := segment{}
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch c {
		case '%':
			if i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2]) {
				return refusef(http.StatusBadRequest, "the request's path has an escape that is none")
			}
			c = unhex(path[i+1])<<4 | unhex(path[i+2])
			i += 2
		case '#':
			return refusef(http.StatusBadRequest, "the request's path has a fragment")
		}
		if c == 0 {
			return refusef(http.StatusBadRequest, "the request's path has a NUL character")
		}
		if s.ends(c) && s.isDots() {
			return dotSegments
		}
		s.add(c)
	}
	if s.isDots() {
		return dotSegments
	}
	return nil
}

var dotSegments = refusef(http.StatusBadRequest, "the request's path has segments . or ..: ask for the path that they lead to")

// unusual reports whether checkPath must parse the path.
func unusual(path []byte) bool {
	for i, c := range path {
		switch c {
		case '%', '\\', '#':
			return true
		case '.':
			if path[i-1] == '/' { // index i-1 exists: a path begins with /
				return true
			}
		}
	}
	return false
}

// segment is a part of a path between two slashes, as read by a server that decodes
// the path, treats backslashes as slashes, and removes parameters.
type segment struct {
	dots         int
	other, param bool
}

func (*segment) ends(c byte) bool { return c == '/' || c == '\\' }

func (s *segment) isDots() bool { return !s.other && (s.dots == 1 || s.dots == 2) }

func (s *segment) add(c byte) {
	switch {
	case s.ends(c):
		*s = segment{}
	case c == ';':
		s.param = true
	case s.param:
	case c == '.':
		s.dots++
	default:
		s.other = true
	}
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// hostChar is the set of the characters of a host and its port: RFC 3986, 3.2.2.
var hostChar = func() (is [256]bool) {
	for _, c := range "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~!$&'()*+,;=:[]%" {
		is[c] = true
	}
	return is
}()

func isHost(b []byte) bool {
	for _, c := range b {
		if !hostChar[c] {
			return false
		}
	}
	return true
}
