// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func statusOfRefusal(err error) int {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.status
	}
	return 0
}

func TestLargeRequestsWaitForEachOtherAndSmallOnesDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		freed := 0
		m := &memory{whole: 80 << 20, raise: "--max_request_bytes", free: func() { freed++ }}
		first, second, small := &share{memory: m}, &share{memory: m}, &share{memory: m}
		if err := first.reserve(60 << 20); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		go func() {
			time.Sleep(10 * time.Second)
			first.release()
		}()
		if err := small.reserve(smallRequest); err != nil || time.Since(begin) > 0 {
			t.Errorf("a small request waited %v: %v", time.Since(begin), err)
		}
		if err := second.reserve(40 << 20); err != nil || time.Since(begin) != 10*time.Second {
			t.Errorf("the second waited %v: %v", time.Since(begin), err)
		}
		if err := first.reserve(40 << 20); statusOfRefusal(err) != http.StatusServiceUnavailable || time.Since(begin) != 10*time.Second+maxWait {
			t.Errorf("after %v: %v, want a refusal after %v", time.Since(begin), err, maxWait)
		}
		if err := second.hold(71 << 20); statusOfRefusal(err) != http.StatusRequestEntityTooLarge {
			t.Errorf("more than there is: %v", err)
		}
		synctest.Wait()
		if freed != 1 {
			t.Errorf("memory went back %d times while no large request ran", freed)
		}
		second.release()
		small.release()
		time.Sleep(tidyAfter)
		synctest.Wait()
		if m.used != 0 || len(m.queue) != 0 || freed != 2 {
			t.Errorf("%d bytes are used, %d wait, memory went back %d times", m.used, len(m.queue), freed)
		}
	})
}

// In any order of requests, no more is used than there is, and all of it comes back.
func TestMemoryIsNeverUsedTwiceAndNeverLost(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			m := &memory{whole: 64 << 20, free: func() {}}
			check := func() {
				m.mu.Lock()
				defer m.mu.Unlock()
				if m.used < 0 || m.used > m.whole {
					t.Errorf("seed %d: %d of %d bytes are used", seed, m.used, m.whole)
				}
			}
			var wg sync.WaitGroup
			for i := range uint64(20) {
				wg.Go(func() {
					r := rand.New(rand.NewPCG(seed, i))
					for range 20 {
						s := &share{memory: m}
						if s.reserve(r.Int64N(40<<20)) == nil {
							check()
							time.Sleep(time.Duration(r.Int64N(int64(4 * time.Second))))
							_ = s.hold(r.Int64N(70 << 20)) // it may be refused
							check()
							part := s.split(r.Int64N(1 << 20))
							s.release()
							part.release()
						}
					}
				})
			}
			wg.Wait()
			if m.used != 0 || len(m.queue) != 0 {
				t.Errorf("seed %d: %d bytes are used and %d wait at the end", seed, m.used, len(m.queue))
			}
		})
	}
}
