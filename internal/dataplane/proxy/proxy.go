// SPDX-License-Identifier: Apache-2.0

// Package proxy is the HTTP reverse proxy that the router and the queue share.
// It copies requests and responses. A Policy chooses the target of each request.
//
// One listener serves HTTP/1.1 and HTTP/2 without TLS, told apart by the first
// bytes of a connection. The goroutine of an HTTP/1.1 connection reads each
// request, sends it to the target and relays the response. It parses heads,
// removes hop-by-hop fields, and streams bodies. It reads small request bodies
// before it asks the Policy, so that a slow client does not occupy a slot of a
// target, and so that the request can be sent again if no target has seen it.
// HTTP/2, and so gRPC, passes through net/http's ReverseProxy and stays HTTP/2
// on the way to the target.
//
// The number of connections is bounded (connections.go). An idle client
// connection has no buffers. The package has no routes, no concurrency limits
// and no metrics. It retries a request only if no target can have processed it.
package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// RevisionHeader names the revision that answered.
const RevisionHeader = "Serin-Revision"

// Policy decides about requests.
type Policy interface {
	// NewAttempt returns an Attempt for one request at a time. A connection
	// reuses its Attempt, so that a request allocates none. It is called
	// concurrently.
	NewAttempt() Attempt
}

// Attempt decides about one request, from its arrival to its last byte. It
// keeps what the Policy must know until then.
type Attempt interface {
	// Admit returns where r goes, or refuses it: a *Refusal is the answer, with
	// the target's revision if it names one, and any other error becomes a
	// 502. It may block while r.Context lives.
	Admit(r *Request) (Target, error)
	// Elsewhere returns another target, or the same again, after no connection
	// to r.Target could be made. A *Refusal is the answer, as of Admit; any
	// other error means that there is no other target, and the answer says why
	// the last one failed. The Path stays the first target's. It may block like
	// Admit.
	Elsewhere(r *Request) (Target, error)
	// Done ends r after its last byte. It is called once for every request, also
	// for one that was never admitted. The Attempt is reused after it.
	Done(r *Request)
}

// ErrNowhere means that there is no other target.
var ErrNowhere = errors.New("there is no other target")

// Target is the server that a request is sent to.
type Target struct {
	Addr     string        // host:port
	Path     string        // replaces the request's path and query, if not empty
	Revision string        // the value of RevisionHeader; empty: keep the target's header
	Timeout  time.Duration // for the start of the response; zero: DefaultTimeout
}

// DefaultTimeout is how long a response may take to begin.
const DefaultTimeout = 300 * time.Second

func (t Target) timeout() time.Duration {
	if t.Timeout > 0 {
		return t.Timeout
	}
	return DefaultTimeout
}

// Request describes a request and, once it ended, its response. It is valid until
// Done returns.
type Request struct {
	Method   string
	Host     string
	Path     string    // as sent, query included
	Protocol string    // HTTP/1.1, HTTP/1.0 or HTTP/2.0
	Remote   string    // the client's IP address
	Inside   bool      // it arrived through Config.Inside
	Start    time.Time // when its body, or the first part of a large one, was read

	Target Target // the last one tried
	Status int    // of the response, or what a gRPC status stands for; StatusClientGone if the client left before
	Sent   int64  // bytes of the response's body
	Err    error  // why the request failed; nil: it did not

	header  func(name string) string
	context func() context.Context
}

// StatusClientGone is the status of a request whose client left, as nginx
// reports it.
const StatusClientGone = 499

// Header returns the first value of a header, named in canonical form.
func (r *Request) Header(name string) string { return r.header(name) }

// GRPC reports whether r is a gRPC call.
func (r *Request) GRPC() bool { return r.Protocol == "HTTP/2.0" && isGRPC(r.Header("Content-Type")) }

// Context ends when the client leaves or the server must stop. Call it only to
// wait: it starts a goroutine that watches the client.
func (r *Request) Context() context.Context { return r.context() }

// idempotent reports whether a request may be sent twice: RFC 9110, 9.2.2.
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}
