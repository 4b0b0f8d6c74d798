// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// belongs reports whether an object with the label of a service is the service's
// own, or was left by a deleted service of the same name (kubectl delete
// --cascade=orphan) and is to be adopted.
func belongs(o client.Object, s *v1beta1.InferenceService) bool {
	owner := metav1.GetControllerOf(o)
	return owner == nil || owner.UID == s.UID
}

// named reports whether an object has the name that Serin gives it. Under another
// name it is a user's: kubectl expose, for one, copies labels.
func named(o client.Object, s *v1beta1.InferenceService) bool {
	revision, owned := o.GetLabels()[v1beta1.LabelRevision], metav1.GetControllerOf(o) != nil
	switch o := o.(type) {
	case *appsv1.Deployment:
		return o.Name == v1beta1.DeploymentName(revision)
	case *corev1.ConfigMap:
		// Users give all of their objects the label of a service (kustomize's commonLabels).
		return o.Name == v1beta1.Predictor.ModelsName(s.Name) && (owned || o.Labels[v1beta1.LabelComponent] == string(v1beta1.Predictor))
	case *corev1.Service:
		if revision != "" {
			return o.Name == revision
		}
		return (o.Name == s.Name || o.Name == v1beta1.Predictor.AddressName(s.Name)) && (owned || o.Spec.Type == corev1.ServiceTypeExternalName)
	}
	return true
}

// inTheWay replaces the API server's error about fields of a new object, if
// somebody else's object has its name.
func (w writer) inTheWay(ctx context.Context, ac runtime.ApplyConfiguration, err error) error {
	if !apierrors.IsConflict(err) && !apierrors.IsInvalid(err) {
		return err
	}
	content, wrong := runtime.DefaultUnstructuredConverter.ToUnstructured(ac)
	if wrong != nil {
		return err
	}
	mine := &unstructured.Unstructured{Object: content}
	var there metav1.PartialObjectMetadata
	there.SetGroupVersionKind(mine.GroupVersionKind())
	if w.api.Get(ctx, client.ObjectKeyFromObject(mine), &there) != nil || metav1.GetControllerOf(&there) != nil &&
		metav1.GetControllerOf(&there).UID == metav1.GetControllerOf(mine).UID {
		return err
	}
	return taken(ac, &there)
}

// taken returns the error that another object has an object's name.
func taken(ac runtime.ApplyConfiguration, by client.Object) error {
	whose := "is not Serin's"
	if owner := metav1.GetControllerOf(by); owner != nil && owner.Kind == v1beta1.Kind.Kind {
		whose = "is not as Serin made it for " + owner.Name
	} else if owner != nil {
		whose = fmt.Sprintf("belongs to %s %s", owner.Kind, owner.Name)
	}
	return fmt.Errorf("%s exists and %s: delete it, or give this service another name", describe(ac), whose)
}
