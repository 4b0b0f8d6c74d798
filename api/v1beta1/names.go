// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

const (
	// maxLabel is the longest DNS label.
	maxLabel         = 63
	deploymentSuffix = "-deployment"
	// maxRevisionName leaves room for "-deployment" within 63 characters. Pod
	// names are then cut by the API server (58 characters and 5 random ones)
	// behind the whole name of the revision, never inside it.
	maxRevisionName = maxLabel - len(deploymentSuffix)
	// maxRevisionDigits bounds the numbers that are believed. The next one is
	// one more than any that somebody wrote into a status.
	maxRevisionDigits = 9
)

// Component is a part of a service that has revisions, Pods and host names of
// its own.
type Component string

// Predictor is the component that answers with the model's predictions.
const Predictor Component = "predictor"

// RevisionName returns the name of the component's n-th revision. Where the
// service's name is too long, its end gives way to a hash of the whole.
func (c Component) RevisionName(service string, n int) string {
	suffix := fmt.Sprintf("-%s-%05d", c, n)
	room := maxRevisionName - len(suffix)
	if len(service) > room {
		sum := sha256.Sum256([]byte(service))
		tail := "-" + hex.EncodeToString(sum[:4])
		service = strings.TrimRight(service[:max(room-len(tail), 0)], "-") + tail
	}
	return service + suffix
}

// RevisionNumber returns the number in the name of one of the component's
// revisions, and false for any other name.
func (c Component) RevisionNumber(service, revision string) (int, bool) {
	digits := revision[strings.LastIndexByte(revision, '-')+1:]
	if len(digits) > maxRevisionDigits {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n > 0 && c.RevisionName(service, n) == revision
}

// AddressName returns the name of the Service by which clients within the
// cluster call the component.
func (c Component) AddressName(service string) string { return service + "-" + string(c) }

// Host returns the first label of the component's host, SERVICE-COMPONENT or
// TAG-SERVICE-COMPONENT, shortened if need be.
func (c Component) Host(tag, service string) string {
	label := c.AddressName(service)
	if tag != "" {
		label = tag + "-" + label
	}
	return ShortLabel(label)
}

// ShortLabel cuts a label too long for DNS and ends it in a hash of the whole,
// so that it stays unique and never changes.
func ShortLabel(label string) string {
	if len(label) <= maxLabel {
		return label
	}
	sum := sha256.Sum256([]byte(label))
	hash := hex.EncodeToString(sum[:4])
	return strings.TrimRight(label[:maxLabel-1-len(hash)], "-") + "-" + hash
}

// DeploymentName returns the name of a revision's Deployment.
func DeploymentName(revision string) string { return revision + deploymentSuffix }
