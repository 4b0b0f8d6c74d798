// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"errors"

	"github.com/serin-dev/serin/internal/model/frame"
)

// Work is the memory of one request, and its way to stop. The zero value is ready
// to use. What it hands out is valid until Release, and not cleared.
type Work struct {
	floats  arena[float64]
	singles arena[float32]
	ints    arena[int]
	indexes arena[int32]
	texts   arena[string]

	stop func() error // nil for never
	done int          // steps since the last call of stop
	made int          // bytes that this request has allocated
	err  error        // that stop returned
}

// Floats returns n values.
func (w *Work) Floats(n int) []float64 { return w.floats.take(n, 8, &w.made) }

// Singles returns n values.
func (w *Work) Singles(n int) []float32 { return w.singles.take(n, 4, &w.made) }

// Ints returns n values.
func (w *Work) Ints(n int) []int { return w.ints.take(n, 8, &w.made) }

// Indexes returns n values.
func (w *Work) Indexes(n int) []int32 { return w.indexes.take(n, 4, &w.made) }

// Texts returns n strings.
func (w *Work) Texts(n int) []string { return w.texts.take(n, 16, &w.made) }

// Dense returns a block of numbers, which are not cleared.
func (w *Work) Dense(rows, cols int) frame.Frame {
	return frame.Dense(rows, cols, w.Floats(rows*cols))
}

// Sparse returns a block without values, to which rows are appended: at most that many
// values, and an end of each row in Starts.
func (w *Work) Sparse(rows, cols, most int) frame.Frame {
	x := frame.Frame{Rows: rows, Cols: cols, Data: w.Floats(most)[:0], Starts: w.Ints(rows + 1)[:1], Index: w.Indexes(most)[:0]}
	x.Starts[0] = 0
	return x
}

// Steps counts n steps of about a nanosecond. Its error means that the request has
// stopped. A node that works longer than a millisecond calls it in its loops.
func (w *Work) Steps(n int) error {
	const every, most = 1 << 22, 1 << 30
	if w.made > most {
		return errFull
	}
	if w.done += n; w.done < every || w.stop == nil || w.err != nil {
		return w.err
	}
	w.done = 0
	w.err = w.stop()
	return w.err
}

// errFull ends a request whose blocks, all together, take too much: in a chain of nodes
// each keeps what it makes.
var errFull = errors.New("the model needs more than 1 GiB of memory to predict")

// Mark is a point to which Release returns.
type Mark [5]mark

// Mark remembers what is in use. A node that asks others many times releases what
// they took in between.
func (w *Work) Mark() Mark {
	return Mark{w.floats.mark(), w.singles.mark(), w.ints.mark(), w.indexes.mark(), w.texts.mark()}
}

// Release takes back all that was handed out since the mark.
func (w *Work) Release(m Mark) {
	w.floats.release(m[0])
	w.singles.release(m[1])
	w.ints.release(m[2])
	w.indexes.release(m[3])
	w.texts.release(m[4])
}

func (w *Work) begin(stop func() error) { w.stop, w.done, w.made, w.err = stop, 0, 0, nil }

// end takes back everything, and keeps what is worth it for the next request.
func (w *Work) end() {
	w.stop = nil
	w.floats.end()
	w.singles.end()
	w.ints.end()
	w.indexes.end()
	clear(w.texts.memory) // the texts of a request are not kept
	w.texts.end()
}

// arena hands out parts of one slice. When that is used up, it goes on with a
// larger one: what was handed out of the old one stays valid.
type arena[T any] struct {
	memory []T
	used   int
	slices int // so far
}

type mark struct{ used, slices int }

// take hands out n elements of size bytes, and counts what it allocates.
func (a *arena[T]) take(n, size int, made *int) []T {
	if len(a.memory)-a.used < n {
		const least = 64
		a.memory = make([]T, max(n, 2*len(a.memory), least))
		a.used = 0
		a.slices++
		*made += size * len(a.memory)
	}
	a.used += n
	return a.memory[a.used-n : a.used : a.used]
}

func (a *arena[T]) mark() mark { return mark{a.used, a.slices} }

func (a *arena[T]) release(m mark) {
	if m.slices != a.slices {
		m.used = 0 // all of this slice was taken since
	}
	a.used = m.used
}

func (a *arena[T]) end() {
	const most = 1 << 18 // elements that wait for the next request
	a.used = 0
	if len(a.memory) > most {
		a.memory = nil
	}
}
