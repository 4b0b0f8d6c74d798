// SPDX-License-Identifier: Apache-2.0

package v1beta1

import corev1 "k8s.io/api/core/v1"

// PredictorSpec is a model with its server, or containers of the user's own,
// together with how the component scales and rolls out.
//
// +kubebuilder:validation:XValidation:rule="(has(self.minReplicas) ? self.minReplicas : 1) <= (has(self.maxReplicas) && self.maxReplicas > 0 ? self.maxReplicas : 2147483647)",message="minReplicas must not be more than maxReplicas"
// +kubebuilder:validation:XValidation:rule="!has(self.minReplicas) || self.minReplicas > 0",message="minReplicas: 0 (scale to zero) does not work in Serin yet: use 1 or more"
// +kubebuilder:validation:XValidation:rule="!has(self.logger)",message="predictor.logger does not work in Serin yet: remove it"
// +kubebuilder:validation:XValidation:rule="!has(self.batcher)",message="predictor.batcher does not work in Serin yet: remove it"
// +kubebuilder:validation:XValidation:rule="!has(self.workerSpec)",message="predictor.workerSpec (several nodes per model) does not work in Serin yet: remove it"
// +kubebuilder:validation:XValidation:rule="[has(self.model), has(self.sklearn), has(self.xgboost), has(self.tensorflow), has(self.pytorch), has(self.triton), has(self.onnx), has(self.huggingface), has(self.pmml), has(self.lightgbm), has(self.paddle), has(self.containers)].exists_one(x, x)",message="say exactly one implementation: predictor.model, or predictor.containers, or one legacy form such as predictor.sklearn"
type PredictorSpec struct {
	// The model to serve, its format, place and server.
	// +optional
	Model *ModelSpec `json:"model,omitempty"`

	// Legacy form of model with modelFormat sklearn.
	// +optional
	SKLearn *LegacySpec `json:"sklearn,omitempty"`
	// Legacy form of model with modelFormat xgboost.
	// +optional
	XGBoost *LegacySpec `json:"xgboost,omitempty"`
	// Legacy form of model with modelFormat tensorflow.
	// +optional
	Tensorflow *LegacySpec `json:"tensorflow,omitempty"`
	// Legacy form of model with modelFormat pytorch.
	// +optional
	PyTorch *LegacySpec `json:"pytorch,omitempty"`
	// Legacy form of model with modelFormat triton.
	// +optional
	Triton *LegacySpec `json:"triton,omitempty"`
	// Legacy form of model with modelFormat onnx.
	// +optional
	ONNX *LegacySpec `json:"onnx,omitempty"`
	// Legacy form of model with modelFormat huggingface.
	// +optional
	HuggingFace *LegacySpec `json:"huggingface,omitempty"`
	// Legacy form of model with modelFormat pmml.
	// +optional
	PMML *LegacySpec `json:"pmml,omitempty"`
	// Legacy form of model with modelFormat lightgbm.
	// +optional
	LightGBM *LegacySpec `json:"lightgbm,omitempty"`
	// Legacy form of model with modelFormat paddle.
	// +optional
	Paddle *LegacySpec `json:"paddle,omitempty"`

	PodSpec            `json:",inline"`
	ComponentExtension `json:",inline"`

	// Not supported yet; rejected.
	// +optional
	WorkerSpec *Unsupported `json:"workerSpec,omitempty"`
}

// ComponentExtension is how a component scales and rolls out.
type ComponentExtension struct {
	// Least number of replicas of a revision that has traffic. Default 1.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	// Most replicas of a revision; 0 means no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxReplicas int32 `json:"maxReplicas,omitempty"`
	// Load per replica that the autoscaler aims at, in units of scaleMetric.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ScaleTarget *int32 `json:"scaleTarget,omitempty"`
	// What is measured: concurrency (default) or rps.
	// +optional
	// +kubebuilder:validation:Enum=concurrency;rps
	ScaleMetric *ScaleMetric `json:"scaleMetric,omitempty"`
	// Most requests that one replica works on at a time; 0 means no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ContainerConcurrency *int64 `json:"containerConcurrency,omitempty"`
	// Seconds within which a request must be answered. Default 300.
	// +optional
	// +kubebuilder:validation:Minimum=1
	TimeoutSeconds *int64 `json:"timeout,omitempty"`
	// Percent of the requests that go to a new revision, once it is ready.
	// Absent or 100 promotes it; 0 after a promotion rolls back.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= 0 && self <= 100",message="canaryTrafficPercent must be from 0 to 100"
	CanaryTrafficPercent *int64 `json:"canaryTrafficPercent,omitempty"`
	// Labels for this component's Pods; a change makes a new revision.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations for this component's Pods; a change makes a new revision.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
	// Not supported yet; rejected.
	// +optional
	Logger *Unsupported `json:"logger,omitempty"`
	// Not supported yet; rejected.
	// +optional
	Batcher *Unsupported `json:"batcher,omitempty"`
}

