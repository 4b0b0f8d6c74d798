// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The router needs a client of Kubernetes and nothing more of it.
func TestLinksOnlyAClientOfKubernetes(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		for _, unwanted := range []string{"k8s.io/kubernetes/", "k8s.io/apiserver/", "sigs.k8s.io/controller-runtime", "go.etcd.io/"} {
			if strings.HasPrefix(dep, unwanted) {
				t.Errorf("links %s", dep)
			}
		}
	}
}
