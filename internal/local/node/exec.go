// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// setting is what every process of a container gets: its first one, and those of probes, hooks
// and kubectl exec.
type setting struct {
	env    []string // with the marker of the container
	dir    string
	mounts mounts
	limits limits
	fork   *forker // starts them
}

// command is a further process of the container. Unlike its first program, it may be found in PATH.
func (s setting) command(argv []string) (cmd command, err error) {
	argv = s.mounts.rewriteAll(argv)
	if len(argv) == 0 {
		return cmd, fmt.Errorf("no command")
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return cmd, err
	}
	return command{&exec.Cmd{Path: path, Args: argv, Env: s.env, Dir: s.dir}, s.limits}, nil
}

// exec runs cmd to its end; when ctx ends first, it is killed with all it started.
func (f *forker) exec(ctx context.Context, cmd command) error {
	cmd.WaitDelay = time.Second
	if err := f.start(cmd); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { killGroup(cmd.Process.Pid) })
	defer stop()
	// A background process that still holds the output is no failure of the command.
	if err := cmd.Wait(); !errors.Is(err, exec.ErrWaitDelay) {
		return err
	}
	return nil
}

// output runs argv and returns the beginning of its output.
func (s setting) output(ctx context.Context, argv []string) (string, error) {
	cmd, err := s.command(argv)
	if err != nil {
		return "", err
	}
	var out head
	cmd.Stdout, cmd.Stderr = &out, &out
	err = s.fork.exec(ctx, cmd)
	if ctx.Err() != nil {
		err = fmt.Errorf("timed out: %w", ctx.Err())
	}
	return strings.TrimSpace(string(out)), err
}

// head keeps the first bytes written to it, enough for an event.
type head []byte

func (h *head) Write(p []byte) (int, error) {
	*h = append(*h, p[:min(len(p), 1024-len(*h))]...)
	return len(p), nil
}
