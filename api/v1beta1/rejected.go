// SPDX-License-Identifier: Apache-2.0

package v1beta1

// RejectedPodSpec is the part of a Pod's spec that a predictor may not set. The
// schema knows these fields, because clients that do not ask for strict checks
// would otherwise lose them without a word.
type RejectedPodSpec struct {
	// Rejected: Pods that serve do not end.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="a Pod that serves has no deadline: remove activeDeadlineSeconds; timeout bounds a request"
	ActiveDeadlineSeconds *int64 `json:"activeDeadlineSeconds,omitempty"`
	// Rejected: they are added to Pods that run.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:XValidation:rule="false",message="ephemeral containers are added to Pods that run: remove ephemeralContainers, and use kubectl debug"
	EphemeralContainers []Unsupported `json:"ephemeralContainers,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:XValidation:rule="false",message="responders to an eviction do not work in Serin yet: remove evictionResponders; a Pod's requests end before it does"
	EvictionResponders []Unsupported `json:"evictionResponders,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="hostnameOverride does not work in Serin yet: use hostname and subdomain"
	HostnameOverride *string `json:"hostnameOverride,omitempty"`
	// Rejected: follows from the RuntimeClass.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="overhead follows from the RuntimeClass: remove it, and set runtimeClassName"
	Overhead *Unsupported `json:"overhead,omitempty"`
	// Rejected: follows from the PriorityClass.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="priority follows from the PriorityClass: remove it, and set priorityClassName"
	Priority *int32 `json:"priority,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="resources of a whole Pod do not work in Serin yet: set model.resources, or those of each container"
	Resources *Unsupported `json:"resources,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:XValidation:rule="false",message="a Pod with gates waits for a scheduler's helper, which does not work in Serin yet: remove schedulingGates"
	SchedulingGates []Unsupported `json:"schedulingGates,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="scheduling Pods as a group does not work in Serin yet: remove schedulingGroup"
	SchedulingGroup *Unsupported `json:"schedulingGroup,omitempty"`
	// Rejected: does not work in Serin yet.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="scheduling Pods as a group does not work in Serin yet: remove workloadRef"
	WorkloadRef *Unsupported `json:"workloadRef,omitempty"`
}
