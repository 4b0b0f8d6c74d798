// SPDX-License-Identifier: Apache-2.0

package trie

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Any history leaves what a Go map would hold, in the latest map and in each one
// before it.
func TestMapIsAGoMapThatKeepsItsPast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			trie Map[string, int]
			want map[string]int
		}
		versions := []version{{want: map[string]int{}}}
		for i := range rapid.IntRange(1, 200).Draw(t, "changes") {
			last := versions[len(versions)-1]
			key := fmt.Sprint(rapid.IntRange(0, 100).Draw(t, "key"))
			next := version{last.trie.With(key, i), maps.Clone(last.want)}
			next.want[key] = i
			if rapid.Bool().Draw(t, "delete") {
				next.trie = last.trie.Without(key)
				delete(next.want, key)
			}
			versions = append(versions, next)
		}
		for _, v := range versions {
			if diff := cmp.Diff(v.want, maps.Collect(v.trie.All())); diff != "" || v.trie.Len() != len(v.want) {
				t.Fatalf("of %d keys: %s", v.trie.Len(), diff)
			}
			for k := range 101 {
				got, ok := v.trie.Get(fmt.Sprint(k))
				if want, has := v.want[fmt.Sprint(k)]; got != want || ok != has {
					t.Fatalf("%d is %d, %v, want %d, %v", k, got, ok, want, has)
				}
			}
		}
	})
}

// Keys of one bucket are told apart, also if their hashes are the same.
func TestKeysShareABucket(t *testing.T) {
	b := []entry[string, int]{{7, "a", 1}, {7, "b", 2}, {7 + branches*branches, "a", 3}}
	for i, e := range b {
		if got := index(b, e.hash, e.key); got != i {
			t.Errorf("%+v is found at %d, want %d", e, got, i)
		}
	}
	if got := index(b, 7, "c"); got >= 0 {
		t.Errorf("another key of the same hash is found at %d", got)
	}
}

// A change copies the path to a key, and no more with a thousand times the keys.
func TestChangeCopiesOnePath(t *testing.T) {
	for _, size := range []int{10, 10_000} {
		var m Map[int, int]
		for i := range size {
			m = m.With(i, i)
		}
		i := 0
		if n := testing.AllocsPerRun(1000, func() { m = m.With(i*7%size, i); i++ }); n > 3 {
			t.Errorf("a change among %d keys allocates %v times", size, n)
		}
	}
	var m Map[struct{ a, b string }, int]
	key := struct{ a, b string }{"namespace", "name"}
	m = m.With(key, 1)
	if n := testing.AllocsPerRun(100, func() { m.Get(key) }); n != 0 {
		t.Errorf("Get allocates %v times", n)
	}
}

func BenchmarkGet(b *testing.B) {
	type name struct{ namespace, name string }
	var m Map[name, int]
	var keys []name
	for i := range 20_000 {
		keys = append(keys, name{fmt.Sprint("team-", i%50), fmt.Sprint("iris-", i, "-predictor")})
		m = m.With(keys[i], i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m.Get(keys[i])
		i = (i + 7) % 20_000
	}
}

func BenchmarkWith(b *testing.B) {
	var m Map[int, int]
	for i := range 20_000 {
		m = m.With(i, i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m.With(i*7%20_000, i)
		i++
	}
}
