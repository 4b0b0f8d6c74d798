// SPDX-License-Identifier: Apache-2.0

// Package budget bounds what reading a file of a model may cost, in memory and in
// steps. A reader charges its Budget before it allocates memory, and in each
// iteration of a loop whose length comes from the file. So the cost of a file is
// bounded by its size, whatever the file says.
package budget

import (
	"errors"
	"fmt"
	"io"
)

// Limits bounds the loading of one file. The size of the file bounds it further:
// see New.
type Limits struct {
	// Memory bounds the memory of loading, in bytes, the decompressed file included.
	Memory int64
	// Stop, unless nil, is called every few milliseconds. Its error ends the load.
	Stop func() error
}

// DefaultLimits is enough for a file of 1 GiB and its model.
var DefaultLimits = Limits{Memory: 2 << 30}

// The memory that a file may take follows from its size. Arrays are as large in
// memory as in the pickle, and compress up to a hundredfold. Small objects, as in a
// forest of thousands of stumps, are 25 times as large as in the pickle, but
// compress tenfold at most. A bomb is made of objects and compresses a
// thousandfold.
const (
	freeBytes     = 64 << 20
	freeSteps     = 4 << 20
	maxRatio      = 1000 // of decompressed to stored bytes: zlib cannot do more
	bytesConsumed = 3    // of memory for each byte that is decompressed
	bytesStored   = 256  // and for each byte of the file
	stepsPerByte  = 4    // for each of both

	// StepBytes is how much memory one step can fill or copy.
	StepBytes = 64
	// pollSteps is how often Stop is called: every few milliseconds.
	pollSteps = 1 << 16
)

// Budget is the memory and the steps that loading one file has left. Every part
// of a loader charges it before it allocates and in each iteration of its
// loops, so that the cost counts what is done and not what is stored. What is
// charged and does not stay is released.
type Budget struct {
	memory    int64
	steps     int64
	unread    int64 // bytes that the file may still hold
	untilPoll int64 // steps until Stop is called
	stop      func() error
	size      int64 // of the memory, left and charged
	whole     int64 // limits.Memory
}

// ErrMemory is the error of a load that a larger Limits.Memory would allow.
var ErrMemory = errors.New("the model needs more memory")

var errSteps = errors.New("reading the file takes more work than any model of its size needs")

// New returns the budget of a file of stored bytes. Consume adds to it.
func New(limits Limits, stored int64) *Budget {
	b := &Budget{stop: limits.Stop, whole: limits.Memory}
	b.steps = freeSteps + stepsPerByte*stored
	b.size = min(limits.Memory, freeBytes+bytesStored*stored)
	b.memory = b.size
	b.unread = freeBytes + maxRatio*stored
	return b
}

// Read reads a file of size bytes into memory that is charged.
func Read(r io.Reader, size int64, limits Limits) ([]byte, *Budget, error) {
	b := New(limits, size)
	if err := b.Alloc(int(size)); err != nil {
		return nil, nil, err
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, nil, fmt.Errorf("read the file: %w", err)
	}
	return data, b, nil
}

// Consume adds what n more bytes of the file, after decompression, allow for.
func (b *Budget) Consume(n int) error {
	if b.unread -= int64(n); b.unread < 0 {
		return errors.New("the file holds more than any model of its size")
	}
	b.steps += stepsPerByte * int64(n)
	more := min(bytesConsumed*int64(n), b.whole-b.size)
	b.size += more
	b.memory += more
	return nil
}

// Fits reports with an error whether n bytes are left. It charges nothing.
func (b *Budget) Fits(n int64) error {
	switch {
	case n <= b.memory:
		return nil
	case b.size == b.whole:
		return fmt.Errorf("%w than the %d bytes that loading may take here", ErrMemory, b.whole)
	}
	return fmt.Errorf("the file makes more than any model of its size holds: %d bytes", b.size)
}

// Alloc charges n bytes of memory, and the steps to fill them.
func (b *Budget) Alloc(n int) error {
	if err := b.Fits(int64(n)); err != nil {
		return err
	}
	b.memory -= int64(n)
	return b.Work(1 + n/StepBytes)
}

// Release returns n bytes to the budget.
func (b *Budget) Release(n int) { b.memory += int64(n) }

// Work charges n steps.
func (b *Budget) Work(n int) error {
	b.steps -= int64(n)
	if b.steps < 0 {
		return errSteps
	}
	return b.Poll(n)
}

// Poll counts n steps without charging them, and calls Stop every pollSteps.
func (b *Budget) Poll(n int) error {
	b.untilPoll -= int64(n)
	if b.untilPoll > 0 || b.stop == nil {
		return nil
	}
	b.untilPoll = pollSteps
	return b.stop()
}

// Left returns the bytes of memory that are left.
func (b *Budget) Left() int64 { return b.memory }
