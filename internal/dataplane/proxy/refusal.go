// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Refusal is an answer of the proxy itself.
type Refusal struct {
	Status     int
	Text       string        // one sentence for the client
	RetryAfter time.Duration // zero: no such header
	Allow      string        // of a 405: the methods that are allowed
	Plain      bool          // as text, not JSON
}

func (r *Refusal) Error() string { return r.Text }

func refusef(status int, format string, args ...any) *Refusal {
	return &Refusal{Status: status, Text: fmt.Sprintf(format, args...)}
}

// refusal converts err to an answer.
func refusal(err error) *Refusal {
	if r := (*Refusal)(nil); errors.As(err, &r) {
		return r
	}
	return refusef(http.StatusBadGateway, "%v", err)
}

// body is the answer's body, in KServe's format for errors.
func (r *Refusal) body() []byte {
	if r.Plain {
		return []byte(r.Text + "\n")
	}
	b, err := json.Marshal(struct {
		Error string `json:"error"`
	}{r.Text})
	if err != nil { // a string always marshals
		return nil
	}
	return append(b, '\n')
}

func (r *Refusal) contentType() string {
	if r.Plain {
		return "text/plain; charset=utf-8"
	}
	return "application/json"
}

// retryAfter is the header's value in seconds, rounded up, or empty.
func (r *Refusal) retryAfter() string {
	if r.RetryAfter <= 0 {
		return ""
	}
	return strconv.Itoa(int((r.RetryAfter + time.Second - 1) / time.Second))
}

// writeTo answers an HTTP/2 request. A gRPC call gets a gRPC status.
func (r *Refusal) writeTo(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	if after := r.retryAfter(); after != "" {
		h.Set("Retry-After", after)
	}
	if r.Allow != "" {
		h.Set("Allow", r.Allow)
	}
	if isGRPC(req.Header.Get("Content-Type")) {
		h.Set("Content-Type", "application/grpc")
		h.Set("Grpc-Status", strconv.Itoa(grpcCode(r.Status)))
		h.Set("Grpc-Message", grpcMessage(r.Text))
		w.WriteHeader(http.StatusOK)
		return
	}
	h.Set("Content-Type", r.contentType())
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.body()) // the client may have left
}

// refuse converts err to an answer and records it in r.
func (s *Server) refuse(r *Request, err error) *Refusal {
	refused := refusal(err)
	r.Status, r.Err = refused.Status, err
	return refused
}

var (
	errClientGone = errors.New("the client left")
	errAborted    = errors.New("the proxy is stopping")
)

// timedOut is the answer if a response does not begin in time.
func timedOut(t Target) *Refusal {
	who := "the service"
	if t.Revision != "" {
		who = "revision " + t.Revision
	}
	return refusef(http.StatusGatewayTimeout, "%s did not answer within %v", who, t.timeout())
}

// nowhere is the answer if no connection to a target can be made and the Attempt has
// no other: the Attempt's Refusal, or unreachable.
func nowhere(t Target, failed, refused error) *Refusal {
	if r := (*Refusal)(nil); errors.As(refused, &r) {
		return r
	}
	return unreachable(t, failed)
}

// unreachable is the answer if no connection can be made.
func unreachable(t Target, err error) *Refusal {
	if t.Revision != "" {
		return refusef(http.StatusBadGateway, "cannot connect to revision %s: %v", t.Revision, err)
	}
	return refusef(http.StatusBadGateway, "cannot connect to the service: %v", err)
}

// broken is the answer if the target closes the connection or sends an invalid
// response.
func broken(t Target, err error) *Refusal {
	if t.Revision != "" {
		return refusef(http.StatusBadGateway, "revision %s ended the connection without a response: %v", t.Revision, err)
	}
	return refusef(http.StatusBadGateway, "the service ended the connection without a response: %v", err)
}
