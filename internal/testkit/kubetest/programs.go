// SPDX-License-Identifier: Apache-2.0

package kubetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Programs returns the directory of serin and its siblings: SERIN_BIN, which make
// sets, or a directory in the user's cache, in which it builds them.
func Programs(ctx context.Context) (string, error) {
	if bin := os.Getenv("SERIN_BIN"); bin != "" {
		return bin, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(cache, "serin-test")
	fmt.Fprintf(os.Stderr, "building serin into %s; set SERIN_BIN to where it is already\n", bin)
	for _, command := range []string{"serin", "etcd", "modelserver", "queue", "fetch", "controller", "kubectl-serin"} {
		to := command
		if !strings.Contains(command, "serin") {
			to = "serin-" + command
		}
		// go build links only programs that have changed.
		build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(bin, to), "github.com/serin-dev/serin/cmd/"+command)
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make builds it, also under the race detector
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", to, err, out)
		}
	}
	return bin, nil
}
