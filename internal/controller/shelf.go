// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/klauspost/compress/zstd"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/rollout"
)

// shelves hold the objects of which there are some for each service. With
// thousands of services these are nearly all of the controller's memory, and
// each is read only when its service is decided on, so they lie packed.
type shelves struct {
	services, revisions, deployments, addresses, pods *shelf
	// runtimes and clusterRuntimes are few, and lie here because users write them.
	runtimes, clusterRuntimes *shelf
}

func newShelves() shelves {
	return shelves{
		services:        &shelf{empty: ofUsers(v1beta1.Kind)},
		revisions:       &shelf{empty: &appsv1.ControllerRevision{}, ours: true},
		deployments:     &shelf{empty: &appsv1.Deployment{}, ours: true},
		addresses:       &shelf{empty: &corev1.Service{}, ours: true},
		pods:            &shelf{empty: &corev1.Pod{}, ours: true},
		runtimes:        &shelf{empty: ofUsers(v1alpha1.GroupVersion.WithKind("ServingRuntime"))},
		clusterRuntimes: &shelf{empty: ofUsers(v1alpha1.GroupVersion.WithKind("ClusterServingRuntime"))},
	}
}

// ofUsers is the kind of objects that no schema checks to the last field. They
// are cached as they come: where one that cannot be read would keep a typed
// informer from all others, it is the business of its own service here.
func ofUsers(kind schema.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	return u
}

func (s shelves) all() []*shelf {
	return []*shelf{s.services, s.revisions, s.deployments, s.addresses, s.pods, s.runtimes, s.clusterRuntimes}
}

// byService is the name of the index of objects by NAMESPACE/SERVICE.
const byService = "service"

func serviceIndex(o any) ([]string, error) {
	p, ok := o.(*packed)
	if !ok {
		return nil, nil
	}
	return []string{p.Namespace + "/" + p.Labels[v1beta1.LabelService]}, nil
}

// open connects the shelves to the informers of a cache, which hold the objects.
func (s shelves) open(ctx context.Context, c cache.Cache) error {
	for _, sh := range s.all() {
		i, err := c.GetInformer(ctx, sh.empty)
		if err != nil {
			return err
		}
		shared, ok := i.(toolscache.SharedIndexInformer)
		if !ok {
			return fmt.Errorf("the informer of %T is a %T, which shows no index", sh.empty, i)
		}
		if err := shared.AddIndexers(toolscache.Indexers{byService: serviceIndex}); err != nil {
			return err
		}
		sh.objects = shared.GetIndexer()
	}
	return s.services.objects.AddIndexers(nameIndex)
}

// shelf holds the objects of one kind. Those are much alike, so the first is
// the dictionary by which the others are compressed.
type shelf struct {
	empty   client.Object // of the kind
	ours    bool          // only those with the label of a service
	objects toolscache.Indexer

	once  sync.Once
	write *zstd.Encoder
	read  *zstd.Decoder
	err   error
}

// packed is an object of a shelf: what indexes and watches look at, and all of
// it, compressed.
type packed struct {
	metav1.PartialObjectMetadata
	whole []byte
}

// DeepCopyObject keeps it one of its kind. Nobody changes it.
func (p *packed) DeepCopyObject() runtime.Object { return p }

// protobuf is what built-in objects are, and those of definitions are not.
type protobuf interface {
	Marshal() ([]byte, error)
	Unmarshal(b []byte) error
}

// pack is the transformation of an informer, which calls it twice for some
// objects. Of Pods no decision reads the spec.
//
// It never fails: an error would keep the informer from all objects of the
// kind. One that cannot be packed cannot be read, which is its service's matter.
func (s *shelf) pack(o any) (out any, err error) {
	object, ok := o.(client.Object)
	if _, done := o.(*packed); !ok || done {
		return o, nil
	}
	defer func() {
		if p := recover(); p != nil {
			out, err = head(object), nil
		}
	}()
	p, err := s.whole(object)
	if err != nil {
		return head(object), nil
	}
	return p, nil
}

// whole packs all of an object.
func (s *shelf) whole(object client.Object) (*packed, error) {
	object.SetManagedFields(nil)
	if pod, ok := object.(*corev1.Pod); ok {
		pod.Spec, pod.Annotations = corev1.PodSpec{}, nil
	}
	var (
		b   []byte
		err error
	)
	if p, ok := object.(protobuf); ok {
		b, err = p.Marshal()
	} else {
		b, err = json.Marshal(object)
	}
	if err = errors.Join(err, s.dictionary(b)); err != nil {
		return nil, err
	}
	p := head(object)
	p.whole = bytes.Clone(s.write.EncodeAll(b, nil)) // it allocates for the worst case
	return p, nil
}

