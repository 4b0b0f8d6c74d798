// SPDX-License-Identifier: Apache-2.0

// Package proxy is the HTTP transport that the router and the queue share: it
// moves requests and responses, and asks a Policy where to.
//
// One listener takes HTTP/1.1 and, known by its first bytes, HTTP/2 without
// TLS. An HTTP/1.1 request is read, sent on and answered by the goroutine of
// its connection: heads are checked and written anew without their hop-by-hop
// fields, and bodies are moved as they come, never gathered. Small
// request bodies are read first, so that a slow client takes no place, and the
// request can be sent again when no one has seen it. HTTP/2, and so gRPC, goes through net/http's ReverseProxy
// and stays HTTP/2 on the other side.
//
// Connections are bounded, see connections.go, and those of clients have no
// buffers while they are idle. Else the package refuses to decide anything: no
// routes, no limits on concurrency, no metrics. It retries only what nobody can
// have processed.
package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// RevisionHeader tells the client which revision answered.
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

// ErrNowhere says that there is no other target.
var ErrNowhere = errors.New("there is no other target")

// Target is where a request goes.
type Target struct {
	Addr     string        // host:port
	Path     string        // sent in place of the request's path and query, if not empty
	Revision string        // for RevisionHeader; empty: leave the header alone
	Timeout  time.Duration // until the response begins; zero: DefaultTimeout
}

// DefaultTimeout is how long a response may take to begin.
const DefaultTimeout = 300 * time.Second

func (t Target) timeout() time.Duration {
	if t.Timeout > 0 {
		return t.Timeout
	}
	return DefaultTimeout
}

// Request is what a Policy may know of a request, and at the end of its answer.
// It is valid until Done returns.
type Request struct {
	Method   string
	Host     string
	Path     string    // as sent, query included
	Protocol string    // HTTP/1.1, HTTP/1.0 or HTTP/2.0
	Remote   string    // the client's IP address
	Inside   bool      // it came by Config.Inside
	Start    time.Time // when it was whole, or could not be read first

	Target Target // the last one tried
	Status int    // what the client was told; 499 if it left before
	Sent   int64  // bytes of response body
	Err    error  // why it went wrong, if it did

	header  func(name string) string
	context func() context.Context
}

// StatusClientGone is the status of a request whose client left.
const StatusClientGone = 499

// Header returns the first value of a header, named in canonical form.
func (r *Request) Header(name string) string { return r.header(name) }

// Context ends when the client leaves or the server must stop. Asking for it
// has a cost: do so only to wait.
func (r *Request) Context() context.Context { return r.context() }

// idempotent reports whether sending the request twice is as good as once.
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}
