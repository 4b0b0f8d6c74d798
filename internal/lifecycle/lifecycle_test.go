// SPDX-License-Identifier: Apache-2.0

package lifecycle_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/lifecycle"
)

func TestStopEndsPartsInReverseOrder(t *testing.T) {
	var ended []string // written by one part at a time: Stop waits for each
	s := lifecycle.New()
	for _, name := range []string{"store", "server", "client"} {
		s.Start(name, func(ctx context.Context) error {
			<-ctx.Done()
			ended = append(ended, name)
			return ctx.Err()
		})
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"client", "server", "store"}, ended); diff != "" {
		t.Error(diff)
	}
}

func TestPartThatEndsByItselfIsReported(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"with an error": {errors.New("disk full"), "store: disk full"},
		"without one":   {nil, "store: ended unexpectedly"},
	} {
		t.Run(name, func(t *testing.T) {
			s := lifecycle.New()
			s.Start("store", func(context.Context) error { return c.err })
			if err := <-s.Failed(); err.Error() != c.want {
				t.Errorf("failed: %v, want %s", err, c.want)
			}
			if err := s.Stop(); err != nil {
				t.Errorf("Stop reported it again: %v", err)
			}
		})
	}
}

func TestStopReportsFailuresThatWereNotReceived(t *testing.T) {
	s := lifecycle.New()
	ended := make(chan struct{})
	s.Start("store", func(context.Context) error { defer close(ended); return errors.New("disk full") })
	<-ended
	for len(s.Failed()) == 0 { // between the part's end and its report
		runtime.Gosched()
	}
	if err := s.Stop(); err == nil || err.Error() != "store: disk full" {
		t.Errorf("Stop: %v", err)
	}
}

func TestUntilEndsWhenItHoldsOrAPartFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lifecycle.New()
		asked := 0
		third := func(context.Context) error {
			if asked++; asked < 3 {
				return errors.New("not yet")
			}
			return nil
		}
		if err := s.Until(t.Context(), "the third time", third); err != nil || asked != 3 {
			t.Errorf("asked %d times: %v", asked, err)
		}
		never := func(context.Context) error { return errors.New("no") }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := lifecycle.Until(ctx, "a miracle", never)
		if want := "wait for a miracle: context deadline exceeded; it last said: no"; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		s.Start("clock", func(context.Context) error { return errors.New("broken") })
		if err := s.Until(t.Context(), "a miracle", never); err == nil || err.Error() != "clock: broken" {
			t.Errorf("a part failed, Until says %v", err)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}
