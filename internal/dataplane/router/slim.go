// SPDX-License-Identifier: Apache-2.0

package router

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/tools/cache"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/dataplane/routing"
	"github.com/serin-dev/serin/internal/hosts"
)

// The mirror holds the part of each object that the table needs. Objects may be
// older than the schema or written by a stranger. A field of a wrong type counts
// as absent: an error or a panic would stop the reflector for all objects of the
// kind.

// slim is an object as the reflector of a kind has it: the metadata is for the
// reflector, the part is kept. It has no part if it gets no requests.
type slim[T any] struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	part *T
}

// DeepCopyObject returns the same object. It is never changed.
func (s *slim[T]) DeepCopyObject() runtime.Object { return s }

// service is the kept part of an InferenceService. That of a Pod is a routing.Pod.
type service struct {
	routing.Service
	warning string // what is wrong with its annotations
}

// guarded returns read with a panic turned into a broken object: a bug that an
// object meets costs that object only.
func guarded(read func(any) any, broken func(meta metav1.ObjectMeta, why string) any) cache.TransformFunc {
	return func(o any) (out any, err error) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			m, noMeta := meta.Accessor(o)
			if noMeta != nil {
				out, err = nil, noMeta
				return
			}
			out = broken(slimMeta(m), fmt.Sprintf("it meets a bug: %v", p))
		}()
		return read(o), nil
	}
}

func brokenService(m metav1.ObjectMeta, why string) any {
	return &slim[service]{ObjectMeta: m, part: &service{Service: routing.Service{
		Namespace: m.Namespace, Name: m.Name, UID: string(m.UID), Created: m.CreationTimestamp.Unix(), Broken: why,
	}}}
}

func brokenPod(m metav1.ObjectMeta, _ string) any { return &slim[routing.Pod]{ObjectMeta: m} }

// slimService keeps the traffic, and the few fields of the spec that routing
// needs.
func slimService(o any) any {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return o // already slim, or a tombstone
	}
	m := slimMeta(u)
	s := &service{Service: routing.Service{
		Namespace: m.Namespace,
		Name:      m.Name,
		UID:       string(m.UID),
		Created:   m.CreationTimestamp.Unix(),
		Private:   v1beta1.Private(object(u.Object, "metadata", "labels"), object(u.Object, "spec", "predictor", "labels")),
	}}
	if sticky, ok := u.GetAnnotations()[v1beta1.AnnotationSticky]; ok {
		var err error
		if s.Sticky, err = v1beta1.ParseSticky(sticky); err != nil {
			s.warning = err.Error()
		}
	}
	seconds := whole(object(u.Object, "spec", "predictor")["timeout"], v1beta1.MaxTimeoutSeconds)
	s.Timeout = time.Duration(seconds) * time.Second
	predictor := object(u.Object, "status", "components", string(v1beta1.Predictor))
	s.HasHost = shows(object(u.Object, "status")["url"], m.Name)
	s.HasPredictorHost = shows(predictor["url"], v1beta1.Predictor.Host("", m.Name))
	traffic, _ := predictor["traffic"].([]any)
	for _, t := range traffic {
		if share, ok := slimShare(m.Name, t); ok && len(s.Traffic) < v1beta1.MaxShares {
			s.Traffic = append(s.Traffic, share)
		}
	}
	return &slim[service]{ObjectMeta: m, part: s}
}

// slimShare reads a traffic entry. It refuses an entry that names no revision of
// this service.
func slimShare(service string, entry any) (routing.Share, bool) {
	t, _ := entry.(map[string]any)
	revision, _ := t["revisionName"].(string)
	if _, ours := v1beta1.Predictor.RevisionNumber(service, revision); !ours {
		return routing.Share{}, false
	}
	tag, _ := t["tag"].(string)
	if len(tag) > validation.DNS1123LabelMaxLength {
		tag = "" // no host and no header could ask for it
	}
	return routing.Share{
		Revision: revision,
		Percent:  int(whole(t["percent"], 100)),
		Tag:      tag,
		NoHost:   tag != "" && !shows(t["url"], v1beta1.Predictor.Host(tag, service)),
	}, true
}

func shows(url any, label string) bool {
	s, _ := url.(string)
	return hosts.Shows(s, label)
}

// whole returns a number, cut to 0 and most. Anything else is 0.
func whole(v any, most int64) int64 {
	switch n := v.(type) {
	case int64:
		return min(max(n, 0), most)
	case float64: // JSON's, and too large for an int64
		return int64(min(max(n, 0), float64(most)))
	}
	return 0
}

// object returns the object at a path, or nil.
func object(o map[string]any, path ...string) map[string]any {
	for _, field := range path {
		o, _ = o[field].(map[string]any)
	}
	return o
}

// slimPod keeps the revision, and of a ready Pod the address and the concurrency.
func (r *router) slimPod(o any) any {
	p, ok := o.(*corev1.Pod)
	if !ok {
		return o // already slim, or a tombstone
	}
	s := &slim[routing.Pod]{ObjectMeta: slimMeta(p)}
	revision := v1beta1.RevisionOfPod(p)
	if revision == "" || v1beta1.PodReady(p) == nil || v1beta1.PodLeaving(p) || !r.reachable(p.Status.PodIP) {
		return s
	}
	concurrency, err := v1beta1.PodConcurrency(p)
	if err != nil {
		r.Log.Warn("its queue alone limits a Pod's requests", "err", err)
	}
	s.part = &routing.Pod{
		Namespace:   p.Namespace,
		Revision:    revision,
		Addr:        net.JoinHostPort(p.Status.PodIP, strconv.Itoa(v1beta1.QueuePort)),
		Concurrency: concurrency,
	}
	return s
}

// reachable reports whether an address can be that of a Pod. Otherwise a user who
// may write a Pod's status could make the router call its own machine, or the
// cloud's metadata service.
func (r *router) reachable(ip string) bool {
	a, err := netip.ParseAddr(ip)
	if err != nil || a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	switch {
	case a.IsUnspecified(), a.IsMulticast(), a.IsLinkLocalUnicast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return false
	case a.IsLoopback():
		return r.Loopback
	}
	return true
}

// slimMeta keeps the metadata that an informer and the table need.
func slimMeta(m metav1.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace:         m.GetNamespace(),
		Name:              m.GetName(),
		UID:               m.GetUID(),
		ResourceVersion:   m.GetResourceVersion(),
		CreationTimestamp: m.GetCreationTimestamp(),
	}
}
