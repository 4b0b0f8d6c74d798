// SPDX-License-Identifier: Apache-2.0

package neighbours

import "math"

// heap holds the nearest rows so far, the farthest first. Which of equally far ones it
// loses depends on where they stand in it.
type heap struct {
	far []float64 // reduced distances
	row []int
}

func (h *heap) reset() {
	for i := range h.far {
		h.far[i], h.row[i] = math.Inf(1), 0
	}
}

// fill holds the nearest of all rows.
func (h *heap) fill(far []float64) {
	h.reset()
	for i, v := range far {
		if v < h.far[0] {
			h.push(v, i)
		}
	}
}

// push puts a row into the place of the farthest, if it is nearer.
func (h *heap) push(far float64, row int) {
	if !(far < h.far[0]) {
		return
	}
	at := 0
	for {
		child := 2*at + 1
		if child >= len(h.far) {
			break
		}
		if child+1 < len(h.far) && h.far[child+1] > h.far[child] {
			child++
		}
		if far >= h.far[child] {
			break
		}
		h.far[at], h.row[at] = h.far[child], h.row[child]
		at = child
	}
	h.far[at], h.row[at] = far, row
}

// sort puts the nearest row first, by insertion: there are few.
func (h *heap) sort() {
	for i := range h.far {
		far, row, at := h.far[i], h.row[i], i
		for ; at > 0 && h.far[at-1] > far; at-- {
			h.far[at], h.row[at] = h.far[at-1], h.row[at-1]
		}
		h.far[at], h.row[at] = far, row
	}
}
