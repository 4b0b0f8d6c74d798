// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The plugin is what people install beside kubectl: it needs a client of
// Kubernetes, and neither Kubernetes nor kubectl itself.
func TestLinksOnlyAClientOfKubernetes(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		for _, unwanted := range []string{
			"k8s.io/kubernetes/", "k8s.io/kubectl/", "k8s.io/cli-runtime/", "k8s.io/apiserver/", "k8s.io/client-go/kubernetes",
			"sigs.k8s.io/controller-runtime", "go.etcd.io/",
		} {
			if strings.HasPrefix(dep, unwanted) && dep != "k8s.io/client-go/kubernetes/scheme" {
				t.Errorf("links %s", dep)
			}
		}
	}
}
