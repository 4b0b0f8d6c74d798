// SPDX-License-Identifier: Apache-2.0

package render

import (
	"encoding/json"
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/scale"
)

// Revision is one revision of a service's predictor, as it should exist.
type Revision struct {
	Name     string
	Number   int
	Template *Template
	// Scale lies on the Deployment and not on its Pods, which a change must not
	// restart.
	Scale scale.Demand
}

// RevisionObjects are what a revision consists of, to be applied server-side.
// They claim only fields that Serin decides, so spec.replicas is not among them.
type RevisionObjects struct {
	Record     *appsv1ac.ControllerRevisionApplyConfiguration
	Deployment *appsv1ac.DeploymentApplyConfiguration
}

// Objects returns the objects of a revision.
func Objects(isvc *v1beta1.InferenceService, r Revision) RevisionObjects {
	return RevisionObjects{
		Record:     controllerRevision(isvc, r),
		Deployment: deployment(isvc, r),
	}
}

// ReadTemplate returns the Template that a ControllerRevision stores.
func ReadTemplate(cr *appsv1.ControllerRevision) (*Template, error) {
	t := &Template{}
	if err := v1beta1.Decode(cr.Data.Raw, t); err != nil {
		return nil, fmt.Errorf("read the template of revision %s/%s: %w", cr.Namespace, cr.Name, err)
	}
	return t, nil
}

func controllerRevision(isvc *v1beta1.InferenceService, r Revision) *appsv1ac.ControllerRevisionApplyConfiguration {
	return appsv1ac.ControllerRevision(r.Name, isvc.Namespace).
		WithLabels(labels(isvc, r)).
		WithLabels(map[string]string{v1beta1.LabelTemplateHash: r.Template.Hash}).
		WithOwnerReferences(owner(isvc)).
		WithRevision(int64(r.Number)).
		WithData(runtime.RawExtension{Raw: canonical(r.Template)})
}

func deployment(isvc *v1beta1.InferenceService, r Revision) *appsv1ac.DeploymentApplyConfiguration {
	pod := &corev1ac.PodTemplateSpecApplyConfiguration{}
	if err := json.Unmarshal(canonical(r.Template.Pod), pod); err != nil {
		panic(fmt.Sprintf("convert a Pod template to its apply configuration: %v", err))
	}
	pod.WithLabels(labels(isvc, r))
	if r.Template.HoldsModel {
		hold(pod, isvc, r.Name)
	}
	return appsv1ac.Deployment(v1beta1.DeploymentName(r.Name), isvc.Namespace).
		WithLabels(labels(isvc, r)).
		WithAnnotations(r.Scale.Annotations()).
		WithOwnerReferences(owner(isvc)).
		WithSpec(appsv1ac.DeploymentSpec().
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(selector(r))).
			WithProgressDeadlineSeconds(600).
			WithRevisionHistoryLimit(0). // a revision's template never changes
			WithStrategy(appsv1ac.DeploymentStrategy().
				WithType(appsv1.RollingUpdateDeploymentStrategyType).
				WithRollingUpdate(appsv1ac.RollingUpdateDeployment().WithMaxUnavailable(intstr.FromInt32(0)))).
			WithTemplate(pod))
}

// hold tells the Pods' storage-initializer which model they must get. The digest
// is not in the template, which never changes: the kubelet reads it from the
// ConfigMap whenever it starts the container. There is none before the first
// Pod of the revision has fetched the model.
func hold(pod *corev1ac.PodTemplateSpecApplyConfiguration, isvc *v1beta1.InferenceService, revision string) {
	for i := range pod.Spec.InitContainers {
		if c := &pod.Spec.InitContainers[i]; ptr.Deref(c.Name, "") == v1beta1.ContainerFetch {
			c.WithEnv(
				corev1ac.EnvVar().WithName(v1beta1.EnvNamespace).WithValue(isvc.Namespace),
				corev1ac.EnvVar().WithName(v1beta1.EnvService).WithValue(isvc.Name),
				corev1ac.EnvVar().WithName(v1beta1.EnvRevision).WithValue(revision),
				corev1ac.EnvVar().WithName(v1beta1.EnvTerminationLog).WithValue(corev1.TerminationMessagePathDefault),
				corev1ac.EnvVar().WithName(v1beta1.EnvModelDigest).WithValueFrom(corev1ac.EnvVarSource().WithConfigMapKeyRef(
					corev1ac.ConfigMapKeySelector().WithName(v1beta1.Predictor.ModelsName(isvc.Name)).WithKey(revision).WithOptional(true))),
			)
		}
	}
}

// Addresses returns the Services behind a service's names within the cluster,
// {isvc} and {isvc}-predictor: aliases of the router, a host name. It knows
// what is meant by the name that a client calls, so that callers within the
// cluster get the same split as those outside.
func Addresses(isvc *v1beta1.InferenceService, router string) []*corev1ac.ServiceApplyConfiguration {
	var out []*corev1ac.ServiceApplyConfiguration
	for _, name := range []string{isvc.Name, v1beta1.Predictor.AddressName(isvc.Name)} {
		out = append(out, corev1ac.Service(name, isvc.Namespace).
			WithLabels(map[string]string{v1beta1.LabelService: isvc.Name, v1beta1.LabelComponent: string(v1beta1.Predictor)}).
			WithOwnerReferences(owner(isvc)).
			WithSpec(corev1ac.ServiceSpec().
				WithType(corev1.ServiceTypeExternalName).
				WithExternalName(router)))
	}
	return out
}

// Models returns the ConfigMap that tells the Pods of a service's revisions which
// model they must get; see hold.
func Models(isvc *v1beta1.InferenceService, digests map[string]string) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(v1beta1.Predictor.ModelsName(isvc.Name), isvc.Namespace).
		WithLabels(map[string]string{v1beta1.LabelService: isvc.Name, v1beta1.LabelComponent: string(v1beta1.Predictor)}).
		WithOwnerReferences(owner(isvc)).
		WithData(digests)
}

// selector never changes in a revision's life.
func selector(r Revision) map[string]string {
	return map[string]string{v1beta1.LabelRevision: r.Name}
}

func labels(isvc *v1beta1.InferenceService, r Revision) map[string]string {
	l := selector(r)
	maps.Copy(l, map[string]string{
		v1beta1.LabelApp:       r.Name,
		v1beta1.LabelService:   isvc.Name,
		v1beta1.LabelComponent: string(v1beta1.Predictor),
	})
	return l
}

func owner(isvc *v1beta1.InferenceService) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(v1beta1.GroupVersion.String()).
		WithKind(v1beta1.Kind.Kind).
		WithName(isvc.Name).
		WithUID(isvc.UID).
		WithController(true).
		WithBlockOwnerDeletion(true)
}
