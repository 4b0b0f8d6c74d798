// SPDX-License-Identifier: Apache-2.0

package local

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/serin-dev/serin/internal/cli"
	"github.com/serin-dev/serin/internal/local/kube"
)

// DefaultDir returns the default data directory of a local Serin.
func DefaultDir() (string, error) {
	if d := os.Getenv("XDG_DATA_HOME"); d != "" {
		return filepath.Join(d, "serin"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the user's data directory: %w; set one with --data-dir", err)
	}
	return filepath.Join(home, ".local", "share", "serin"), nil
}

// Kubeconfig returns the path of the kubeconfig in the data directory dir.
func Kubeconfig(dir string) string { return filepath.Join(dir, "kubeconfig") }

// ModelCache returns the path of the downloaded models in the data directory dir.
func ModelCache(dir string) string { return filepath.Join(dir, "models") }

// lock takes the lock of dir, or returns an error if another process has it. The
// kernel releases the lock of a killed process, so a stale file does no harm.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot use the data directory: %w; choose another with --data-dir", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot write to the data directory: %w; choose another with --data-dir", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		owner, _ := io.ReadAll(io.LimitReader(f, 32))
		_ = f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		return nil, fmt.Errorf("another serin (process %s) is up in %s: stop it, or choose another directory with --data-dir", strings.TrimSpace(string(owner)), dir)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot write to the data directory: %w; choose another with --data-dir", err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// mergeKubeconfig puts the context "serin" into a kubeconfig file and makes it
// the current one. Other clusters in the file stay. Beside the API's address it
// stores that of the router, for `serin rollout watch`.
func mergeKubeconfig(file string, ours []byte, router cli.Endpoints) error {
	add, err := clientcmd.Load(ours)
	if err != nil {
		return fmt.Errorf("read our kubeconfig: %w", err)
	}
	if err := router.AddTo(add.Clusters[kube.Context]); err != nil {
		return fmt.Errorf("note the router in the kubeconfig: %w", err)
	}
	into, err := clientcmd.LoadFromFile(file)
	if errors.Is(err, os.ErrNotExist) {
		into, err = clientcmdapi.NewConfig(), nil
	}
	if err != nil {
		return fmt.Errorf("read kubeconfig %s: %w; repair it, or name another file with --kubeconfig", file, err)
	}
	into.Clusters[kube.Context] = add.Clusters[kube.Context]
	into.AuthInfos[kube.Context] = add.AuthInfos[kube.Context]
	into.Contexts[kube.Context] = add.Contexts[kube.Context]
	into.CurrentContext = kube.Context
	if err := writeKubeconfig(*into, file); err != nil {
		return fmt.Errorf("write kubeconfig: %w; name another file with --kubeconfig", err)
	}
	return nil
}

// writeKubeconfig writes the file atomically: a full disk must not cost the user
// the other clusters in it.
func writeKubeconfig(c clientcmdapi.Config, file string) error {
	content, err := clientcmd.Write(c)
	if err != nil {
		return err
	}
	if to, err := filepath.EvalSymlinks(file); err == nil {
		file = to // a link stays one
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(file, content, 0o600, renameio.WithExistingPermissions())
}
