// SPDX-License-Identifier: Apache-2.0

package router

import (
	"testing"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
)

func TestKubectlRequestGetsNotAcceptable(t *testing.T) {
	for _, tt := range []struct {
		host, path string
		told       bool
	}{
		{"localhost:8080", "/api?timeout=32s", true},
		{"localhost:8080", "/apis", true},
		{"127.0.0.1:9090", "/api/v1/namespaces/default/pods", true},
		{"localhost", "/openapi/v3", true},
		{"localhost:8080", "/version?timeout=32s", true},
		{"localhost:8080", "/apiary", false},
		{"localhost:8080", "/serving/a/iris/api", false},
		{"iris.a.example.com", "/api", false},
	} {
		if got := isForAPI(&proxy.Request{Host: tt.host, Path: tt.path}); got != tt.told {
			t.Errorf("%s%s: %t", tt.host, tt.path, got)
		}
	}
}
