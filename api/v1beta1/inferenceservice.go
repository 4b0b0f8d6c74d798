// SPDX-License-Identifier: Apache-2.0

package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// InferenceService serves a model and rolls out its changes.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.predictor.minReplicas,statuspath=.status.modelStatus.copies.totalCopies
// +kubebuilder:resource:path=inferenceservices,shortName=isvc,categories=all
// +kubebuilder:printcolumn:name="URL",type="string",JSONPath=".status.url"
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].status"
// +kubebuilder:printcolumn:name="Prev",type="integer",JSONPath=".status.components.predictor.traffic[?(@.tag=='prev')].percent"
// +kubebuilder:printcolumn:name="Latest",type="integer",JSONPath=".status.components.predictor.traffic[?(@.latestRevision==true)].percent"
// +kubebuilder:printcolumn:name="PrevRolledoutRevision",type="string",JSONPath=".status.components.predictor.traffic[?(@.tag=='prev')].revisionName"
// +kubebuilder:printcolumn:name="LatestReadyRevision",type="string",JSONPath=".status.components.predictor.traffic[?(@.latestRevision==true)].revisionName"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must start with a letter and hold only lower-case letters, digits and hyphens, because host names are made from it",fieldPath=".metadata.name"
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 53",message="metadata.name must have at most 53 characters, because {name}-predictor is part of a host name",fieldPath=".metadata.name"
type InferenceService struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What should be served, and how a change of it rolls out.
	// +required
	Spec InferenceServiceSpec `json:"spec"`
	// What is served now. Written by the controller alone.
	// +optional
	Status InferenceServiceStatus `json:"status,omitempty"`
}

// InferenceServiceList is a list of InferenceServices.
//
// +kubebuilder:object:root=true
type InferenceServiceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []InferenceService `json:"items"`
}

// InferenceServiceSpec is what a user asks for.
type InferenceServiceSpec struct {
	// The model and the server that runs it.
	// +required
	Predictor PredictorSpec `json:"predictor"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="a transformer does not work in Serin yet: call it from your client, or serve it as an InferenceService of its own"
	Transformer *Unsupported `json:"transformer,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="an explainer does not work in Serin yet: remove it, or serve it as an InferenceService of its own"
	Explainer *Unsupported `json:"explainer,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:XValidation:rule="false",message="a list of canaries does not work in Serin yet: use spec.predictor.canaryTrafficPercent, which splits traffic between the new and the previous revision"
	Canary []Unsupported `json:"canary,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="tracing does not work in Serin yet: remove it, and give the model's server its exporter by env (OTEL_EXPORTER_OTLP_ENDPOINT and others)"
	Tracing *Unsupported `json:"tracing,omitempty"`
}

// Unsupported is a KServe field that Serin knows and rejects. It accepts
// anything, so that the rule beside it is the only thing to read.
//
// +kubebuilder:pruning:PreserveUnknownFields
// +kubebuilder:validation:Type=object
type Unsupported struct{}
