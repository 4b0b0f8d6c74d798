// SPDX-License-Identifier: Apache-2.0

package router

import (
	encodingjson "encoding/json"
	"errors"
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
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
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

// stored is the part of an InferenceService's JSON that routing needs. The rest, most of
// it, is never decoded.
type stored struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Namespace         string         `json:"namespace"`
		Name              string         `json:"name"`
		UID               types.UID      `json:"uid"`
		ResourceVersion   string         `json:"resourceVersion"`
		CreationTimestamp string         `json:"creationTimestamp"`
		Labels            map[string]any `json:"labels"`
		Annotations       map[string]any `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Predictor struct {
			Labels  map[string]any `json:"labels"`
			Timeout float64        `json:"timeout"`
		} `json:"predictor"`
	} `json:"spec"`
	Status struct {
		URL          string         `json:"url"`
		ModelDigests map[string]any `json:"modelDigests"`
		Components   struct {
			Predictor struct {
				URL     string  `json:"url"`
				Traffic []entry `json:"traffic"`
			} `json:"predictor"`
		} `json:"components"`
	} `json:"status"`
}

// entry is an entry of the traffic.
type entry struct {
	RevisionName string  `json:"revisionName"`
	Percent      float64 `json:"percent"`
	Tag          string  `json:"tag"`
	URL          string  `json:"url"`
}

// decodeService reads JSON. It leaves out the fields of a wrong type, and fails only if
// this is no JSON.
func decodeService(b []byte) (*stored, error) {
	s := &stored{}
	if err, wrongType := json.Unmarshal(b, s), (*encodingjson.UnmarshalTypeError)(nil); err != nil && !errors.As(err, &wrongType) {
		return nil, err
	}
	return s, nil
}

// slimService keeps the traffic, and the few fields of the spec that routing
// needs.
func slimService(o any) any {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return o // already slim, or a tombstone
	}
	b, err := u.MarshalJSON()
	if err != nil {
		return brokenService(slimMeta(u), err.Error())
	}
	s, err := decodeService(b)
	if err != nil {
		return brokenService(slimMeta(u), err.Error())
	}
	return s.slim()
}

// meta returns the metadata for the reflector.
func (s *stored) meta() metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: s.Metadata.Namespace, Name: s.Metadata.Name, UID: s.Metadata.UID, ResourceVersion: s.Metadata.ResourceVersion}
	if created, err := time.Parse(time.RFC3339, s.Metadata.CreationTimestamp); err == nil {
		m.CreationTimestamp = metav1.NewTime(created)
	}
	if end, ok := s.Metadata.Annotations[metav1.InitialEventsAnnotationKey].(string); ok {
		m.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: end} // of a bookmark
	}
	return m
}

func (s *stored) slim() *slim[service] {
	m := s.meta()
	predictor := s.Status.Components.Predictor
	out := &service{Service: routing.Service{
		Namespace:        m.Namespace,
		Name:             m.Name,
		UID:              string(m.UID),
		Created:          m.CreationTimestamp.Unix(),
		Private:          v1beta1.Private(s.Metadata.Labels, s.Spec.Predictor.Labels),
		Timeout:          time.Duration(whole(s.Spec.Predictor.Timeout, v1beta1.MaxTimeoutSeconds)) * time.Second,
		HasHost:          hosts.Shows(s.Status.URL, m.Name),
		HasPredictorHost: hosts.Shows(predictor.URL, v1beta1.Predictor.Host("", m.Name)),
	}}
	if sticky, ok := s.Metadata.Annotations[v1beta1.AnnotationSticky].(string); ok {
		var err error
		if out.Sticky, err = v1beta1.ParseSticky(sticky); err != nil {
			out.warning = err.Error()
		}
	}
	for _, t := range predictor.Traffic {
		if share, ok := t.share(m.Name); ok && len(out.Traffic) < v1beta1.MaxShares {
			model, _ := s.Status.ModelDigests[share.Revision].(string)
			share.Model = routing.ParseModel(model)
			out.Traffic = append(out.Traffic, share)
		}
	}
	return &slim[service]{ObjectMeta: m, part: out}
}

// share reads a traffic entry. It refuses an entry that names no revision of this
// service.
func (t entry) share(service string) (routing.Share, bool) {
	if _, ours := v1beta1.Predictor.RevisionNumber(service, t.RevisionName); !ours {
		return routing.Share{}, false
	}
	tag := t.Tag
	if len(tag) > validation.DNS1123LabelMaxLength {
		tag = "" // no host and no header could ask for it
	}
	return routing.Share{
		Revision: t.RevisionName,
		Percent:  int(whole(t.Percent, 100)),
		Tag:      tag,
		NoHost:   tag != "" && !hosts.Shows(t.URL, v1beta1.Predictor.Host(tag, service)),
	}, true
}

// whole returns a number, cut to 0 and most.
func whole(n float64, most int64) int64 { return int64(min(max(n, 0), float64(most))) }

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
		Model:       routing.ParseModel(v1beta1.PodModelDigest(p)),
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
