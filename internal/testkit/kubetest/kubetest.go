// SPDX-License-Identifier: Apache-2.0

// Package kubetest gives tests a real Kubernetes API: it runs `serin up` as a
// child process. A test then links no Kubernetes, which takes the linker and the
// race detector minutes.
package kubetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	startTimeout = 3 * time.Minute // a very busy machine takes ten times as long as usual
	stopTimeout  = 20 * time.Second
)

// Server is a running `serin up`.
type Server struct {
	// REST connects as an administrator, unthrottled.
	REST *rest.Config
	// Dir is its data directory, Kubeconfig the file in it.
	Dir, Kubeconfig string
	// Router is the host and port of the router, Inside those of its entrance for
	// private services; empty if it is left out.
	Router, Inside string

	process *os.Process
	ended   chan error
}

// Start runs `serin up` with further flags, in a temporary directory and on free
// ports, and returns when it is up. It ends with this process, even after a kill.
func Start(ctx context.Context, flags ...string) (s *Server, err error) {
	programs, err := Programs(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "serin-test-")
	if err != nil {
		return nil, err
	}
	s = &Server{Dir: dir, ended: make(chan error, 1)}
	cmd := exec.Command(filepath.Join(programs, "serin"), append([]string{"up", "--data-dir", dir, "--api-port=0", "--router-port=0"}, flags...)...) //nolint:noctx // Stop ends it
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.run(cmd); err != nil {
		return nil, errors.Join(fmt.Errorf("start serin: %w", err), os.RemoveAll(dir))
	}
	watchdog := time.AfterFunc(startTimeout, func() { _ = s.process.Kill() })
	defer watchdog.Stop()
	said, err := s.awaitHints(out)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("serin up: %w; it said:\n%s", err, said), s.Stop())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the program
	if s.REST, err = clientcmd.BuildConfigFromFlags("", s.Kubeconfig); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	s.REST.QPS = -1
	return s, nil
}

// run starts the program on a thread of its own, which it keeps until the program
// ends: the parent-death signal is sent when the starting thread ends.
func (s *Server) run(cmd *exec.Cmd) error {
	dieWithParent(cmd)
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		s.process = cmd.Process
		started <- err
		if err == nil {
			state, err := cmd.Process.Wait() // not cmd's: that would close the pipe early
			if err == nil && !state.Success() {
				err = fmt.Errorf("the program ended with %s", state)
			}
			s.ended <- err
		}
	}()
	return <-started
}

var exported = regexp.MustCompile(`(KUBECONFIG|INGRESS_HOST|INGRESS_PORT|INSIDE_PORT)=(\S+)`)

// awaitHints reads the output of the program until it is up.
func (s *Server) awaitHints(out io.Reader) (said string, err error) {
	values := map[string]string{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said += lines.Text() + "\n"
		for _, m := range exported.FindAllStringSubmatch(lines.Text(), -1) {
			values[m[1]] = m[2]
		}
		if strings.Contains(lines.Text(), "Ctrl-C stops") {
			s.Kubeconfig = values["KUBECONFIG"]
			if host, ok := values["INGRESS_HOST"]; ok {
				s.Router, s.Inside = host+":"+values["INGRESS_PORT"], host+":"+values["INSIDE_PORT"]
			}
			return said, nil
		}
	}
	return said, errors.New("it is not up")
}

// Stop ends the program as Ctrl-C does, and removes its directory.
func (s *Server) Stop() error {
	_ = s.process.Signal(os.Interrupt) // it may have ended already
	watchdog := time.AfterFunc(stopTimeout, func() { _ = s.process.Kill() })
	defer watchdog.Stop()
	return errors.Join(<-s.ended, os.RemoveAll(s.Dir))
}
