// SPDX-License-Identifier: Apache-2.0

package v1beta1

import "strings"

// Labels on Pods and on everything made for a service. Users select by them.
const (
	// LabelService holds the InferenceService's name.
	LabelService = "serving.kserve.io/inferenceservice"
	// LabelComponent holds the component: predictor.
	LabelComponent = "component"
	// LabelRevision holds the revision's name.
	LabelRevision = "serving.knative.dev/revision"
	// LabelApp holds the revision's name too, for people who select by it.
	LabelApp = "app"
	// LabelTemplateHash, on a ControllerRevision, identifies its template.
	LabelTemplateHash = "serin.dev/template-hash"
)

// Annotations that change behaviour.
const (
	// AnnotationTagRouting turns on the tag `latest` when exactly "true".
	AnnotationTagRouting = "serving.kserve.io/enable-tag-routing"
	// AnnotationStop scales everything to zero when exactly "true".
	AnnotationStop = "serving.kserve.io/stop"
	// AnnotationSticky, "header:NAME" or "cookie:NAME", gives requests that
	// agree in that header or cookie to the same revision.
	AnnotationSticky = "serin.dev/sticky"
)

// MaxTimeoutSeconds bounds a predictor's timeout, also where it was stored
// before the schema did: more would overflow in the kubelet.
const MaxTimeoutSeconds = 24 * 60 * 60

// MaxShares is how many revisions of a service may have a part of its requests,
// also where a status was stored before the schema. The controller writes two.
const MaxShares = 16

// Tags by which a client asks for a revision.
const (
	TagLatest = "latest"
	TagPrev   = "prev"
)

// HeaderTag asks for one revision by its tag, on any host and path of the
// service.
const HeaderTag = "Knative-Serving-Tag"

// PrefixAutoscaling starts the annotations by which people tune scaling, on a
// service or its predictor. They are those of Knative.
const PrefixAutoscaling = "autoscaling.knative.dev/"

// SetsSerin reports whether an annotation is a setting of Serin or of its
// autoscaler, by its key.
func SetsSerin(key string) bool {
	return strings.HasPrefix(key, "serin.dev/") || strings.HasPrefix(key, PrefixAutoscaling)
}

// Annotations of a revision's Deployment. The controller writes them and the
// autoscaler reads them, both by scale.Demand. Users do not write them.
const (
	// AnnotationActive is "true" while the revision must keep its replicas.
	AnnotationActive = "serin.dev/active"
	// AnnotationIdleSince is when it ceased to be active, in RFC 3339.
	AnnotationIdleSince = "serin.dev/idle-since"
	// AnnotationMinReplicas is the least number of replicas while active: at
	// least 1 for a revision that has yet to show that it can serve.
	AnnotationMinReplicas = "serin.dev/min-replicas"
	// AnnotationMaxReplicas is the most; "0" means no limit.
	AnnotationMaxReplicas = "serin.dev/max-replicas"
)

// AnnotationEvictions is, on a Deployment of Serin itself, how many of its Pods
// were evicted to spread them, and when the last one was.
const AnnotationEvictions = "serin.dev/evictions"

// Ports of a model Pod.
const (
	// QueuePort takes the router's requests.
	QueuePort = 8012
	// QueueAdminPort answers /ready, /wait-for-drain and /metrics.
	QueueAdminPort = 8022
	// UserPort is where a model server listens unless its runtime says otherwise.
	UserPort = 8080
)

// The routers of an installation in a cluster, for those who make them and
// those who ask them.
const (
	// InstallNamespace is where an installation is unless its user says otherwise.
	InstallNamespace = "serin-system"
	// LabelPartOf is PartOf on all that an installation consists of.
	LabelPartOf = "app.kubernetes.io/part-of"
	PartOf      = "serin"
	// LabelPartName names the part of Serin that a Pod is, such as RouterName.
	LabelPartName = "app.kubernetes.io/name"
	RouterName    = "serin-router"
	// RouterAdminPort answers /metrics, /load, /healthz and /readyz.
	RouterAdminPort = 8081
)

// UpName is the ConfigMap in kube-system by which an API is known as the one of
// a `serin up` that has a controller or a router of its own.
const UpName = "serin-up"

// Names of the containers of a model Pod.
const (
	ContainerModel = "kserve-container"
	ContainerQueue = "queue-proxy"
	ContainerFetch = "storage-initializer"
)
