// SPDX-License-Identifier: Apache-2.0

// Package v1beta1 is the InferenceService API: KServe's group, version, names
// and field meanings, so that manifests, kubectl and the KServe SDK work
// unchanged. It holds types and the reading of them (legacy predictor forms,
// names, labels); it decides nothing and talks to nobody.
//
// What KServe knows and Serin does not do yet is declared and rejected by a
// CEL rule with a sentence, never ignored.
//
// +kubebuilder:object:generate=true
// +groupName=serving.kserve.io
package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion names this API.
var GroupVersion = schema.GroupVersion{Group: "serving.kserve.io", Version: "v1beta1"}

// Resource is the plural that REST paths and informers use.
var Resource = GroupVersion.WithResource("inferenceservices")

// Kind is the group, version and kind of an InferenceService.
var Kind = GroupVersion.WithKind("InferenceService")

// AddToScheme registers the types of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &InferenceService{}, &InferenceServiceList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
