// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// InferenceServiceStatus is what is served now, in KServe's shape.
type InferenceServiceStatus struct {
	// The spec generation that this status speaks of.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Ready, PredictorReady, IngressReady, Servable and details.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=64
	Conditions []Condition `json:"conditions,omitempty"`
	// Where the service answers from outside the cluster.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	URL string `json:"url,omitempty"`
	// Where the service answers from inside the cluster.
	// +optional
	Address *Address `json:"address,omitempty"`
	// Per component: its revisions and their shares.
	// +optional
	// +kubebuilder:validation:MaxProperties=8
	Components map[Component]ComponentStatus `json:"components,omitempty"`
	// Digest of the model of each revision with traffic, by the revision's name.
	// Routers leave out Pods that report another one.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	ModelDigests map[string]ModelDigest `json:"modelDigests,omitempty"`
	// The model's own state: loading, loaded, or why it failed.
	// +optional
	ModelStatus *ModelStatus `json:"modelStatus,omitempty"`
	// The ServingRuntime in use, if it is a namespaced one.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServingRuntimeName string `json:"servingRuntimeName,omitempty"`
	// The ClusterServingRuntime in use.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ClusterServingRuntimeName string `json:"clusterServingRuntimeName,omitempty"`
	// Known so that what was exported from KServe can be applied. Serin leaves it
	// empty: it has one mode.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	DeploymentMode string `json:"deploymentMode,omitempty"`
	// Known so that what was exported from KServe can be applied. Serin leaves it empty.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`
	// Known so that what was exported from KServe can be applied. Serin leaves it empty.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	CanaryStatuses []Unsupported `json:"canaryStatuses,omitempty"`
}

// Address is an in-cluster URL.
type Address struct {
	// +optional
	// +kubebuilder:validation:MaxLength=512
	URL string `json:"url,omitempty"`
}

// ComponentStatus is the rollout of one component.
type ComponentStatus struct {
	// Newest revision that became ready.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	LatestReadyRevision string `json:"latestReadyRevision,omitempty"`
	// Revision of the current spec.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	LatestCreatedRevision string `json:"latestCreatedRevision,omitempty"`
	// Revision that had all the traffic before the latest rolled out one.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	PreviousRolledoutRevision string `json:"previousRolledoutRevision,omitempty"`
	// Last revision that had all the traffic.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	LatestRolledoutRevision string `json:"latestRolledoutRevision,omitempty"`
	// Who gets how much. The router does exactly this.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Traffic []TrafficTarget `json:"traffic,omitempty"`
	// Where this component answers from outside the cluster.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	URL string `json:"url,omitempty"`
	// Where this component answers from inside the cluster.
	// +optional
	Address *Address `json:"address,omitempty"`
	// Known so that what was exported from KServe can be applied. Serin leaves it empty.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	RESTURL string `json:"restUrl,omitempty"`
	// Known so that what was exported from KServe can be applied. Serin leaves it empty.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	GRPCURL string `json:"grpcUrl,omitempty"`
}

// ModelDigest is "sha256:" and 64 hexadecimal digits.
// +kubebuilder:validation:MaxLength=71
// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
type ModelDigest string

// TrafficTarget is one revision's share of the traffic.
type TrafficTarget struct {
	// The revision.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	RevisionName string `json:"revisionName,omitempty"`
	// True for the revision of the current spec. Always present.
	// +optional
	LatestRevision *bool `json:"latestRevision,omitempty"`
	// Percent of the requests, 0 to 100. Always present.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Percent *int64 `json:"percent,omitempty"`
	// Name to ask for this revision explicitly: latest or prev.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Tag string `json:"tag,omitempty"`
	// URL of the tag.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	URL string `json:"url,omitempty"`
}

// Condition is a Knative-style condition, as KServe has it.
type Condition struct {
	// Kind of condition.
	// +required
	// +kubebuilder:validation:MaxLength=316
	Type string `json:"type"`
	// True, False or Unknown.
	// +required
	// +kubebuilder:validation:Enum=True;False;Unknown
	Status metav1.ConditionStatus `json:"status"`
	// Info for conditions that do not count towards Ready, else empty.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Severity string `json:"severity,omitempty"`
	// When the status last changed.
	// +optional
	LastTransitionTime metav1.Time `json:"lastTransitionTime,omitempty"`
	// One word, from a fixed list.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
	// A sentence for people.
	// +optional
	// +kubebuilder:validation:MaxLength=32768
	Message string `json:"message,omitempty"`
}

