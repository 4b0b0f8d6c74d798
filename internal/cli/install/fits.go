// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
)

// httpRoute is the definition that --gateway requires.
var httpRoute = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"}

// fits returns an error if the cluster cannot take the installation.
func (c *cluster) fits(ctx context.Context, o Options) error {
	if err := c.hereAlone(ctx, o.Namespace); err != nil {
		return err
	}
	if err := c.withoutKServe(ctx); err != nil {
		return err
	}
	if o.Gateway == "" {
		return nil
	}
	err := c.served(ctx, httpRoute, lookTimeout)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("--gateway %s: the cluster has no HTTPRoutes; install the Gateway API's definitions, v1, and its controller first", o.Gateway)
	}
	return err
}

// notLocal refuses the API of `serin up`, which has a controller and a router in
// its own process. It recognises the API by a ConfigMap, so the kubeconfig does
// not matter.
func (c *cluster) notLocal(ctx context.Context) error {
	_, err := c.client.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(metav1.NamespaceSystem).Get(ctx, v1beta1.UpName, metav1.GetOptions{})
	if err != nil {
		return ignoreNotFound(err)
	}
	return errLocal
}

// errLocal is an error of the chart too.
var errLocal = errors.New("this is the API of a 'serin up', which has its own controller and router: nothing was changed. " +
	"Choose the cluster with KUBECONFIG, --kubeconfig or --context")

// hereAlone refuses a namespace when Serin is in another one. The cluster roles
// are bound to the accounts of one namespace, so the other would lose its rights.
func (c *cluster) hereAlone(ctx context.Context, namespace string) error {
	u, err := c.client.Resource(rbacv1.SchemeGroupVersion.WithResource("clusterrolebindings")).Get(ctx, controllerName, metav1.GetOptions{})
	if err != nil {
		return ignoreNotFound(err)
	}
	var b rbacv1.ClusterRoleBinding
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &b); err != nil {
		return err
	}
	for _, s := range b.Subjects {
		if s.Namespace != namespace {
			return fmt.Errorf("this cluster has Serin in namespace %s: use -n %[1]s", s.Namespace)
		}
	}
	return nil
}

// kserveWebhook is the name of KServe's webhook for InferenceServices.
const kserveWebhook = "inferenceservice.serving.kserve.io"

// withoutKServe refuses a cluster in which KServe manages the same kinds. It looks
// for KServe's webhook, because its definitions have the same names as ours.
func (c *cluster) withoutKServe(ctx context.Context) error {
	_, err := c.client.Resource(admissionv1.SchemeGroupVersion.WithResource("validatingwebhookconfigurations")).Get(ctx, kserveWebhook, metav1.GetOptions{})
	if err != nil {
		return ignoreNotFound(err)
	}
	return errors.New("KServe is installed in this cluster, and defines the same kinds: uninstall it first. " +
		"If only its webhook is left, run 'kubectl delete validatingwebhookconfiguration " + kserveWebhook + "'")
}

// inhabited reports whether a namespace holds objects that an uninstallation must
// leave to its users.
func (c *cluster) inhabited(ctx context.Context, namespace string) (bool, error) {
	for _, resource := range []schema.GroupVersionResource{v1beta1.Resource, v1alpha1.GroupVersion.WithResource("servingruntimes")} {
		list, err := c.client.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: 1})
		switch {
		case apierrors.IsNotFound(err): // there is no such kind
		case err != nil:
			return false, fmt.Errorf("list %s: %w", resource.Resource, err)
		case len(list.Items) > 0:
			return true, nil
		}
	}
	return false, nil
}
