// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	"k8s.io/kubernetes/pkg/apis/apps/validation"
)

// ValidateDeployment validates a new Deployment as the API server would, with
// its code but without a server. It returns one line per fault.
func ValidateDeployment(d *appsv1.Deployment) ([]string, error) {
	d = d.DeepCopy()
	legacyscheme.Scheme.Default(d)
	var internal apps.Deployment
	if err := legacyscheme.Scheme.Convert(d, &internal, nil); err != nil {
		return nil, fmt.Errorf("convert Deployment %s: %w", d.Name, err)
	}
	var says []string
	for _, err := range validation.ValidateDeployment(&internal, podutil.GetValidationOptionsFromPodTemplate(&internal.Spec.Template, nil)) {
		says = append(says, err.Error())
	}
	return says, nil
}
