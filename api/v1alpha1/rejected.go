// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// InferenceGraph is a kind of KServe that Serin knows and rejects, so that its
// users get a sentence.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=inferencegraphs,shortName=ig
type InferenceGraph struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Rejected: does not work in Serin yet.
	// +required
	// +kubebuilder:validation:XValidation:rule="false",message="Serin has no InferenceGraph yet: call the InferenceServices one after the other from your client, or from a service of your own"
	Spec Unsupported `json:"spec"`
	// Empty.
	// +optional
	Status *Unsupported `json:"status,omitempty"`
}

// TrainedModel is a kind of KServe that Serin knows and rejects, so that its
// users get a sentence.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=trainedmodels,shortName=tm
type TrainedModel struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Rejected: one server serves one model.
	// +required
	// +kubebuilder:validation:XValidation:rule="false",message="Serin has no TrainedModel, for one server serves one model: write an InferenceService for each model"
	Spec Unsupported `json:"spec"`
	// Empty.
	// +optional
	Status *Unsupported `json:"status,omitempty"`
}

// LocalModelCache is a kind of KServe that Serin knows and rejects, so that its
// users get a sentence.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=localmodelcaches,scope=Cluster
type LocalModelCache struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Rejected: nodes keep what they fetched.
	// +required
	// +kubebuilder:validation:XValidation:rule="false",message="Serin has no LocalModelCache: write the storageUri into the InferenceService, and let nodes keep the models that they fetched (serin install --model-cache)"
	Spec Unsupported `json:"spec"`
	// Empty.
	// +optional
	Status *Unsupported `json:"status,omitempty"`
}

// LocalModelNamespaceCache is a kind of KServe that Serin knows and rejects, so that its
// users get a sentence.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=localmodelnamespacecaches
type LocalModelNamespaceCache struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Rejected: nodes keep what they fetched.
	// +required
	// +kubebuilder:validation:XValidation:rule="false",message="Serin has no LocalModelNamespaceCache: write the storageUri into the InferenceService, and let nodes keep the models that they fetched (serin install --model-cache)"
	Spec Unsupported `json:"spec"`
	// Empty.
	// +optional
	Status *Unsupported `json:"status,omitempty"`
}

// LocalModelNodeGroup is a kind of KServe that Serin knows and rejects, so that its
// users get a sentence.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=localmodelnodegroups,scope=Cluster
type LocalModelNodeGroup struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Rejected: nodes keep what they fetched.
	// +required
	// +kubebuilder:validation:XValidation:rule="false",message="Serin has no LocalModelNodeGroup: each node may keep the models that it fetched (serin install --model-cache)"
	Spec Unsupported `json:"spec"`
	// Empty.
	// +optional
	Status *Unsupported `json:"status,omitempty"`
}
