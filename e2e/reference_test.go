// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/testkit/golden"
	"github.com/serin-dev/serin/internal/testkit/kubetest"
)

const referenceHead = `# Command line

The help of each ` + "`serin`" + ` command. ` + "`go test ./e2e -run TestCommandReference -update`" + ` generates this
page. The program ` + "`kubectl-serin`" + ` has the commands below ` + "`serin rollout`" + ` too. If it is on the PATH,
` + "`kubectl serin rollout`" + ` works in any cluster that has Serin, with kubectl's own kubeconfig.
`

// TestCommandReference compares docs/reference/cli.md with the programs' help.
func TestCommandReference(t *testing.T) {
	bin, err := kubetest.Programs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	serin := filepath.Join(bin, "serin")
	run := func(args ...string) string {
		c := exec.CommandContext(t.Context(), serin, args...)
		c.Env = []string{"HOME=/home/you"} // no default may depend on where this runs
		out, err := c.Output()
		if err != nil {
			t.Fatalf("serin %s: %v", strings.Join(args, " "), err)
		}
		return string(out)
	}
	var page strings.Builder
	page.WriteString(referenceHead)
	var walk func(path []string)
	walk = func(path []string) {
		name := strings.Join(append([]string{"serin"}, path...), " ")
		help := run(append([]string{"help"}, path...)...)
		fmt.Fprintf(&page, "\n## %s\n\n```text\n%s```\n", name, help)
		if !strings.Contains(help, "Available Commands:") {
			return
		}
		for line := range strings.Lines(run(append(append([]string{"__complete"}, path...), "")...)) {
			if sub, _, is := strings.Cut(line, "\t"); is && sub != "help" {
				walk(append(slices.Clip(path), sub))
			}
		}
	}
	walk(nil)
	golden.File(t, "../docs/reference/cli.md", page.String())
}
