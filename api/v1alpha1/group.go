// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 is KServe's ServingRuntime API: which container serves
// which model format. It holds types only; choosing a runtime is render's job.
//
// +kubebuilder:object:generate=true
// +groupName=serving.kserve.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion names this API.
var GroupVersion = schema.GroupVersion{Group: "serving.kserve.io", Version: "v1alpha1"}

// AddToScheme registers the types of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &ServingRuntime{}, &ServingRuntimeList{}, &ClusterServingRuntime{}, &ClusterServingRuntimeList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
