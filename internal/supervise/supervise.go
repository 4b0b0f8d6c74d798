// SPDX-License-Identifier: Apache-2.0

// Package supervise runs the long-lived parts of a process: started one after
// the other, watched for an unexpected end, stopped in reverse order. It
// restarts nothing; a part that ends is a reason to end the process.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Parts are running parts. Its methods belong to one goroutine.
type Parts struct {
	parts  []*part
	failed chan error
}

type part struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// New has no parts yet.
func New() *Parts { return &Parts{failed: make(chan error, 1)} }

// Start runs a part in the background. Its context ends when Stop reaches it,
// and only then: parts outlive the request to stop until their turn comes.
func (s *Parts) Start(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &part{cancel: cancel, done: make(chan struct{})}
	s.parts = append(s.parts, p)
	go func() {
		defer close(p.done)
		err := run(ctx)
		if ctx.Err() != nil {
			return // asked to stop: parts report that in many ways
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

// Failed reports the first part that ended without being told to.
func (s *Parts) Failed() <-chan error { return s.failed }

// between is how long Until waits from one look to the next.
const between = 20 * time.Millisecond

// Until returns nil when ok does, which it asks again and again, and an error
// when ctx ends or a part fails first. What names what is awaited.
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

// Until is the method of that name for a part, which watches no others.
func Until(ctx context.Context, what string, ok func(context.Context) error) error {
	return new(Parts).Until(ctx, what, ok)
}

// Stop ends the parts, latest first, and waits for each. It returns the failure
// that nobody has received from Failed.
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
