// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/serin-dev/serin/internal/local"
)

// hints are what to type next.
func (f *upFlags) hints(c local.Config) string {
	if len(f.without) > 0 {
		return f.developerHints(c)
	}
	return fmt.Sprintf(`
In another terminal:

  export KUBECONFIG=%s
  %s
  kubectl apply -f %s
  kubectl get isvc sklearn-iris --watch
  curl -H "Host: sklearn-iris.default.%s" -d '{"instances": [[6.8, 2.8, 4.8, 1.4]]}' \
    http://${INGRESS_HOST}:${INGRESS_PORT}/v1/models/sklearn-iris:predict

Without kubectl: '%s kubectl' is the real one. Ctrl-C stops everything.
`, f.kubeconfig, ingress(c), local.Example(f.dir), f.domain, os.Args[0])
}

// developerHints are for who runs a part by itself.
func (f *upFlags) developerHints(c local.Config) string {
	lines := []string{"export KUBECONFIG=" + f.kubeconfig}
	if c.Router != nil {
		lines = append(lines, ingress(c))
	}
	if slices.Contains(f.without, local.Controller) {
		command := fmt.Sprintf("%s --kubeconfig %s --domain %s --model-cache %s",
			filepath.Join(filepath.Dir(os.Args[0]), "serin-controller"), f.kubeconfig, f.domain, local.ModelCache(f.dir))
		if c.Metrics != nil {
			command += " --routers " + c.Metrics.Addr().String()
		}
		lines = append(lines, command)
	}
	return fmt.Sprintf(`
Left out: %s. In another terminal:

  %s

Ctrl-C stops everything.
`, strings.Join(f.without, ", "), strings.Join(lines, "\n  "))
}

func ingress(c local.Config) string {
	router := c.Router.Addr().(*net.TCPAddr)
	return fmt.Sprintf("export INGRESS_HOST=%s INGRESS_PORT=%d", router.IP, router.Port)
}
