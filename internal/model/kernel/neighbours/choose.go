// SPDX-License-Identifier: Apache-2.0

package neighbours

import (
	"math/bits"

	"github.com/serin-dev/serin/internal/model/graph"
)

// choose fills a heap with the smallest of some distances. Of equally far rows it takes
// those that numpy's argpartition takes, which is introselect (Musser 1997) with pivots
// that are the median of three.
func choose(w *graph.Work, h *heap, far []float64) {
	p := partition{far, w.Ints(len(far))}
	for i := range p.order {
		p.order[i] = i
	}
	p.split(len(h.far) - 1)
	for i := range h.far {
		h.far[i], h.row[i] = far[p.order[i]], p.order[i]
	}
}

type partition struct {
	values []float64
	order  []int
}

// less puts NaN last.
func (p *partition) less(i, j int) bool { return lessThan(p.values[p.order[i]], p.values[p.order[j]]) }

func lessThan(a, b float64) bool { return a < b || b != b && a == a }

func (p *partition) swap(i, j int) { p.order[i], p.order[j] = p.order[j], p.order[i] }

// split moves the element that belongs at index k there, and smaller ones before it.
func (p *partition) split(k int) {
	low, high := 0, len(p.order)-1
	const few = 3
	if k-low < few {
		p.selection(k)
		return
	}
	for depth := 2 * bits.Len(uint(len(p.order))); low+1 < high; depth-- {
		if depth < 0 {
			p.selection(k) // which ends, for values that are made to be slow
			return
		}
		ll, hh := p.cut(low, high)
		if hh >= k {
			high = hh - 1
		}
		if hh <= k {
			low = ll
		}
	}
	if high == low+1 && p.less(high, low) {
		p.swap(high, low)
	}
}

// cut puts elements that are not above a pivot before it, and others behind it. The
// pivot is then at hh, and others start at ll.
func (p *partition) cut(low, high int) (ll, hh int) {
	p.pivot(low, low+(high-low)/2, high)
	ll, hh = low+1, high
	pivot := p.values[p.order[low]]
	for {
		for ll++; lessThan(p.values[p.order[ll]], pivot); ll++ {
		}
		for hh--; lessThan(pivot, p.values[p.order[hh]]); hh-- {
		}
		if hh < ll {
			break
		}
		p.swap(ll, hh)
	}
	p.swap(low, hh)
	return ll, hh
}

// pivot puts the median of three at low, and the smallest of them beside it.
func (p *partition) pivot(low, mid, high int) {
	if p.less(high, mid) {
		p.swap(high, mid)
	}
	if p.less(high, low) {
		p.swap(high, low)
	}
	if p.less(low, mid) {
		p.swap(low, mid)
	}
	p.swap(mid, low+1)
}

// selection sorts the first k+1 by selection.
func (p *partition) selection(k int) {
	for i := range k + 1 {
		least := i
		for j := i + 1; j < len(p.order); j++ {
			if p.less(j, least) {
				least = j
			}
		}
		p.swap(i, least)
	}
}
