// SPDX-License-Identifier: Apache-2.0

package main

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
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/local/models"
	"github.com/serin-dev/serin/internal/store"
)

const (
	namespace = "default"
	service   = "iris"
)

var modelURI = "gs://" + filepath.Dir(models.First)

// home is a running `serin up` and a user's access to it.
type home struct {
	dir     string
	process *exec.Cmd
	router  string // host:port
	client  kubernetes.Interface
	objects dynamic.Interface
}

var ingress = regexp.MustCompile(`INGRESS_HOST=(\S+) INGRESS_PORT=(\d+)`)

// start runs `serin up` in a new directory, with a store of models.
func start(ctx context.Context, bin, log string) (_ *home, err error) {
	h := &home{}
	if h.dir, err = os.MkdirTemp("", "serin-bench-coldstart-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.stop())
		}
	}()
	bucket, err := store.Start(ctx, models.Bucket())
	if err != nil {
		return nil, err
	}
	h.process = exec.CommandContext(ctx, filepath.Join(bin, "serin"), "up", "--data-dir", h.dir, "--api-port=0", "--router-port=0")
	h.process.Cancel = func() error { return h.process.Process.Signal(os.Interrupt) }
	h.process.Env = append(os.Environ(), "STORAGE_EMULATOR_HOST="+bucket)
	h.process.Stderr = os.Stderr
	if log != "" {
		f, err := os.Create(log)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		h.process.Args = append(h.process.Args, "--log-level=debug")
		h.process.Stderr = f
	}
	out, err := h.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := h.process.Start(); err != nil {
		return nil, err
	}
	for lines := bufio.NewScanner(out); h.router == "" && lines.Scan(); {
		if m := ingress.FindStringSubmatch(lines.Text()); m != nil {
			h.router = m[1] + ":" + m[2]
		}
	}
	if h.router == "" {
		return nil, errors.New("serin up did not come up")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	time.Sleep(5 * time.Second) // let it settle
	return h, h.connect()
}

func (h *home) connect() error {
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(h.dir, "kubeconfig"))
	if err != nil {
		return err
	}
	if h.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	h.objects, err = dynamic.NewForConfig(config)
	return err
}

func (h *home) create(ctx context.Context, s *v1beta1.InferenceService) error {
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(s)
	if err != nil {
		return fmt.Errorf("convert: %w", err)
	}
	unstructured.RemoveNestedField(object, "status")
	_, err = h.objects.Resource(v1beta1.Resource).Namespace(namespace).Create(ctx, &unstructured.Unstructured{Object: object}, metav1.CreateOptions{})
	return err
}

// stop ends everything and removes what is left.
func (h *home) stop() error {
	var err error
	if h.process != nil && h.process.Process != nil {
		err = errors.Join(h.process.Process.Signal(os.Interrupt), h.process.Wait())
	}
	return errors.Join(err, os.RemoveAll(h.dir))
}
