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
	// Empty, as in KServe.
	// +optional
	Status *ServingRuntimeStatus `json:"status,omitempty"`
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
	// Empty, as in KServe.
	// +optional
	Status *ServingRuntimeStatus `json:"status,omitempty"`
}

// ClusterServingRuntimeList is a list of ClusterServingRuntimes.
//
// +kubebuilder:object:root=true
type ClusterServingRuntimeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterServingRuntime `json:"items"`
}

// ServingRuntimeStatus has no fields, in KServe either.
type ServingRuntimeStatus struct{}

// ServingRuntimeSpec says which formats a runtime serves, and how.
//
// +kubebuilder:validation:XValidation:rule="self.containers.exists_one(c, c.name == 'kserve-container')",message="one of containers must be named kserve-container: it serves the model"
type ServingRuntimeSpec struct {
	// Formats that this runtime serves.
	// +optional
	// +listType=atomic
	SupportedModelFormats []SupportedModelFormat `json:"supportedModelFormats,omitempty"`
	// False, or rejected: one server serves one model.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self",message="multiModel runtimes (ModelMesh) do not work in Serin: set multiModel to false, with a server for one model"
	MultiModel *bool `json:"multiModel,omitempty"`
	// True takes the runtime out of every selection.
	// +optional
	Disabled *bool `json:"disabled,omitempty"`
	// Wire protocols: v1, v2, grpc-v1, grpc-v2. Empty means any.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(p, p in ['v1', 'v2', 'grpc-v1', 'grpc-v2'])",message="protocolVersions must be among v1, v2, grpc-v1 and grpc-v2"
	ProtocolVersions []string `json:"protocolVersions,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="a model spread over several nodes does not work in Serin yet: remove workerSpec"
	WorkerSpec *Unsupported `json:"workerSpec,omitempty"`
	// Rejected: belongs to ModelMesh.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="builtInAdapter belongs to ModelMesh, which Serin does not run: remove it"
	BuiltInAdapter *Unsupported `json:"builtInAdapter,omitempty"`
	// Rejected: belongs to ModelMesh.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="storageHelper belongs to ModelMesh, which Serin does not run: remove it"
	StorageHelper *Unsupported `json:"storageHelper,omitempty"`
	// Rejected: belongs to ModelMesh.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="grpcEndpoint belongs to ModelMesh, which Serin does not run: remove it"
	GRPCMultiModelManagementEndpoint *string `json:"grpcEndpoint,omitempty"`
	// Rejected: belongs to ModelMesh.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="grpcDataEndpoint belongs to ModelMesh, which Serin does not run: remove it; gRPC goes to the port of kserve-container that is named grpc"
	GRPCDataEndpoint *string `json:"grpcDataEndpoint,omitempty"`
	// Rejected: belongs to ModelMesh.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="httpDataEndpoint belongs to ModelMesh, which Serin does not run: remove it; requests go to the first port of kserve-container"
	HTTPDataEndpoint *string `json:"httpDataEndpoint,omitempty"`
	// Rejected: belongs to ModelMesh.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="replicas belongs to ModelMesh, which Serin does not run: set minReplicas in the InferenceService"
	Replicas *int32 `json:"replicas,omitempty"`

	RuntimePodSpec `json:",inline"`
}

// Unsupported is a KServe field that Serin knows and rejects. It accepts
// anything, so that the rule beside it is the only thing to read.
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
	// Higher wins; a runtime without one comes last.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= 1",message="priority must be 1 or more"
	Priority *int32 `json:"priority,omitempty"`
}

// RuntimePodSpec is the part of a Pod's spec that a runtime may set. Field
// names and meanings are those of Kubernetes.
type RuntimePodSpec struct {
	// The container kserve-container, which serves the model, and its company.
	// {{.Name}} and the like in it stand for the service's metadata.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Containers []corev1.Container `json:"containers"`
	// Volumes that the containers mount.
	// +optional
	// +listType=map
	// +listMapKey=name
	Volumes []corev1.Volume `json:"volumes,omitempty"`
	// Labels that a node must have.
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// Rules for the choice of nodes.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// Taints that the Pods tolerate.
	// +optional
	// +listType=atomic
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// Labels for the Pods; those of the service win.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations for the Pods; those of the service win.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
	// Secrets for pulling images.
	// +optional
	// +listType=map
	// +listMapKey=name
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	// Scheduler to use.
	// +optional
	SchedulerName string `json:"schedulerName,omitempty"`
	// Devices and the like that the Pods claim.
	// +optional
	// +listType=map
	// +listMapKey=name
	ResourceClaims []corev1.PodResourceClaim `json:"resourceClaims,omitempty"`
	// Use the node's IPC namespace.
	// +optional
	HostIPC bool `json:"hostIPC,omitempty"`
}
