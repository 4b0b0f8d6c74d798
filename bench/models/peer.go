// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const script = "bench/models/peer.py"

// environmentOfServers returns the folder of the environments of the other servers.
func environmentOfServers(ctx context.Context) (string, error) {
	return environment(ctx, "python", "e2e/python/kserve.txt", "e2e/python/mlserver.txt")
}

// environment returns the folder of virtual environments for lists of packages, which
// it makes if there is none.
func environment(ctx context.Context, name string, lists ...string) (string, error) {
	c := exec.CommandContext(ctx, "tools/python.sh", append([]string{name}, lists...)...)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("make the environment %s: %w", name, err)
	}
	folder := strings.TrimSpace(string(out))
	if folder == "" {
		return "", errors.New("the peers need Python 3.11 or 3.12 with the module venv")
	}
	return folder, nil
}

// libraries is the environment of the libraries, and the models that they made.
type libraries struct {
	python string
	names  []string // of the models
	models string   // their folder
}

// prepare makes the chosen models that are not there yet. Another script makes others.
func prepare(ctx context.Context, python string, chosen func(name string) bool) (*libraries, error) {
	source, err := os.ReadFile(script)
	if err != nil {
		return nil, err
	}
	l := &libraries{
		python: filepath.Join(python, "bin/python"),
		models: filepath.Join(filepath.Dir(python), fmt.Sprintf("models-%.6x", sha256.Sum256(source))),
	}
	out, err := exec.CommandContext(ctx, l.python, script, "names").Output()
	if err != nil {
		return nil, fmt.Errorf("list the models: %w", err)
	}
	l.names = slices.DeleteFunc(strings.Fields(string(out)), func(name string) bool { return !chosen(name) })
	old, err := filepath.Glob(filepath.Join(filepath.Dir(l.models), "models-*"))
	if err != nil {
		return nil, err
	}
	for _, folder := range old {
		if folder != l.models {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}
	if err := errors.Join(err, os.MkdirAll(l.models, 0o700)); err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, l.python, slices.Concat([]string{script, "train", l.models}, l.names)...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("train the models: %w", err)
	}
	return l, nil
}

// library is a process of a library with one model.
type library struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	answers *bufio.Reader
	stderr  bytes.Buffer
}

func (l *libraries) start(ctx context.Context, name string) (*library, error) {
	p := &library{cmd: exec.CommandContext(ctx, l.python, script, "ask", l.models, name)}
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.answers = bufio.NewReader(stdout)
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return p, p.cmd.Start()
}

// turn returns the CPU seconds of a call with so many rows.
func (p *library) turn(rows int, seconds float64) (float64, error) {
	fmt.Fprintln(p.stdin, rows, seconds)
	line, err := p.answers.ReadString('\n')
	if err != nil {
		return 0, errors.Join(err, p.stop())
	}
	return strconv.ParseFloat(strings.TrimSpace(line), 64)
}

func (p *library) stop() error {
	_ = p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, p.stderr.String())
	}
	return nil
}
