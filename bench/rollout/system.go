// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/local/models"
	"github.com/serin-dev/serin/internal/store"
)

const (
	startTimeout = time.Minute
	stopTimeout  = 20 * time.Second
	// stepTimeout is for a step's traffic to become what was asked for; a
	// revision may have to start for it on a busy machine.
	stepTimeout = 2 * time.Minute
)

// system is a running Serin and a user's access to it.
type system struct {
	dir, bin string
	keep     bool
	up       *program
	router   string // host:port
	services dynamic.ResourceInterface
	clients  kubernetes.Interface
	*follower
	closeAll context.CancelFunc
}

// start runs `serin up` in a new directory, with a store of two models.
func start(ctx context.Context, o options, withoutController bool) (_ *system, err error) {
	s := &system{bin: o.bin, keep: o.keep}
	ctx, s.closeAll = context.WithCancel(ctx)
	if s.dir, err = os.MkdirTemp("", "serin-bench-rollout-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	bucket, err := store.Start(ctx, models.Bucket())
	if err != nil {
		return nil, err
	}
	args := []string{"up", "--data-dir", s.dir, "--api-port=0", "--router-port=0"}
	if o.keep {
		args = append(args, "--log-level=info", "--access-log", filepath.Join(s.dir, "access.log"))
	}
	if withoutController {
		args = append(args, "--without=controller")
	}
	if s.up, err = launch(filepath.Join(s.bin, "serin"), filepath.Join(s.dir, "serin.log"), "STORAGE_EMULATOR_HOST="+bucket, args...); err != nil {
		return nil, err
	}
	if err := s.waitUp(ctx); err != nil {
		return nil, err
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	s.follower = follow(ctx, s.services)
	return s, nil
}

var ingress = regexp.MustCompile(`INGRESS_HOST=(\S+) INGRESS_PORT=(\d+)`)

// waitUp waits until `serin up` says where its router is.
func (s *system) waitUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		out, err := os.ReadFile(s.up.log)
		if err != nil {
			return err
		}
		if m := ingress.FindSubmatch(out); m != nil && bytes.Contains(out, []byte("serin is up")) {
			s.router = string(m[1]) + ":" + string(m[2])
			return nil
		}
		select {
		case err := <-s.up.ended:
			s.up.ended <- err
			return fmt.Errorf("serin up ended: %w; it said:\n%s", err, out)
		case <-ctx.Done():
			return fmt.Errorf("serin is not up after %s; it said:\n%s", startTimeout, out)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// connect makes the clients and the namespace.
func (s *system) connect(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig())
	if err != nil {
		return err
	}
	config.QPS = -1
	services, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	if s.clients, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	s.services = services.Resource(v1beta1.Resource).Namespace(namespace)
	_, err = s.clients.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	return err
}

func (s *system) kubeconfig() string { return filepath.Join(s.dir, "kubeconfig") }

// stop ends everything and removes what is left, unless it is to be kept.
func (s *system) stop() (err error) {
	defer s.closeAll()
	if s.up != nil {
		err = s.up.stop()
	}
	if s.keep {
		fmt.Println("kept:", s.dir)
		return err
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// apply does what `kubectl apply` does with a manifest, and returns its
// generation.
func (s *system) apply(ctx context.Context, m manifest) (int64, error) {
	u := &unstructured.Unstructured{}
	b, err := json.Marshal(m.service())
	if err == nil {
		err = u.UnmarshalJSON(b)
	}
	if err != nil {
		return 0, err
	}
	got, err := s.services.Apply(ctx, service, u, metav1.ApplyOptions{FieldManager: "kubectl", Force: true})
	if err != nil {
		return 0, fmt.Errorf("apply %s: %w", b, err)
	}
	return got.GetGeneration(), nil
}

// pods lists the service's Pods.
func (s *system) pods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := s.clients.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: v1beta1.LabelService + "=" + service})
	if err != nil {
		return nil, fmt.Errorf("list Pods: %w", err)
	}
	return list.Items, nil
}

// program is a running child.
type program struct {
	*exec.Cmd
	log   string
	ended chan error
}

// launch starts a program with one more variable in its environment. Its output
// goes to the end of a file.
func launch(path, log, env string, args ...string) (*program, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &program{Cmd: exec.Command(path, args...), log: log, ended: make(chan error, 1)} //nolint:noctx // it ends in order, not with a context
	p.Stdout, p.Stderr = out, out
	p.Env = append(os.Environ(), env)
	if err := p.Start(); err != nil {
		return nil, err
	}
	go func() { p.ended <- p.Wait() }()
	return p, nil
}

// stop asks the program to end, and insists after a while.
func (p *program) stop() error {
	_ = p.Process.Signal(os.Interrupt) // it may have ended
	select {
	case err := <-p.ended:
		if err != nil {
			out, _ := os.ReadFile(p.log)
			return fmt.Errorf("%s ended with %w; it said:\n%s", filepath.Base(p.Path), err, tail(out, 4000))
		}
		return nil
	case <-time.After(stopTimeout):
		_ = p.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s did not end within %s", filepath.Base(p.Path), stopTimeout)
	}
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }
