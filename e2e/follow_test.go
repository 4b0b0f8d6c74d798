// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// commands matches what serin prints for another terminal, once it is up.
var commands = regexp.MustCompile(`(?s)In another terminal:\n\n(.*?\n)\n.*Ctrl-C stops`)

// follow runs the commands that serin prints for another terminal. It takes them
// from the real output and runs them in one shell, as a user who copies them.
func follow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: follow ARGS")
	}
	log := ts.MkAbs("follow.log")
	out, err := os.Create(log)
	ts.Check(err)
	c := exec.Command(filepath.Join(ts.Getenv("SERIN_BIN"), "serin"), args...)
	c.Args[0] = "serin" // as it is found on the PATH
	c.Dir = ts.Getenv("WORK")
	for _, name := range []string{"PATH", "HOME", "SERIN_DATA_DIR", "STORAGE_EMULATOR_HOST", "TMPDIR"} {
		c.Env = append(c.Env, name+"="+ts.Getenv(name))
	}
	c.Stdout, c.Stderr = out, out
	ts.Check(c.Start())
	ts.Check(out.Close())
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	ts.Defer(func() { _ = c.Process.Kill() })
	script := awaitOutput(ts, log, commands, upTimeout, ended)[1]
	ts.Logf("%s", script)
	shell := exec.Command("sh", "-e", "-x", "-c", script)
	shell.Dir, shell.Env = c.Dir, c.Env
	said, err := shell.CombinedOutput()
	ts.Logf("%s", said)
	if err != nil {
		ts.Fatalf("what serin prints does not work: %v", err)
	}
	if !bytes.Contains(said, []byte(`{"predictions":[`)) {
		ts.Fatalf("no model answered")
	}
	ts.Check(c.Process.Signal(os.Interrupt))
	select {
	case err := <-ended:
		ts.Check(err)
	case <-time.After(downTimeout):
		ts.Fatalf("serin %s still runs after Ctrl-C", args[0])
	}
}
