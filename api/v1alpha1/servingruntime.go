// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ServingRuntime serves model formats in its own namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=servingruntimes
// +kubebuilder:printcolumn:name="Disabled",type="boolean",JSONPath=".spec.disabled"
// +kubebuilder:printcolumn:name="ModelType",type="string",JSONPath=".spec.supportedModelFormats[*].name"
// +kubebuilder:printcolumn:name="Containers",type="string",JSONPath=".spec.containers[*].name"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp"
type ServingRuntime struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Which formats it serves, and with which containers.
	// +required
	Spec ServingRuntimeSpec `json:"spec"`
}

// ServingRuntimeList is a list of ServingRuntimes.
//
// +kubebuilder:object:root=true
type ServingRuntimeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ServingRuntime `json:"items"`
}

// ClusterServingRuntime serves model formats in every namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=clusterservingruntimes,scope=Cluster
// +kubebuilder:printcolumn:name="Disabled",type="boolean",JSONPath=".spec.disabled"
// +kubebuilder:printcolumn:name="ModelType",type="string",JSONPath=".spec.supportedModelFormats[*].name"
// +kubebuilder:printcolumn:name="Containers",type="string",JSONPath=".spec.containers[*].name"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp"
type ClusterServingRuntime struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Which formats it serves, and with which containers.
	// +required
	Spec ServingRuntimeSpec `json:"spec"`
}

// ClusterServingRuntimeList is a list of ClusterServingRuntimes.
//
// +kubebuilder:object:root=true
type ClusterServingRuntimeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterServingRuntime `json:"items"`
}

// ServingRuntimeSpec says which formats a runtime serves, and how.
//
// +kubebuilder:validation:XValidation:rule="!has(self.multiModel) || !self.multiModel",message="multiModel runtimes (ModelMesh) do not work in Serin: use one model per service"
// +kubebuilder:validation:XValidation:rule="!has(self.workerSpec)",message="workerSpec (several nodes per model) does not work in Serin yet: remove it"
// +kubebuilder:validation:XValidation:rule="self.containers.exists_one(c, c.name == 'kserve-container')",message="containers must hold exactly one container named kserve-container"
type ServingRuntimeSpec struct {
	// Formats that this runtime serves.
	// +optional
	// +listType=atomic
	SupportedModelFormats []SupportedModelFormat `json:"supportedModelFormats,omitempty"`
	// Rejected when true: one runtime process serves one model.
	// +optional
	MultiModel *bool `json:"multiModel,omitempty"`
	// True takes the runtime out of every selection.
	// +optional
	Disabled *bool `json:"disabled,omitempty"`
	// Wire protocols: v1, v2, grpc-v1, grpc-v2. Empty means any.
	// +optional
	// +listType=atomic
	ProtocolVersions []string `json:"protocolVersions,omitempty"`
	// Not supported yet; rejected.
	// +optional
	WorkerSpec *Unsupported `json:"workerSpec,omitempty"`

	RuntimePodSpec `json:",inline"`
}

// Unsupported is a KServe field that Serin knows and rejects.
//
// +kubebuilder:pruning:PreserveUnknownFields
// +kubebuilder:validation:Type=object
type Unsupported struct{}

// SupportedModelFormat is a format that a runtime serves.
type SupportedModelFormat struct {
	// Name, such as sklearn.
	// +required
	Name string `json:"name"`
	// Version, compared as a whole string.
	// +optional
	Version *string `json:"version,omitempty"`
	// Whether the runtime is chosen for this format without being named.
	// +optional
	AutoSelect *bool `json:"autoSelect,omitempty"`
	// Higher wins among runtimes of the same protocol.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Priority *int32 `json:"priority,omitempty"`
}

// RuntimePodSpec is the part of a Pod's spec that a runtime may set. Field
// names and meanings are those of Kubernetes.
type RuntimePodSpec struct {
	// +required
	// +kubebuilder:validation:MaxItems=32
	Containers []corev1.Container `json:"containers"`
	// +optional
	Volumes []corev1.Volume `json:"volumes,omitempty"`
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// +optional
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
	// +optional
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	// +optional
	HostIPC bool `json:"hostIPC,omitempty"`
}
