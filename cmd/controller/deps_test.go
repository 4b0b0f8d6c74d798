// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The controller needs a client of Kubernetes and nothing more of it, and none
// of the data plane.
func TestLinksNoServerOfKubernetes(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		for _, unwanted := range []string{
			"k8s.io/kubernetes/", "k8s.io/apiserver/", "go.etcd.io/", "github.com/valyala/fasthttp", "gocloud.dev",
			"github.com/serin-dev/serin/internal/dataplane/proxy", "github.com/serin-dev/serin/internal/dataplane/router",
		} {
			if strings.HasPrefix(dep, unwanted) {
				t.Errorf("links %s", dep)
			}
		}
	}
}
