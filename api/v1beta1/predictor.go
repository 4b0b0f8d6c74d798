// SPDX-License-Identifier: Apache-2.0

package v1beta1

import corev1 "k8s.io/api/core/v1"

// PredictorSpec is a model with its server, or containers of the user's own,
// together with how the component scales and rolls out.
//
// +kubebuilder:validation:XValidation:rule="has(self.containers) || [has(self.model), has(self.sklearn), has(self.xgboost), has(self.tensorflow), has(self.pytorch), has(self.triton), has(self.onnx), has(self.huggingface), has(self.pmml), has(self.lightgbm), has(self.paddle)].exists_one(x, x)",message="name exactly one implementation: predictor.model, or predictor.containers, or one legacy form such as predictor.sklearn"
// +kubebuilder:validation:XValidation:rule="!has(self.containers) || ![has(self.model), has(self.sklearn), has(self.xgboost), has(self.tensorflow), has(self.pytorch), has(self.triton), has(self.onnx), has(self.huggingface), has(self.pmml), has(self.lightgbm), has(self.paddle)].exists(x, x)",message="predictor.containers beside a model (in KServe a collocated transformer) does not work in Serin yet: serve the transformer as an InferenceService of its own, or write all containers and no model"
// +kubebuilder:validation:XValidation:rule="!has(self.serviceAccount) || !has(self.serviceAccountName) || self.serviceAccount == self.serviceAccountName",message="serviceAccount is the old name of serviceAccountName, and they differ: keep serviceAccountName"
// +kubebuilder:validation:XValidation:rule="!has(self.containers) || size(self.containers) == 1 || self.containers.exists_one(c, c.name == 'kserve-container')",message="one of several predictor.containers must be named kserve-container: it takes the requests"
// +kubebuilder:validation:XValidation:rule="!has(self.containers) || size(self.containers) == 1 || !self.containers.exists(c, c.name == 'transformer-container')",message="a transformer-container beside kserve-container does not work in Serin yet, and requests would pass it by: serve the transformer as an InferenceService of its own"
// +kubebuilder:validation:XValidation:rule="!has(self.maxReplicas) || self.maxReplicas <= 0 || (has(self.minReplicas) ? self.minReplicas : 1) <= self.maxReplicas",message="minReplicas must not be more than maxReplicas"
type PredictorSpec struct {
	// The model to serve, its format, place and server.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.env) || self.env.all(e, !has(e.value) || size(e.value) == 0 || !has(e.valueFrom))",message="a variable in env has both value and valueFrom: keep one of them"
	// +kubebuilder:validation:XValidation:rule="!has(self.storageUri) || !has(self.volumeMounts) || self.volumeMounts.all(m, m.mountPath != '/mnt/models')",message="/mnt/models is where the model of storageUri is: mount your volume elsewhere"
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
	RejectedPodSpec    `json:",inline"`
	ComponentExtension `json:",inline"`

	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="a model spread over several nodes does not work in Serin yet: remove workerSpec"
	WorkerSpec *Unsupported `json:"workerSpec,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="naming a predictor belongs to KServe's list of canaries, which does not work in Serin yet: remove name and use canaryTrafficPercent"
	Name *string `json:"name,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="a storage container of your own does not work in Serin yet: remove storageContainerName"
	StorageContainerName *string `json:"storageContainerName,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="confidential computing does not work in Serin yet: remove confidential"
	Confidential *Unsupported `json:"confidential,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:XValidation:rule="false",message="several storage URIs do not work in Serin yet: use model.storageUri, and keep the model in one folder"
	StorageURIs []Unsupported `json:"storageUris,omitempty"`
}

