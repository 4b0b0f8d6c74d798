// SPDX-License-Identifier: Apache-2.0

// Package trie is an immutable map: a trie over the hashes of its keys.
//
// With and Without return a new map, which shares with the old one all but the
// path to the key: two nodes of 64 branches, and a bucket of the few keys that
// have the path in common. So a reader keeps one consistent map for as long as it
// likes, while a writer makes the next. There are two levels, whatever the size:
// at 20,000 keys a bucket has five. The package knows nothing of what it holds.
package trie

import (
	"hash/maphash"
	"iter"
	"slices"
)

// Map maps keys to values. The zero Map is empty.
type Map[K comparable, V any] struct {
	root *[branches]*node[K, V]
	n    int
}

const branches = 64

type node[K comparable, V any] [branches][]entry[K, V]

type entry[K comparable, V any] struct {
	hash  uint64
	key   K
	value V
}

// seed differs in each process, so that nobody can choose keys of one bucket.
var seed = maphash.MakeSeed()

// path returns the branches for a hash.
func path(hash uint64) (first, second uint64) { return hash % branches, hash / branches % branches }

// bucket returns the entries that have a path in common with a hash.
func (m Map[K, V]) bucket(hash uint64) []entry[K, V] {
	first, second := path(hash)
	if m.root == nil || m.root[first] == nil {
		return nil
	}
	return m.root[first][second]
}

// with returns the map with another bucket.
func (m Map[K, V]) with(hash uint64, b []entry[K, V]) Map[K, V] {
	first, second := path(hash)
	root, below := new([branches]*node[K, V]), new(node[K, V])
	if m.root != nil {
		*root = *m.root
	}
	if root[first] != nil {
		*below = *root[first]
	}
	below[second] = b
	root[first] = below
	return Map[K, V]{root, m.n}
}

func index[K comparable, V any](b []entry[K, V], hash uint64, key K) int {
	for i := range b {
		if b[i].hash == hash && b[i].key == key {
			return i
		}
	}
	return -1
}

// Len returns the number of keys.
func (m Map[K, V]) Len() int { return m.n }

// Get returns the value of a key.
func (m Map[K, V]) Get(key K) (value V, ok bool) {
	hash := maphash.Comparable(seed, key)
	b := m.bucket(hash)
	if i := index(b, hash, key); i >= 0 {
		return b[i].value, true
	}
	return value, false
}

// With returns the map in which a key has this value.
func (m Map[K, V]) With(key K, value V) Map[K, V] {
	hash := maphash.Comparable(seed, key)
	b := m.bucket(hash)
	i := index(b, hash, key)
	if i < 0 {
		i = len(b)
		m.n++
	}
	next := make([]entry[K, V], max(len(b), i+1))
	copy(next, b)
	next[i] = entry[K, V]{hash, key, value}
	return m.with(hash, next)
}

// Without returns the map without a key.
func (m Map[K, V]) Without(key K) Map[K, V] {
	hash := maphash.Comparable(seed, key)
	b := m.bucket(hash)
	i := index(b, hash, key)
	if i < 0 {
		return m
	}
	m.n--
	if m.n == 0 {
		return Map[K, V]{}
	}
	return m.with(hash, slices.Concat(b[:i], b[i+1:]))
}

// All calls yield for each key, in no particular order.
func (m Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if m.root == nil {
			return
		}
		for _, n := range m.root {
			if n == nil {
				continue
			}
			for _, b := range n {
				for i := range b {
					if !yield(b[i].key, b[i].value) {
						return
					}
				}
			}
		}
	}
}
