// SPDX-License-Identifier: Apache-2.0

package vector

import "golang.org/x/sys/cpu"

// fast reports whether the processor has the instructions of these functions. Those of the
// last ten years have.
var fast = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// fourFast is four for rows of cols values, of which each begins apart values after
// the one before. It adds up every eighth product at first, and so rounds in another
// order.
//
//go:noescape
func fourFast(dst *float64, stride int, four *float64, apart int, m, add *float64, cols, rows int)

// apartFast has the squared distances of four rows and others as fourFast has products.
//
//go:noescape
func apartFast(dst *float64, stride int, four *float64, apart int, m *float64, cols, rows int)

// lanesFast multiplies four rows with groups of eight others, whose columns lie side by
// side. The products of a row begin stride values after those of the one before.
//
//go:noescape
func lanesFast(dst *float64, stride int, four *float64, apart int, m *float64, cols, groups int)

// blocksFast has the sums of absolute differences as lanesFast has products.
//
//go:noescape
func blocksFast(dst *float64, stride int, four *float64, apart int, m *float64, cols, groups int)

// withinFast is Within for n values, a multiple of 16.
//
//go:noescape
func withinFast(p *float64, n int, limit float64) bool

// singlesFast is Singles for n values, a multiple of 8.
//
//go:noescape
func singlesFast(dst *float32, src *float64, n int)

// expFast is Exp for n values, a multiple of 16, between -708 and 708.
//
//go:noescape
func expFast(p *float64, n int)
