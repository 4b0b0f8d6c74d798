// SPDX-License-Identifier: Apache-2.0

package router

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"

	"k8s.io/client-go/tools/cache"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/dataplane/routing"
)

// mirror is what routing needs of the cluster, and the only cache of it: reflectors
// fill its stores, which keep a few fields of each object. It collects what changes
// until the table has it.
type mirror struct {
	log      *slog.Logger
	services store[service]
	pods     store[routing.Pod]

	mu   sync.Mutex
	of   map[routing.Name][]routing.Pod // the ready Pods of each revision
	next routing.Change                 // what the table does not have yet
	due  chan struct{}                  // has a value if there is any such
}

// newMirror returns an empty mirror.
func newMirror(slimService, slimPod cache.TransformFunc, log *slog.Logger) *mirror {
	m := &mirror{log: log, of: map[routing.Name][]routing.Pod{}, due: make(chan struct{}, 1)}
	m.services = store[service]{slim: slimService, set: m.setService, known: map[routing.Name]*service{}, synced: make(chan struct{})}
	m.pods = store[routing.Pod]{slim: slimPod, set: m.setPod, known: map[routing.Name]*routing.Pod{}, synced: make(chan struct{})}
	return m
}

// take returns what changed since the last call.
func (m *mirror) take() routing.Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.next
	m.next = routing.Change{}
	return c
}

func (m *mirror) setService(key routing.Name, old, s *service) {
	var next *routing.Service
	if s != nil {
		next = &s.Service
		if s.warning != "" && (old == nil || old.warning != s.warning) {
			m.log.Warn("the split alone decides", "inferenceservice", key.Namespace+"/"+key.Name, "annotation", v1beta1.AnnotationSticky, "err", s.warning)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next.Services == nil {
		m.next.Services = map[routing.Name]*routing.Service{}
	}
	m.next.Services[key] = next
	m.wake()
}

// setPod moves a Pod from the revision of its old state to that of the next.
func (m *mirror) setPod(_ routing.Name, old, p *routing.Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old != nil {
		key := routing.Name{Namespace: old.Namespace, Name: old.Revision}
		pods := m.of[key]
		// Until all events are here, another Pod may have the same address: one goes.
		if i := slices.Index(pods, *old); i >= 0 {
			pods = slices.Concat(pods[:i], pods[i+1:])
		}
		m.setPods(key, pods)
	}
	if p != nil {
		key := routing.Name{Namespace: p.Namespace, Name: p.Revision}
		m.setPods(key, append(slices.Clip(m.of[key]), *p))
	}
	m.wake()
}

func (m *mirror) setPods(revision routing.Name, pods []routing.Pod) {
	if m.of[revision] = pods; len(pods) == 0 {
		delete(m.of, revision)
	}
	if m.next.Pods == nil {
		m.next.Pods = map[routing.Name][]routing.Pod{}
	}
	m.next.Pods[revision] = pods
}

func (m *mirror) wake() {
	select {
	case m.due <- struct{}{}:
	default: // it has one
	}
}

// store is a cache.ReflectorStore. Only its reflector calls it.
type store[T any] struct {
	slim   cache.TransformFunc // an object to a *slim[T], and one of those to itself
	known  map[routing.Name]*T
	set    func(key routing.Name, old, next *T) // called for each difference; nil: none
	synced chan struct{}                        // closed after the first Replace
}

// Transformer implements cache.TransformingStore: while a reflector collects all
// objects, it holds them slimmed.
func (s *store[T]) Transformer() cache.TransformFunc { return s.slim }

// Add implements cache.ReflectorStore.
func (s *store[T]) Add(o any) error { return s.Update(o) }

// Update implements cache.ReflectorStore.
func (s *store[T]) Update(o any) error {
	key, next, err := s.read(o)
	if err == nil {
		s.put(key, next)
	}
	return err
}

// Delete implements cache.ReflectorStore.
func (s *store[T]) Delete(o any) error {
	key, _, err := s.read(o)
	if err == nil {
		s.put(key, nil)
	}
	return err
}

// Replace implements cache.ReflectorStore.
func (s *store[T]) Replace(objects []any, _ string) error {
	stay := make(map[routing.Name]bool, len(objects))
	for _, o := range objects {
		key, next, err := s.read(o)
		if err != nil {
			return err
		}
		stay[key] = true
		s.put(key, next)
	}
	for key := range s.known {
		if !stay[key] {
			s.put(key, nil)
		}
	}
	select {
	case <-s.synced:
	default:
		close(s.synced)
	}
	return nil
}

// Resync implements cache.ReflectorStore.
func (s *store[T]) Resync() error { return nil }

// read returns the name of an object, and its part.
func (s *store[T]) read(o any) (routing.Name, *T, error) {
	o, err := s.slim(o)
	if err != nil {
		return routing.Name{}, nil, err
	}
	object, ok := o.(*slim[T])
	if !ok {
		return routing.Name{}, nil, fmt.Errorf("a %T is no object", o)
	}
	return routing.Name{Namespace: object.Namespace, Name: object.Name}, object.part, nil
}

func (s *store[T]) put(key routing.Name, next *T) {
	old := s.known[key]
	if old == next || old != nil && next != nil && reflect.DeepEqual(*old, *next) {
		return
	}
	if s.known[key] = next; next == nil {
		delete(s.known, key)
	}
	s.set(key, old, next)
}
