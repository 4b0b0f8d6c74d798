// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// shelves hold the objects of which there are some for each service. With
// thousands of services these are nearly all of the controller's memory, and
// each is read only when its service is decided on, so they lie packed.
type shelves struct {
	services, revisions, deployments, addresses, pods *shelf
}

func newShelves() shelves {
	return shelves{
		services:    &shelf{empty: &v1beta1.InferenceService{}},
		revisions:   &shelf{empty: &appsv1.ControllerRevision{}},
		deployments: &shelf{empty: &appsv1.Deployment{}},
		addresses:   &shelf{empty: &corev1.Service{}},
		pods:        &shelf{empty: &corev1.Pod{}},
	}
}

func (s shelves) all() []*shelf {
	return []*shelf{s.services, s.revisions, s.deployments, s.addresses, s.pods}
}

// byService is the name of the index of objects by NAMESPACE/SERVICE.
const byService = "service"

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
		if err := shared.AddIndexers(toolscache.Indexers{byService: func(o any) ([]string, error) {
			h := o.(*packed)
			return []string{h.Namespace + "/" + h.Labels[v1beta1.LabelService]}, nil
		}}); err != nil {
			return err
		}
		sh.objects = shared.GetIndexer()
	}
	return nil
}

// shelf holds the objects of one kind. Those are much alike, so the first is
// the dictionary by which the others are compressed.
type shelf struct {
	empty   client.Object // of the kind
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
func (s *shelf) pack(o any) (any, error) {
	object, ok := o.(client.Object)
	if _, done := o.(*packed); !ok || done {
		return o, nil
	}
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
		return nil, fmt.Errorf("pack %T: %w", o, err)
	}
	p := &packed{whole: bytes.Clone(s.write.EncodeAll(b, nil))} // it allocates for the worst case
	p.Namespace, p.Name, p.UID, p.ResourceVersion = object.GetNamespace(), object.GetName(), object.GetUID(), object.GetResourceVersion()
	p.OwnerReferences = object.GetOwnerReferences()
	if service, ok := object.GetLabels()[v1beta1.LabelService]; ok {
		p.Labels = map[string]string{v1beta1.LabelService: service}
	}
	return p, nil
}

// dictionary makes the first object that.
func (s *shelf) dictionary(first []byte) error {
	const id = 1
	s.once.Do(func() {
		var errs [2]error
		s.write, errs[0] = zstd.NewWriter(nil, zstd.WithEncoderDictRaw(id, first), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(64<<10), zstd.WithEncoderCRC(false))
		s.read, errs[1] = zstd.NewReader(nil, zstd.WithDecoderDictRaw(id, first))
		s.err = errors.Join(errs[:]...)
	})
	return s.err
}

// unpack writes an object of the shelf into an empty one of its kind.
func (s *shelf) unpack(o any, into client.Object) error {
	p, ok := o.(*packed)
	if !ok {
		return fmt.Errorf("on the shelf of %T lies a %T", s.empty, o)
	}
	b, err := s.read.DecodeAll(p.whole, nil)
	if err == nil {
		if in, ok := into.(protobuf); ok {
			err = in.Unmarshal(b)
		} else {
			err = json.Unmarshal(b, into)
		}
	}
	if err != nil {
		return fmt.Errorf("unpack %T %s/%s: %w", into, p.Namespace, p.Name, err)
	}
	return nil
}

// get reads one object, and says whether there is one.
func (s *shelf) get(key types.NamespacedName, into client.Object) (bool, error) {
	o, ok, err := s.objects.GetByKey(key.String())
	if err != nil || !ok {
		return false, err
	}
	return true, s.unpack(o, into)
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
			return nil, err
		}
	}
	return out, nil
}
