// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/local/bucket"
	"github.com/serin-dev/serin/internal/local/models"
	"github.com/serin-dev/serin/internal/testkit/kubetest"
)

const (
	namespace = "default"
	service   = "iris"
)

var modelURI = "gs://" + filepath.Dir(models.First)

// home is a running `serin up` and a user's access to it.
type home struct {
	*kubetest.Server
	client  kubernetes.Interface
	objects dynamic.Interface
}

// start runs `serin up` with further flags in a new directory, with a store of
// models.
func start(ctx context.Context, bin string, flags []string) (*home, error) {
	bucket, err := bucket.Start(ctx, models.Bucket())
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Setenv("SERIN_BIN", bin), os.Setenv("STORAGE_EMULATOR_HOST", bucket)); err != nil {
		return nil, err
	}
	h := &home{}
	if h.Server, err = kubetest.Start(ctx, flags...); err != nil {
		return nil, err
	}
	h.client, err = kubernetes.NewForConfig(h.REST)
	if err == nil {
		h.objects, err = dynamic.NewForConfig(h.REST)
	}
	if err != nil {
		return nil, errors.Join(err, h.Stop())
	}
	time.Sleep(5 * time.Second) // let it settle
	return h, nil
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
