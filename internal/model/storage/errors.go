// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"golang.org/x/oauth2"
	"google.golang.org/api/googleapi"
)

// Error is a failure explained to the owner of the model.
type Error struct {
	Subject string // what was being fetched or written
	Reason  string // what is wrong, and where possible what to do
	Cause   error  // the technical detail; may be nil, may hold secrets such as signed URLs

	transient bool // the same request may succeed in a moment
}

// Error returns one line: the subject and the reason.
func (e *Error) Error() string {
	return strings.Join(strings.Fields(e.Subject+": "+e.Reason), " ")
}

// Unwrap returns the technical detail.
func (e *Error) Unwrap() error { return e.Cause }

func permanent(subject, reason string) *Error { return &Error{Subject: subject, Reason: reason} }

var (
	errStalled = errors.New("no data arrived for too long")
	errShort   = errors.New("the content ended early")
)

const changed = "the object changed while it was being fetched; the next attempt gets the new one"

// explain turns err into an Error. An unknown error is permanent and keeps its text.
func explain(subject string, err error) error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled):
		return &Error{Subject: subject, Reason: "stopped before the model was complete", Cause: err}
	}
	e = &Error{Subject: subject, Cause: err}
	for _, rule := range []func(*Error) bool{explainDisk, explainStatus, explainNetwork} {
		if rule(e) {
			return e
		}
	}
	return &Error{Subject: subject, Reason: err.Error()}
}

// explainDisk explains errors of local files.
func explainDisk(e *Error) bool {
	at := e.Subject
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(e.Cause, &p):
		at = p.Path
	case errors.As(e.Cause, &l):
		at = l.New
	}
	at, _, _ = strings.Cut(at, "/"+scratch) // the user knows the folder, and not the scratch folder in it
	switch {
	case errors.Is(e.Cause, syscall.ENOSPC), errors.Is(e.Cause, syscall.EDQUOT):
		e.Reason = "the disk is full: no space is left to write " + at
	case errors.Is(e.Cause, syscall.EROFS):
		e.Reason = "cannot write " + at + ": the file system is read-only"
	case errors.Is(e.Cause, fs.ErrPermission):
		e.Reason = "access denied: this user may not use " + at
	default:
		return false
	}
	return true
}

// explainStatus explains the HTTP status of a storage service.
func explainStatus(e *Error) bool {
	code, detail := status(e.Cause)
	switch {
	case code == 0:
		return false
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		e.Reason = "access denied: " + detail
	case code == http.StatusMovedPermanently, detail == "AuthorizationHeaderMalformed":
		e.Reason = "the bucket is in another region: set AWS_DEFAULT_REGION to its region"
	case code == http.StatusNotFound, code == http.StatusPreconditionFailed:
		e.Reason = changed
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		e.Reason, e.transient = fmt.Sprintf("the storage service answered %d %s", code, http.StatusText(code)), true
	default:
		e.Reason = fmt.Sprintf("the storage service answered %d %s: %s", code, http.StatusText(code), detail)
	}
	return true
}

// status finds the HTTP status a storage service answered with, or 0.
func status(err error) (code int, detail string) {
	var g *googleapi.Error
	var s *statusError
	var o *oauth2.RetrieveError
	var a *awshttp.ResponseError
	switch {
	case errors.As(err, &g):
		return g.Code, cmp.Or(g.Message, http.StatusText(g.Code))
	case errors.As(err, &s):
		return s.code, http.StatusText(s.code)
	case errors.As(err, &o):
		return http.StatusUnauthorized, "the default credentials are not accepted: " + o.ErrorDescription
	case errors.As(err, &a):
		code = a.HTTPStatusCode()
		detail = http.StatusText(code)
		if api, ok := errors.AsType[smithy.APIError](err); ok {
			detail = api.ErrorCode()
		}
	}
	return code, detail
}

// explainNetwork explains failures to reach a storage service.
func explainNetwork(e *Error) bool {
	host, hint := "the storage service", ""
	var u *url.Error
	if errors.As(e.Cause, &u) {
		if parsed, err := url.Parse(u.URL); err == nil && parsed.Host != "" {
			host = parsed.Host
		}
		if strings.HasSuffix(host, ".amazonaws.com") {
			hint = noEndpoint
		}
	}
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var op *net.OpError
	var timeout interface{ Timeout() bool }
	e.transient = true
	switch {
	case errors.As(e.Cause, &dns):
		e.Reason, e.transient = fmt.Sprintf("cannot reach %s: its name is not known here%s", host, hint), !dns.IsNotFound
	case errors.As(e.Cause, &cert):
		e.Reason, e.transient = fmt.Sprintf("cannot trust %s: %v", host, cert.Err), false
	case errors.As(e.Cause, &op) && op.Op == "dial":
		e.Reason = fmt.Sprintf("cannot reach %s: %v%s", host, reason(op.Err), hint)
	case errors.Is(e.Cause, errStalled), errors.As(e.Cause, &timeout) && timeout.Timeout():
		e.Reason = fmt.Sprintf("%s does not answer in time", host)
	case u != nil:
		e.Reason = fmt.Sprintf("the connection to %s broke: %v", host, u.Err)
	case op != nil, errors.Is(e.Cause, errShort), errors.Is(e.Cause, io.ErrUnexpectedEOF), errors.Is(e.Cause, io.EOF):
		e.Reason = fmt.Sprintf("the connection to %s broke: %v", host, e.Cause)
	default:
		e.transient = false
		return false
	}
	return true
}

// reason is the innermost text of a dial error, without addresses and system call names.
func reason(err error) error {
	var t interface{ Timeout() bool }
	if errors.As(err, &t) && t.Timeout() {
		return errors.New("no answer")
	}
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		return no
	}
	return err
}
