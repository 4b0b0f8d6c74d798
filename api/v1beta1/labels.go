// SPDX-License-Identifier: Apache-2.0

package v1beta1

// Labels on Pods and on everything made for a service. Users select by them.
const (
	// LabelService holds the InferenceService's name.
	LabelService = "serving.kserve.io/inferenceservice"
	// LabelComponent holds the component: predictor.
	LabelComponent = "component"
	// LabelRevision holds the revision's name.
	LabelRevision = "serving.knative.dev/revision"
	// LabelApp holds the revision's name too; Deployments select by it.
	LabelApp = "app"
)

// Annotations that change behaviour.
const (
	// AnnotationTagRouting turns on the tag `latest` when exactly "true".
	AnnotationTagRouting = "serving.kserve.io/enable-tag-routing"
	// AnnotationStop scales everything to zero when exactly "true".
	AnnotationStop = "serving.kserve.io/stop"
)

// Ports of a model Pod.
const (
	// QueuePort takes the router's requests.
	QueuePort = 8012
	// QueueAdminPort answers /ready, /wait-for-drain and /metrics.
	QueueAdminPort = 8022
	// UserPort is where a model server listens unless its runtime says otherwise.
	UserPort = 8080
)

// Names of containers and components.
const (
	ContainerModel = "kserve-container"
	ContainerQueue = "queue-proxy"
	ContainerFetch = "storage-initializer"
	Predictor      = "predictor"
)