// ComponentExtension is how a component scales and rolls out.
type ComponentExtension struct {
	// Least number of replicas of a revision that has traffic. Default 1. With
	// 0 a revision without requests goes to zero, and the next request waits
	// until it is back.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= 0",message="minReplicas must not be negative; 0 lets a revision without requests go to zero"
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	// Most replicas of a revision; 0 means no limit.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= 0",message="maxReplicas must not be negative; 0 means no limit"
	MaxReplicas int32 `json:"maxReplicas,omitempty"`
	// Load per replica that the autoscaler aims at, in units of scaleMetric.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= 1",message="scaleTarget must be 1 or more"
	ScaleTarget *int32 `json:"scaleTarget,omitempty"`
	// What is measured: concurrency (default) or rps.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self in ['concurrency', 'rps']",message="scaleMetric must be concurrency or rps: Serin scales by requests, not by cpu or memory"
	ScaleMetric *ScaleMetric `json:"scaleMetric,omitempty"`
	// Most requests that one replica works on at a time; 0 means no limit.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= 0 && self <= 1000000",message="containerConcurrency must be 0 to 1000000; 0 means no limit"
	ContainerConcurrency *int64 `json:"containerConcurrency,omitempty"`
	// Seconds within which a request must be answered. Default 300, at most a day.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= 1 && self <= 86400",message="timeout must be 1 to 86400 seconds"
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
	// +kubebuilder:validation:XValidation:rule="!('serin.dev/refresh' in self) || self['serin.dev/refresh'].matches('^[A-Za-z0-9:.+_-]{0,64}$')",message="serin.dev/refresh must be a time such as 2026-01-31T12:00:00Z, or another word of at most 64 letters, digits and : . + _ -"
	Annotations map[string]string `json:"annotations,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="the payload logger does not work in Serin yet: remove logger, and log in your client or gateway"
	Logger *Unsupported `json:"logger,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="the batcher does not work in Serin yet: remove batcher, and send several instances in one request"
	Batcher *Unsupported `json:"batcher,omitempty"`
	// Rejected: belongs to autoscalers that Serin does not use.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="scaleMetricType belongs to the HorizontalPodAutoscaler, which Serin does not use: remove it; scaleTarget is an average per replica"
	ScaleMetricType *string `json:"scaleMetricType,omitempty"`
	// Rejected: belongs to autoscalers that Serin does not use.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="autoScaling belongs to KEDA and the HorizontalPodAutoscaler, which Serin does not use: set minReplicas, maxReplicas, scaleMetric and scaleTarget"
	AutoScaling *Unsupported `json:"autoScaling,omitempty"`
	// Rejected: Serin starts each revision beside the old one.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="deploymentStrategy has no meaning in Serin, which starts a new revision beside the old one: remove it, and use canaryTrafficPercent"
	DeploymentStrategy *Unsupported `json:"deploymentStrategy,omitempty"`
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
//
// +kubebuilder:validation:XValidation:rule="!has(self.name) || size(self.name) == 0",message="remove name: the container of a model is always kserve-container"
type PredictorExtension struct {
	// Where the model is: gs://, s3://, https://, http://, file:// or pvc://.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^((gs|s3|https|http|file|pvc)://|/)[^ ]+$')",message="storageUri must be gs://bucket/path, s3://bucket/path, https://host/file, http://host/file, file:///path, /path or pvc://claim/path, without blanks: no other storage works in Serin yet"
	StorageURI *string `json:"storageUri,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:XValidation:rule="false",message="several storage URIs do not work in Serin yet: use storageUri, and keep the model in one folder"
	StorageURIs []Unsupported `json:"storageUris,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="storage (a key of the storage-config Secret) does not work in Serin yet: use storageUri"
	Storage *Unsupported `json:"storage,omitempty"`
	// Image tag to use instead of the runtime's.
	// +optional
	RuntimeVersion *string `json:"runtimeVersion,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="confidential computing does not work in Serin yet: remove confidential"
	Confidential *Unsupported `json:"confidential,omitempty"`
	// Wire protocol: v1 (default), v2, grpc-v1 or grpc-v2.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self in ['v1', 'v2', 'grpc-v1', 'grpc-v2']",message="protocolVersion must be v1, v2, grpc-v1 or grpc-v2"
	ProtocolVersion *string `json:"protocolVersion,omitempty"`

	corev1.Container `json:",inline"`
}

// PodSpec is the part of a Pod's spec that a predictor may set. Field names
// and meanings are those of Kubernetes.
type PodSpec struct {
	// Containers of your own instead of a model: the one named
	// kserve-container, or the only one, takes the requests on its first port.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(c, has(c.image) && size(c.image) > 0)",message="each container needs an image"
	Containers []corev1.Container `json:"containers,omitempty"`
	// Containers that run, one after the other, once the model is fetched.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(c, has(c.image) && size(c.image) > 0)",message="each init container needs an image"
	InitContainers []corev1.Container `json:"initContainers,omitempty"`
	// Volumes that the containers mount.
	// +optional
	// +listType=map
	// +listMapKey=name
	Volumes []corev1.Volume `json:"volumes,omitempty"`
	// Account that the Pods run as.
	// +optional
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// Old name of serviceAccountName.
	// +optional
	ServiceAccount string `json:"serviceAccount,omitempty"`
	// Whether the account's token is mounted.
	// +optional
	AutomountServiceAccountToken *bool `json:"automountServiceAccountToken,omitempty"`
	// Labels that a node must have.
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// The very node to run on.
	// +optional
	NodeName string `json:"nodeName,omitempty"`
	// Rules for the choice of nodes.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// Taints that the Pods tolerate.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:XValidation:rule="self.all(t, !has(t.operator) || t.operator != 'Exists' || !has(t.value) || size(t.value) == 0)",message="a toleration with operator Exists must have no value: remove it, or write operator Equal"
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// How Pods spread over zones and nodes.
	// +optional
	// +listType=atomic
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
	// Secrets for pulling images.
	// +optional
	// +listType=map
	// +listMapKey=name
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	// Users, groups and privileges of all containers.
	// +optional
	SecurityContext *corev1.PodSecurityContext `json:"securityContext,omitempty"`
	// Seconds that a Pod has to end. Default: timeout and 10 more.
	// +optional
	TerminationGracePeriodSeconds *int64 `json:"terminationGracePeriodSeconds,omitempty"`
	// Class of the Pods' priority.
	// +optional
	PriorityClassName string `json:"priorityClassName,omitempty"`
	// Whether the Pods may displace others: Never or PreemptLowerPriority.
	// +optional
	PreemptionPolicy *corev1.PreemptionPolicy `json:"preemptionPolicy,omitempty"`
	// Container runtime to use.
	// +optional
	RuntimeClassName *string `json:"runtimeClassName,omitempty"`
	// Scheduler to use.
	// +optional
	SchedulerName string `json:"schedulerName,omitempty"`
	// Use the node's IPC namespace.
	// +optional
	HostIPC bool `json:"hostIPC,omitempty"`
	// Use the node's network.
	// +optional
	HostNetwork bool `json:"hostNetwork,omitempty"`
	// Use the node's process namespace.
	// +optional
	HostPID bool `json:"hostPID,omitempty"`
	// Use the node's user namespace.
	// +optional
	HostUsers *bool `json:"hostUsers,omitempty"`
	// Let the containers see each other's processes.
	// +optional
	ShareProcessNamespace *bool `json:"shareProcessNamespace,omitempty"`
	// Host name of the Pods.
	// +optional
	Hostname string `json:"hostname,omitempty"`
	// Subdomain of the Pods' host names.
	// +optional
	Subdomain string `json:"subdomain,omitempty"`
	// Whether the Pods' host name is their fully qualified one.
	// +optional
	SetHostnameAsFQDN *bool `json:"setHostnameAsFQDN,omitempty"`
	// Lines for /etc/hosts.
	// +optional
	// +listType=atomic
	HostAliases []corev1.HostAlias `json:"hostAliases,omitempty"`
	// Which DNS servers to ask.
	// +optional
	DNSPolicy corev1.DNSPolicy `json:"dnsPolicy,omitempty"`
	// More DNS settings.
	// +optional
	DNSConfig *corev1.PodDNSConfig `json:"dnsConfig,omitempty"`
	// Whether the namespace's Services appear in the environment. Default false.
	// +optional
	EnableServiceLinks *bool `json:"enableServiceLinks,omitempty"`
	// Always, or rejected: a Pod that serves starts again whenever it ends.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == 'Always'",message="restartPolicy must be Always: a Pod that serves starts again whenever it ends"
	RestartPolicy corev1.RestartPolicy `json:"restartPolicy,omitempty"`
	// Operating system of the Pods: linux.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.name == 'linux'",message="os.name must be linux, because Serin's own containers run on nothing else"
	OS *corev1.PodOS `json:"os,omitempty"`
	// Conditions that other controllers set, and that a Pod needs to be ready.
	// +optional
	// +listType=atomic
	ReadinessGates []corev1.PodReadinessGate `json:"readinessGates,omitempty"`
	// Devices and the like that the Pods claim.
	// +optional
	// +listType=map
	// +listMapKey=name
	ResourceClaims []corev1.PodResourceClaim `json:"resourceClaims,omitempty"`
}
