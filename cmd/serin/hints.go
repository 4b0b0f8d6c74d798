// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/serin-dev/serin/internal/local"
)

// hints returns what to type next.
func (f *upFlags) hints(c local.Config) string {
	if len(f.without) > 0 {
		return f.developerHints(c)
	}
	return fmt.Sprintf(`
In another terminal:

  export KUBECONFIG=%s
  %s
  kubectl apply -f %s
  kubectl wait --for=condition=Ready isvc/sklearn-iris
  curl -H "Host: sklearn-iris.default.%s" -d '{"instances": [[6.8, 2.8, 4.8, 1.4]]}' \
    http://${INGRESS_HOST}:${INGRESS_PORT}/v1/models/sklearn-iris:predict

Without kubectl: '%s kubectl' is the real one. Ctrl-C stops everything.
`, quoted(f.kubeconfig), ingress(c), quoted(local.Example(f.dir)), f.domain, os.Args[0])
}

// hints are what to type next, in the namespace and with the service that the
// demo has made.
func (d *demo) hints() string {
	self, err := filepath.Abs(os.Args[0])
	if err != nil || !strings.ContainsRune(os.Args[0], filepath.Separator) {
		self = os.Args[0]
	}
	return fmt.Sprintf(`
In another terminal:

  cd %s
  export KUBECONFIG=%s
  export INGRESS_HOST=%s INGRESS_PORT=%d
  %[5]s kubectl get isvc %[6]s -n %[7]s
  %[5]s rollout promote %[6]s -n %[7]s --yes
  %[5]s rollout status %[6]s -n %[7]s
  curl -H "Host: %[8]s" -d @./iris-input.json \
    http://${INGRESS_HOST}:${INGRESS_PORT}%[9]s

Ctrl-C stops everything, and deletes it.
`, quoted(d.dir), quoted(d.kubeconfig), d.router.IP, d.router.Port, quoted(self), demoService, demoNamespace, demoHost(demoService), demoPath)
}

// developerHints are for developers who run a part by itself.
func (f *upFlags) developerHints(c local.Config) string {
	lines := []string{"export KUBECONFIG=" + quoted(f.kubeconfig)}
	if c.Router != nil {
		lines = append(lines, ingress(c))
	}
	if slices.Contains(f.without, local.Controller) {
		command := fmt.Sprintf("%s --kubeconfig %s --domain %s --model-cache %s",
			quoted(filepath.Join(filepath.Dir(os.Args[0]), "serin-controller")), quoted(f.kubeconfig), f.domain, quoted(local.ModelCache(f.dir)))
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

// plain matches text that needs no quotes in a shell.
var plain = regexp.MustCompile(`^[A-Za-z0-9/._+,:@-]+$`)

// quoted quotes a path for a shell, if needed.
func quoted(path string) string {
	if plain.MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

func ingress(c local.Config) string {
	router := c.Router.Addr().(*net.TCPAddr)
	return fmt.Sprintf("export INGRESS_HOST=%s INGRESS_PORT=%d INSIDE_PORT=%d", router.IP, router.Port, c.Inside.Addr().(*net.TCPAddr).Port)
}
