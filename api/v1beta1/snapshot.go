// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A revision is held to its model: all its Pods serve the content that the first
// of them fetched.
const (
	// AnnotationModelDigest, on a ControllerRevision, is the digest of the model
	// that the revision is made of. The controller writes it once.
	AnnotationModelDigest = "serin.dev/model-digest"
	// AnnotationRefresh, a time on a predictor, asks for a new revision of what
	// lies at its storageUri now.
	AnnotationRefresh = "serin.dev/refresh"
	// AnnotationMutableModel, on a service or its predictor, lets the Pods of one
	// revision serve different models when exactly "true".
	AnnotationMutableModel = "serin.dev/mutable-model"
)

// The environment of ContainerFetch. Serin-fetch does not link this package and
// repeats the names.
const (
	// EnvModelDigest holds the digest that the model must have, if one is known.
	EnvModelDigest = "SERIN_MODEL_DIGEST"
	// EnvRevision holds the name of the Pod's revision.
	EnvRevision = "SERIN_REVISION"
	// EnvService holds the name of the Pod's service.
	EnvService = "SERIN_SERVICE"
	// EnvNamespace holds the name of the Pod's namespace.
	EnvNamespace = "SERIN_NAMESPACE"
	// EnvTerminationLog holds the path of the file for the termination message.
	EnvTerminationLog = "SERIN_TERMINATION_LOG"
)

// ExitOtherModel is the exit code of ContainerFetch if the model is not the one
// that EnvModelDigest names.
const ExitOtherModel = 3

// ModelsName returns the name of the ConfigMap that holds the digests of a
// service's revisions: a key for each, by its name.
func (c Component) ModelsName(service string) string { return c.AddressName(service) + "-models" }

const digestPrefix = "sha256:"

// IsModelDigest reports whether s is the digest of a model: "sha256:" and 64
// lower-case hexadecimal digits. What a Pod reports may be anything else.
func IsModelDigest(s string) bool {
	digits, ok := strings.CutPrefix(s, digestPrefix)
	return ok && len(digits) == 64 && strings.Trim(digits, "0123456789abcdef") == ""
}

// RecordedDigest returns the digest of the model that a ControllerRevision is
// made of, or nothing.
func RecordedDigest(record metav1.Object) string {
	if digest := record.GetAnnotations()[AnnotationModelDigest]; IsModelDigest(digest) {
		return digest
	}
	return ""
}

// ShortModelDigest returns the first 12 hexadecimal digits of a model's digest,
// for people, or nothing if s is none.
func ShortModelDigest(s string) string {
	if !IsModelDigest(s) {
		return ""
	}
	return s[len(digestPrefix) : len(digestPrefix)+12]
}
