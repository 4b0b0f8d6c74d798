// SPDX-License-Identifier: Apache-2.0

// Package lifecycle runs the long-lived parts of a process. It starts them in
// order, reports the first that ends unexpectedly, and stops them in reverse
// order. It restarts nothing: when a part ends, the process should end.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Parts are the running parts. One goroutine calls its methods.
type Parts struct {
	parts  []*part
	failed chan error
}

type part struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// New returns Parts without any part.
func New() *Parts { return &Parts{failed: make(chan error, 1)} }

// Start runs a part in the background. Its context ends when it is the part's turn
// in Stop, and not before.
func (s *Parts) Start(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &part{cancel: cancel, done: make(chan struct{})}
	s.parts = append(s.parts, p)
	go func() {
		defer close(p.done)
		err := run(ctx)
		if ctx.Err() != nil {
			return // it was told to stop, and may report that in any way
		}
		if err == nil {
			err = errors.New("ended unexpectedly")
		}
		select {
		case s.failed <- fmt.Errorf("%s: %w", name, err):
		default:
		}
	}()
}

// Failed returns a channel that receives the error of the first part that ended
// before Stop.
func (s *Parts) Failed() <-chan error { return s.failed }

// between is the pause between two calls of ok.
const between = 20 * time.Millisecond

// Until calls ok again and again until it returns nil. If ctx ends or a part fails
// before, it returns an error with what, the name of the thing to wait for.
func (s *Parts) Until(ctx context.Context, what string, ok func(context.Context) error) error {
	tick := time.NewTicker(between)
	defer tick.Stop()
	for {
		last := ok(ctx)
		if last == nil {
			return nil
		}
		select {
		case err := <-s.failed:
			return err
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; it last said: %w", what, ctx.Err(), last)
		case <-tick.C:
		}
	}
}

// Until is Parts.Until for use inside a part: it does not watch other parts.
func Until(ctx context.Context, what string, ok func(context.Context) error) error {
	return new(Parts).Until(ctx, what, ok)
}

// Stop stops the parts in reverse order and waits for each. It returns the first
// failure, unless it was received from Failed.
func (s *Parts) Stop() error {
	for _, p := range slices.Backward(s.parts) {
		p.cancel()
		<-p.done
	}
	s.parts = nil
	select {
	case err := <-s.failed:
		return err
	default:
		return nil
	}
}