// ScaleMetric is what the autoscaler measures.
type ScaleMetric string

// Scale metrics.
const (
	ScaleConcurrency ScaleMetric = "concurrency"
	ScaleRPS         ScaleMetric = "rps"
)

// ModelSpec is a model, and changes to the container of the runtime that
// serves it: args are appended to the runtime's, the rest is merged by name.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.name) && size(self.name) > 0)",message="the name field is not allowed in predictor.model: the container is always kserve-container"
// +kubebuilder:validation:XValidation:rule="!(has(self.storageUri) && has(self.storage))",message="say predictor.model.storageUri or predictor.model.storage, not both"
type ModelSpec struct {
	// Format of the model, which finds the runtime that serves it.
	// +required
	ModelFormat ModelFormat `json:"modelFormat"`
	// Name of a ServingRuntime or ClusterServingRuntime; found by format when absent.
	// +optional
	Runtime *string `json:"runtime,omitempty"`

	PredictorExtension `json:",inline"`
}

// ModelFormat is a format and, if it matters, its version.
type ModelFormat struct {
	// Name, such as sklearn.
	// +required
	Name string `json:"name"`
	// Version, compared as a whole string.
	// +optional
	Version *string `json:"version,omitempty"`
}

// LegacySpec is the form that predates `model`: predictor.sklearn and so on.
// It means model with that modelFormat.
type LegacySpec struct {
	PredictorExtension `json:",inline"`
}

// PredictorExtension is where the model is and what container serves it.
type PredictorExtension struct {
	// Where the model is: gs://, s3://, https://, file:// ...
	// +optional
	StorageURI *string `json:"storageUri,omitempty"`
	// Where the model is, by a key of the storage-config Secret.
	// +optional
	Storage *StorageSpec `json:"storage,omitempty"`
	// Image tag to use instead of the runtime's.
	// +optional
	RuntimeVersion *string `json:"runtimeVersion,omitempty"`
	// Wire protocol: v1, v2, grpc-v1 or grpc-v2.
	// +optional
	// +kubebuilder:validation:Enum=v1;v2;grpc-v1;grpc-v2
	ProtocolVersion *string `json:"protocolVersion,omitempty"`

	corev1.Container `json:",inline"`
}

// StorageSpec names a model by a key of the storage-config Secret.
type StorageSpec struct {
	// Path of the model in the storage.
	// +optional
	Path *string `json:"path,omitempty"`
	// Path of the model's schema.
	// +optional
	SchemaPath *string `json:"schemaPath,omitempty"`
	// Overrides of the storage's settings.
	// +optional
	Parameters *map[string]string `json:"parameters,omitempty"`
	// Key in the Secret.
	// +optional
	StorageKey *string `json:"key,omitempty"`
}

// PodSpec is the part of a Pod's spec that a predictor may set. Field names
// and meanings are those of Kubernetes.
type PodSpec struct {
	// +optional
	Containers []corev1.Container `json:"containers,omitempty"`
	// +optional
	InitContainers []corev1.Container `json:"initContainers,omitempty"`
	// +optional
	Volumes []corev1.Volume `json:"volumes,omitempty"`
	// +optional
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// +optional
	AutomountServiceAccountToken *bool `json:"automountServiceAccountToken,omitempty"`
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// +optional
	NodeName string `json:"nodeName,omitempty"`
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// +optional
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// +optional
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
	// +optional
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	// +optional
	SecurityContext *corev1.PodSecurityContext `json:"securityContext,omitempty"`
	// +optional
	TerminationGracePeriodSeconds *int64 `json:"terminationGracePeriodSeconds,omitempty"`
	// +optional
	PriorityClassName string `json:"priorityClassName,omitempty"`
	// +optional
	RuntimeClassName *string `json:"runtimeClassName,omitempty"`
	// +optional
	SchedulerName string `json:"schedulerName,omitempty"`
	// +optional
	HostIPC bool `json:"hostIPC,omitempty"`
	// +optional
	HostNetwork bool `json:"hostNetwork,omitempty"`
	// +optional
	HostAliases []corev1.HostAlias `json:"hostAliases,omitempty"`
	// +optional
	DNSPolicy corev1.DNSPolicy `json:"dnsPolicy,omitempty"`
	// +optional
	DNSConfig *corev1.PodDNSConfig `json:"dnsConfig,omitempty"`
	// +optional
	EnableServiceLinks *bool `json:"enableServiceLinks,omitempty"`
}
