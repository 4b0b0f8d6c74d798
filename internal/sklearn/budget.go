// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"errors"
	"fmt"
)

// Limits bounds what loading one file may take. What a file of its size may
// take bounds it further: see newBudget.
type Limits struct {
	// Memory is how many bytes loading may hold, the decompressed file included.
	Memory int64
	// Stop, unless nil, is called now and then. Its error ends the load.
	Stop func() error
}

// DefaultLimits fits a file of 1 GiB and what is made of it.
var DefaultLimits = Limits{Memory: 2 << 30}

// What a file may take follows from its size. Arrays are as large in memory as
// in the pickle, and shrink a hundredfold in the file. Small objects, as in a
// forest of thousands of stumps, are 25 times as large as in the pickle, but
// shrink no more than tenfold. A bomb is made of objects and shrinks a thousandfold.
const (
	freeBytes    = 64 << 20 // decompressed, and again for what is made of it
	freeSteps    = 4 << 20
	maxRatio     = 1000 // of decompressed to stored bytes: zlib cannot do more
	bytesPickled = 2    // of memory for each byte of the pickle
	bytesStored  = 256  // and for each byte of the file
	stepsPickled = 4

	// stepBytes is how much memory one step can fill or copy.
	stepBytes = 64
	// pollSteps is how often Stop is called: every few milliseconds.
	pollSteps = 1 << 16
)

// budget is what loading one file may still do. Every part of the loader pays
// before it takes memory and for each turn of its loops, so that a file costs
// what is done with it, not what is stored.
type budget struct {
	memory int64
	steps  int64
	poll   int64 // steps until Stop is called
	stop   func() error
	size   int64 // of the memory at the beginning
	whole  int64 // limits.Memory
}

// ErrMemory is what is wrong where a larger Limits.Memory would help.
var ErrMemory = errors.New("the model needs more memory")

var errSteps = errors.New("reading the file takes more work than any model of its size needs")

// newBudget is for a file of so many stored bytes. unpacked adds to it.
func newBudget(limits Limits, stored int) *budget {
	b := &budget{steps: freeSteps + stepsPickled*int64(stored), stop: limits.Stop, whole: limits.Memory}
	b.size = min(limits.Memory, freeBytes+maxRatio*int64(stored))
	b.memory = b.size
	return b
}

// unpacked tells the size of the pickle inside the file.
func (b *budget) unpacked(stored, pickle int) {
	b.steps += stepsPickled * int64(pickle-stored)
	b.size = min(b.whole, freeBytes+(1+bytesPickled)*int64(pickle)+bytesStored*int64(stored))
	b.memory = b.size - int64(pickle)
}

// alloc pays for n bytes of memory, and for filling them.
func (b *budget) alloc(n int) error {
	if b.memory < int64(n) {
		if b.size == b.whole {
			return fmt.Errorf("%w than the %d bytes that loading may take here", ErrMemory, b.whole)
		}
		return fmt.Errorf("the file makes more than any model of its size holds: %d bytes", b.size)
	}
	b.memory -= int64(n)
	return b.work(1 + n/stepBytes)
}

// release gives back memory that alloc paid for.
func (b *budget) release(n int) { b.memory += int64(n) }

// work pays for n steps.
func (b *budget) work(n int) error {
	b.steps -= int64(n)
	if b.steps < 0 {
		return errSteps
	}
	return b.hear(n)
}

// hear asks whether to stop, once in a while.
func (b *budget) hear(n int) error {
	b.poll -= int64(n)
	if b.poll > 0 || b.stop == nil {
		return nil
	}
	b.poll = pollSteps
	return b.stop()
}
