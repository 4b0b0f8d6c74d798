// SPDX-License-Identifier: Apache-2.0

package router

import (
	"net"
	"net/http"
	"regexp"

	"github.com/serin-dev/serin/internal/proxy"
)

// kubectl without a kubeconfig asks localhost:8080, which on a laptop is the
// router. What it understands is a Status, and no 404: that would mean an API
// that lacks something.
var (
	notAPI = &proxy.Refusal{
		Status: http.StatusMisdirectedRequest,
		Text:   notAPISays,
		Body:   []byte(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"` + notAPISays + `","reason":"BadRequest","code":421}` + "\n"),
	}
	apiPath = regexp.MustCompile(`^/(api|apis|version|openapi/v[23])(/|\?|$)`)
)

const notAPISays = "this is not the API: export KUBECONFIG=... as 'serin up' shows it, or use 'serin kubectl'. Here models answer"

// isForAPI reports whether a request, for which there is no service, is one of
// kubectl's.
func isForAPI(req *proxy.Request) bool {
	host, _, err := net.SplitHostPort(req.Host)
	if err != nil {
		host = req.Host
	}
	return (host == "localhost" || host == "127.0.0.1") && apiPath.MatchString(req.Path)
}
