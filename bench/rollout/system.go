// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/local/bucket"
	"github.com/serin-dev/serin/internal/local/models"
	"github.com/serin-dev/serin/internal/testkit/kubetest"
)

const (
	startTimeout = time.Minute
	stopTimeout  = 20 * time.Second
	// stepTimeout bounds how long a step's traffic may take to become what was
	// asked for. On a busy machine a revision may have to start for it.
	stepTimeout = 2 * time.Minute
)

// system is a running Serin and a user's access to it.
type system struct {
	*kubetest.Server
	dir, bin string
	keep     bool
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
	bucket, err := bucket.Start(ctx, models.Bucket())
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Setenv("SERIN_BIN", o.bin), os.Setenv("STORAGE_EMULATOR_HOST", bucket)); err != nil {
		return nil, err
	}
	flags := []string{"--data-dir", s.dir}
	if o.keep {
		flags = append(flags, "--log-level=info", "--access-log", filepath.Join(s.dir, "access.log"))
	}
	if withoutController {
		flags = append(flags, "--without=controller")
	}
	if s.Server, err = kubetest.Start(ctx, flags...); err != nil {
		return nil, err
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	s.follower = follow(ctx, s.services)
	return s, nil
}

// connect makes the clients and the namespace.
func (s *system) connect(ctx context.Context) error {
	services, err := dynamic.NewForConfig(s.REST)
	if err != nil {
		return err
	}
	if s.clients, err = kubernetes.NewForConfig(s.REST); err != nil {
		return err
	}
	s.services = services.Resource(v1beta1.Resource).Namespace(namespace)
	_, err = s.clients.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	return err
}

// stop ends everything and removes what is left, unless it is to be kept.
func (s *system) stop() (err error) {
	defer s.closeAll()
	if s.Server != nil {
		err = s.Stop()
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