// Condition types.
const (
	ConditionReady          = "Ready"
	ConditionPredictorReady = "PredictorReady"
	ConditionIngressReady   = "IngressReady"
	// ConditionServable is Serin's own: True while any revision serves.
	ConditionServable = "Servable"
	// The rest are informational, as in KServe.
	ConditionPredictorConfigurationReady = "PredictorConfigurationReady"
	ConditionLatestDeploymentReady       = "LatestDeploymentReady"
	ConditionPredictorRouteReady         = "PredictorRouteReady"
	ConditionRoutesReady                 = "RoutesReady"
	ConditionStopped                     = "Stopped"
	// ConditionModelChanged is Serin's own: there, and True, while new Pods of a
	// revision do not start because the model at its storageUri is another now.
	ConditionModelChanged = "ModelChanged"
)

// ModelStatus says whether the model that the spec asks for is loaded.
type ModelStatus struct {
	// UpToDate, InProgress, BlockedByFailedLoad or InvalidSpec.
	// +required
	TransitionStatus TransitionStatus `json:"transitionStatus"`
	// State of the model that serves and of the one that should.
	// +optional
	States *ModelStates `json:"states,omitempty"`
	// How many copies of the model are loaded or failed.
	// +optional
	Copies *ModelCopies `json:"copies,omitempty"`
	// Why the model does not load: what failed, or what its Pods wait for.
	// +optional
	LastFailureInfo *FailureInfo `json:"lastFailureInfo,omitempty"`
}

// TransitionStatus says how far the model of the spec has come.
type TransitionStatus string

// Transition statuses.
const (
	UpToDate            TransitionStatus = "UpToDate"
	InProgress          TransitionStatus = "InProgress"
	BlockedByFailedLoad TransitionStatus = "BlockedByFailedLoad"
	InvalidSpec         TransitionStatus = "InvalidSpec"
)

// ModelStates pairs the serving and the wanted model.
type ModelStates struct {
	// State of the model that serves; empty before the first one.
	// +optional
	ActiveModelState ModelState `json:"activeModelState"`
	// State of the model that the spec asks for.
	// +optional
	TargetModelState ModelState `json:"targetModelState"`
}

// ModelState is the life of one model.
type ModelState string

// Model states.
const (
	Pending      ModelState = "Pending"
	Standby      ModelState = "Standby"
	Loading      ModelState = "Loading"
	Loaded       ModelState = "Loaded"
	FailedToLoad ModelState = "FailedToLoad"
)

// ModelCopies counts Pods.
type ModelCopies struct {
	// Copies that failed to load.
	// +kubebuilder:validation:Minimum=0
	FailedCopies int32 `json:"failedCopies"`
	// Copies that are ready.
	// +optional
	// +kubebuilder:validation:Minimum=0
	TotalCopies int32 `json:"totalCopies"`
}

// FailureInfo is the last failure, with the failing program's own words.
type FailureInfo struct {
	// The Pod that failed or waits.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Location string `json:"location,omitempty"`
	// One word: ModelLoadFailed, ModelChanged, RuntimeUnhealthy, NoSupportingRuntime, RuntimeNotRecognized, RuntimeDisabled, InvalidPredictorSpec.
	// +optional
	Reason FailureReason `json:"reason,omitempty"`
	// What is wrong, in a line; below it the last lines of a program that ended.
	// +optional
	// +kubebuilder:validation:MaxLength=32768
	Message string `json:"message,omitempty"`
	// The revision of the Pod.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	ModelRevisionName string `json:"modelRevisionName,omitempty"`
	// When it failed, or since when it waits.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`
	// The program's exit code.
	// +optional
	ExitCode int32 `json:"exitCode,omitempty"`
}

// Sentence returns the first line of the message.
func (f *FailureInfo) Sentence() string { return f.lines()[0] }

// Details returns the lines below the sentence.
func (f *FailureInfo) Details() []string { return f.lines()[1:] }

func (f *FailureInfo) lines() []string { return strings.Split(f.Message, "\n") }

// FailureReason classifies a failure.
type FailureReason string

// Failure reasons.
const (
	ModelLoadFailed      FailureReason = "ModelLoadFailed"
	ModelChanged         FailureReason = "ModelChanged"
	RuntimeUnhealthy     FailureReason = "RuntimeUnhealthy"
	RuntimeDisabled      FailureReason = "RuntimeDisabled"
	NoSupportingRuntime  FailureReason = "NoSupportingRuntime"
	RuntimeNotRecognized FailureReason = "RuntimeNotRecognized"
	InvalidPredictorSpec FailureReason = "InvalidPredictorSpec"
)
