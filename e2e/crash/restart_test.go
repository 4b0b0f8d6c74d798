// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/serin-dev/serin/internal/testkit/eventually"
	"github.com/serin-dev/serin/internal/testkit/kubetest"
)

// A canary is promoted in ten steps. In each, serin-controller is killed just
// when it has something to do, and started again.
func TestAKilledControllerCostsNoRequest(t *testing.T) {
	c := startCluster(t)
	namespace := c.newNamespace(t)
	const first, second = "model", "model-2"
	kill := c.startController(t)
	c.apply(t, namespace, "", model(first, 100))
	c.await(t, namespace, "100 00001")
	c.askOften(t, namespace)
	for percent := 10; percent <= 100; percent += 10 {
		c.apply(t, namespace, "", model(second, percent))
		kill()
		kill = c.startController(t)
		want := fmt.Sprintf("%d 00002, %d 00001", percent, 100-percent)
		if percent == 100 {
			want = "100 00002"
		}
		c.await(t, namespace, want)
	}
}

func model(name string, percent int) string {
	return fmt.Sprintf(`{canaryTrafficPercent: %d, model: {modelFormat: {name: sklearn}, storageUri: "gs://kfserving-examples/models/sklearn/1.0/%s"}}`, percent, name)
}

// await waits until the service is Ready with this traffic.
func (c cluster) await(t *testing.T, namespace, traffic string) {
	t.Helper()
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		_, unsettled := c.look(ctx, namespace, traffic)
		return unsettled, unsettled == ""
	})
}

// startController starts the program as a developer does beside `serin up`.
func (c cluster) startController(t *testing.T) (kill func()) {
	t.Helper()
	programs, err := kubetest.Programs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := exec.CommandContext(t.Context(), filepath.Join(programs, "serin-controller"), // ends with the test at the latest
		"--kubeconfig", c.Kubeconfig, "--model-cache", filepath.Join(c.Dir, "models"), "--log-level", "warn")
	p.Stderr = os.Stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		_ = p.Process.Kill()
		_ = p.Wait()
	}
}
