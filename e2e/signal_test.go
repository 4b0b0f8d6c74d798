// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/serin-dev/serin/internal/testkit/eventually"
	"github.com/serin-dev/serin/internal/testkit/kubetest"
)

var moments = flag.Int("moments", 6, "at how many moments of its start TestSignalWhileStarting ends serin up")

// SIGTERM at any moment of its start makes serin up end with the exit status of a
// signal or with 0, and without a process left. Then it starts again.
func TestSignalWhileStarting(t *testing.T) {
	if os.Getenv(kubeconfigVariable) != "" {
		t.Skip("it is about `serin up`, not about a cluster")
	}
	bin, err := kubetest.Programs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	serin := func() (*exec.Cmd, *bytes.Buffer) {
		var said bytes.Buffer
		c := exec.CommandContext(t.Context(), filepath.Join(bin, "serin"), "up", "--data-dir", dir, "--api-port=0", "--router-port=0")
		c.Stdout, c.Stderr = &said, &said
		return c, &said
	}
	took := startTime(t, serin)
	for n := range *moments {
		// From the first instruction to a little after it is up.
		moment := took * 11 / 10 * time.Duration(n) / time.Duration(max(1, *moments-1))
		c, said := serin()
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		<-time.After(moment)
		asked := time.Now()
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatalf("it ended after %s by itself: %v\n%s", moment, err, said)
		}
		late := time.AfterFunc(downTimeout, func() { _ = c.Process.Signal(syscall.SIGQUIT) })
		err := c.Wait()
		late.Stop()
		state, ok := c.ProcessState.Sys().(syscall.WaitStatus)
		if !ok || state != 0 && (!state.Signaled() || state.Signal() != syscall.SIGTERM) { // shells call that 143
			t.Errorf("SIGTERM after %s: %v\n%.3000s", moment, err, said)
		}
		eventually.Holds(t, func(ctx context.Context) (any, bool) { left := processesOf(t, dir); return left, len(left) == 0 })
		t.Logf("SIGTERM after %s: exit %v, %s later", moment.Round(time.Millisecond), c.ProcessState, time.Since(asked).Round(time.Millisecond))
	}
	startTime(t, serin)
}

// startTime starts Serin, waits until it is up, stops it, and returns how long the start took.
func startTime(t *testing.T, serin func() (*exec.Cmd, *bytes.Buffer)) time.Duration {
	t.Helper()
	c, _ := serin()
	c.Stdout = nil
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	buffer := make([]byte, 4096)
	for !strings.Contains(said.String(), "serin is up") {
		n, err := out.Read(buffer)
		said.Write(buffer[:n])
		if err != nil {
			t.Fatalf("it did not come up: %v\n%s", errors.Join(err, c.Wait()), said.String())
		}
	}
	took := time.Since(begin)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("it did not end well: %v", err)
	}
	return took
}

// processesOf lists the processes that have a directory in their arguments or
// their environment.
func processesOf(t *testing.T, dir string) (found []string) {
	t.Helper()
	for _, file := range []string{"cmdline", "environ"} {
		names, err := filepath.Glob("/proc/[0-9]*/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if content, err := os.ReadFile(name); err == nil && bytes.Contains(content, []byte(dir)) {
				found = append(found, name+": "+strings.ReplaceAll(string(content), "\x00", " "))
			}
		}
	}
	return found
}
