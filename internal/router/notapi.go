// SPDX-License-Identifier: Apache-2.0

package router

import (
	"net"
	"net/http"
	"regexp"

	"github.com/serin-dev/serin/internal/proxy"
)

// kubectl without a kubeconfig asks localhost:8080, which on a laptop is the
// router. Of what is no API it shows the text of a 406 alone; a 404 would mean an
// API that lacks something.
var (
	notAPI = &proxy.Refusal{
		Status: http.StatusNotAcceptable,
		Text:   "this is not the API: export KUBECONFIG=... as 'serin up' shows it, or use 'serin kubectl'. Here models answer",
		Plain:  true,
	}
	apiPath = regexp.MustCompile(`^/(api|apis|version|openapi/v[23])(/|\?|$)`)
)

// isForAPI reports whether a request, for which there is no service, is one of
// kubectl's.
func isForAPI(req *proxy.Request) bool {
	host, _, err := net.SplitHostPort(req.Host)
	if err != nil {
		host = req.Host
	}
	return (host == "localhost" || host == "127.0.0.1") && apiPath.MatchString(req.Path)
}