// head is what indexes and watches look at.
func head(object client.Object) *packed {
	p := &packed{}
	p.Namespace, p.Name, p.UID, p.ResourceVersion = object.GetNamespace(), object.GetName(), object.GetUID(), object.GetResourceVersion()
	p.OwnerReferences = object.GetOwnerReferences()
	if service, ok := object.GetLabels()[v1beta1.LabelService]; ok {
		p.Labels = map[string]string{v1beta1.LabelService: service}
	}
	return p
}

// maxDictionary bounds the dictionary, which every other object is compared
// with: the first may be a stranger's, and huge.
const maxDictionary = 64 << 10

// dictionary makes the first object that.
func (s *shelf) dictionary(first []byte) error {
	const id = 1
	first = first[:min(len(first), maxDictionary)]
	s.once.Do(func() {
		var errs [2]error
		s.write, errs[0] = zstd.NewWriter(nil, zstd.WithEncoderDictRaw(id, first), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(64<<10), zstd.WithEncoderCRC(false))
		s.read, errs[1] = zstd.NewReader(nil, zstd.WithDecoderDictRaw(id, first))
		s.err = errors.Join(errs[:]...)
	})
	return s.err
}

// unpack writes an object of the shelf into an empty one of its kind, or into a
// part of that. The error does not name the object.
func (s *shelf) unpack(o, into any) error {
	b, err := s.raw(o)
	if err != nil {
		return err
	}
	if in, ok := into.(protobuf); ok {
		return in.Unmarshal(b)
	}
	return v1beta1.Decode(b, into)
}

// raw is an object of the shelf as it was packed.
func (s *shelf) raw(o any) ([]byte, error) {
	p, ok := o.(*packed)
	if !ok || p.whole == nil {
		return nil, fmt.Errorf("on the shelf of %T lies a %T that is not whole", s.empty, o)
	}
	return s.read.DecodeAll(p.whole, nil)
}

// service reads a service; nil if there is none. Of one whose spec cannot be
// read it returns the rest, and why.
func (s shelves) service(key types.NamespacedName) (*v1beta1.InferenceService, *rollout.Invalid, error) {
	o, ok, err := s.services.objects.GetByKey(key.String())
	if err != nil || !ok {
		return nil, nil, err
	}
	raw, err := s.services.raw(o)
	if err != nil {
		return nil, nil, fmt.Errorf("unpack service: %w", err)
	}
	service, wrong := v1beta1.DecodeService(raw)
	switch {
	case service == nil:
		return nil, nil, fmt.Errorf("read service: %w", wrong)
	case wrong != nil:
		return service, &rollout.Invalid{Reason: v1beta1.InvalidPredictorSpec, Message: unreadable(wrong)}, nil
	}
	return service, nil, nil
}

// readable reads the objects of a namespace, or those of none, that can be
// read, and says of each other why not.
func readable[T any, P interface {
	*T
	client.Object
}](s *shelf, namespace string) (out []T, broken []string) {
	for _, o := range s.objects.List() {
		p, ok := o.(*packed)
		if !ok || p.Namespace != namespace {
			continue
		}
		var t T
		if err := s.unpack(o, P(&t)); err != nil {
			broken = append(broken, fmt.Sprintf("%s %s: %s", s.empty.GetObjectKind().GroupVersionKind().Kind, p.Name, unreadable(err)))
			continue
		}
		out = append(out, t)
	}
	return out, broken
}

// unreadable names the field of which a value is of a wrong type. In its path
// Go names the structs that are inlined, too: fields of the API begin small.
func unreadable(err error) string {
	if field, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		path := slices.DeleteFunc(strings.Split(field.Field, "."), func(name string) bool { return strings.IndexFunc(name, unicode.IsUpper) == 0 })
		return fmt.Sprintf("%s cannot be a %s: it is %s", strings.Join(path, "."), field.Value, field.Type)
	}
	return "it cannot be read: " + err.Error()
}

// of reads a service's objects of the kind of T.
func of[T any, P interface {
	*T
	client.Object
}](s *shelf, service types.NamespacedName) ([]T, error) {
	objects, err := s.objects.ByIndex(byService, service.String())
	if err != nil {
		return nil, err
	}
	out := make([]T, len(objects))
	for i, o := range objects {
		if err := s.unpack(o, P(&out[i])); err != nil {
			return nil, fmt.Errorf("unpack %T %s: %w", out[i], service, err)
		}
	}
	return out, nil
}
