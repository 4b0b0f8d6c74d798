// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"strings"
	"testing"
)

// serin-modelserver runs in every model's Pod and wakes it from zero: it must start in milliseconds, which Kubernetes
// clients do not.
func TestDependencies(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.FieldsSeq(string(out)) {
		for _, banned := range []string{"k8s.io/", "sigs.k8s.io/", "github.com/spf13/", "gocloud.dev/", "google.golang.org/grpc"} {
			if strings.HasPrefix(pkg, banned) {
				t.Errorf("serin-modelserver links %s", pkg)
			}
		}
	}
}
