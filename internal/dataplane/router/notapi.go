// SPDX-License-Identifier: Apache-2.0

package router

import (
	"net"
	"net/http"
	"regexp"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
)

// kubectl without a kubeconfig connects to localhost:8080, which on a laptop is the
// router. kubectl shows the text of a 406 response unchanged; it reads a 404 as an API
// server without the resource.
var (
	notAPI = &proxy.Refusal{
		Status: http.StatusNotAcceptable,
		Text:   "this is not the API: export KUBECONFIG=... as 'serin up' shows it, or use 'serin kubectl'. Here models answer",
		Plain:  true,
	}
	apiPath = regexp.MustCompile(`^/(api|apis|version|openapi/v[23])(/|\?|$)`)
)

// isForAPI reports whether a request that no service matches was meant for the API
// server.
func isForAPI(req *proxy.Request) bool {
	host, _, err := net.SplitHostPort(req.Host)
	if err != nil {
		host = req.Host
	}
	return (host == "localhost" || host == "127.0.0.1") && apiPath.MatchString(req.Path)
}
