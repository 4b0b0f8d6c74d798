// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/serin-dev/serin/api/v1beta1"
)

// mark writes the ConfigMap that makes `serin install` refuse this API, because
// it has a controller or a router already, in this process. If both are left
// out it deletes the ConfigMap: developers may install these parts.
func (c Config) mark(ctx context.Context, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	maps := client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	if !c.has(Controller) && !c.has(Router) {
		if err := maps.Delete(ctx, v1beta1.UpName, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete the mark of serin up: %w", err)
		}
		return nil
	}
	mark := corev1ac.ConfigMap(v1beta1.UpName, metav1.NamespaceSystem).WithData(map[string]string{"parts": strings.Join(c.parts(), ",")})
	err = wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, serveTimeout, true, func(ctx context.Context) (bool, error) {
		_, err := maps.Apply(ctx, mark, metav1.ApplyOptions{FieldManager: "serin-up", Force: true})
		if apierrors.IsNotFound(err) { // the API server is about to make the namespace
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return fmt.Errorf("mark the API as one of serin up: %w", err)
	}
	return nil
}
