// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// httpClient is the client for gs:// and http(s)://. All its waits are bounded.
var httpClient = &http.Client{Transport: newTransport(), CheckRedirect: checkRedirect}

func newTransport() *guard {
	t := http.DefaultTransport.(*http.Transport).Clone()
	tune(t)
	return newGuard(t, isPublic)
}

func tune(t *http.Transport) {
	t.DialContext = dialer().DialContext
	t.TLSHandshakeTimeout = 10 * time.Second
	t.ResponseHeaderTimeout = 30 * time.Second
	t.MaxIdleConnsPerHost = parallel
	t.DisableCompression = true // sizes and checksums are those of the bytes sent
}

// checkRedirect refuses circles and redirects away from https. It removes headers that are meant for
// one host from a request to another.
func checkRedirect(req *http.Request, via []*http.Request) error {
	from := via[0].URL
	switch {
	case len(via) >= 10:
		return permanent(displayed(from), "the server redirects in circles")
	case via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https":
		return permanent(displayed(from), "the server redirects from https to "+req.URL.Scheme+", which is not safe")
	}
	req.Header.Del("Referer") // a signed URL is a secret
	if req.URL.Host != from.Host {
		for name := range hostHeaders(from.Hostname()) {
			req.Header.Del(name)
		}
	}
	return nil
}

// httpSource is one file on a web server.
type httpSource struct{ url *url.URL }

func (s httpSource) String() string { return displayed(s.url) }

// displayed returns u without the parts that may be secret.
func displayed(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

type statusError struct{ code int }

func (e *statusError) Error() string { return fmt.Sprintf("status %d", e.code) }

// list requests the first byte and not the headers alone, because signed URLs refuse HEAD.
func (s httpSource) list(ctx context.Context) ([]object, error) {
	resp, err := s.get(ctx, http.Header{"Range": {"bytes=0-0"}})
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	o := object{size: -1, label: s.String(), id: s.url.String()}
	switch resp.StatusCode {
	case http.StatusOK:
		o.size = resp.ContentLength
	case http.StatusPartialContent:
		_, total, _ := strings.Cut(resp.Header.Get("Content-Range"), "/")
		if n, err := strconv.ParseInt(total, 10, 64); err == nil {
			o.size = n
		}
	case http.StatusRequestedRangeNotSatisfiable: // an empty file has no first byte
		o.size = 0
	case http.StatusNotFound, http.StatusGone:
		return nil, permanent(s.String(), fmt.Sprintf("no such model: %s has nothing at this address (%d)", s.url.Host, resp.StatusCode))
	default:
		return nil, &statusError{resp.StatusCode}
	}
	if err := s.describe(resp.Header, &o); err != nil {
		return nil, err
	}
	o.open = func(ctx context.Context, offset int64) (io.ReadCloser, error) { return s.open(ctx, o.version, offset) }
	return []object{o}, nil
}

// describe reads name, version and kind of the file from the headers of an answer.
func (s httpSource) describe(h http.Header, o *object) error {
	_, params, _ := mime.ParseMediaType(h.Get("Content-Disposition"))
	o.name = path.Base(filepath.ToSlash(params["filename"]))
	if o.name == "." || o.name == "/" {
		o.name = path.Base(s.url.Path)
	}
	if _, ok := below("", o.name); !ok || strings.Contains(o.name, "/") {
		o.name = "model"
	}
	media, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	if ext := path.Ext(o.name); media == "text/html" && ext != ".html" && ext != ".htm" {
		return permanent(s.String(), "the server answers with a web page, not with a model file")
	}
	if o.archive = archiveOf(o.name); o.archive == noArchive && path.Ext(o.name) == "" {
		o.archive = archiveMedia[media]
	}
	etag := h.Get("Etag")
	o.version, o.resumable = etag, etag != "" && !strings.HasPrefix(etag, "W/")
	if modified := h.Get("Last-Modified"); etag == "" && modified != "" {
		o.version = modified
	}
	return nil
}

func (s httpSource) open(ctx context.Context, version string, offset int64) (io.ReadCloser, error) {
	h := http.Header{}
	if offset > 0 {
		h.Set("Range", fmt.Sprintf("bytes=%d-", offset))
		h.Set("If-Range", version)
	}
	resp, err := s.get(ctx, h)
	if err != nil {
		return nil, err
	}
	switch {
	case offset > 0 && resp.StatusCode == http.StatusOK:
		err = permanent(s.String(), changed)
	case offset == 0 && resp.StatusCode == http.StatusOK, offset > 0 && resp.StatusCode == http.StatusPartialContent:
		return resp.Body, nil
	default:
		err = &statusError{resp.StatusCode}
	}
	return nil, errors.Join(err, resp.Body.Close())
}

func (s httpSource) get(ctx context.Context, h http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header = h
	for name, value := range hostHeaders(s.url.Hostname()) {
		req.Header.Set(name, value)
	}
	return httpClient.Do(req)
}

// hostHeaders are the headers that KServe's https secrets give for a host, in the variable {host}-headers.
func hostHeaders(host string) map[string]string {
	var headers map[string]string
	if err := json.Unmarshal([]byte(os.Getenv(host+"-headers")), &headers); err != nil {
		return nil
	}
	return headers
}
