// SPDX-License-Identifier: Apache-2.0

package spread

import (
	"fmt"
	"time"
)

const (
	// firstPause follows an eviction. It is doubled for each one before.
	firstPause = time.Minute
	// atOnce is how many evictions that helped double nothing: somebody drains
	// nodes, again and again.
	atOnce = 5
	// forget is how long it takes until one eviction counts no more. So there are
	// never more than four a day for long, whatever undoes them.
	forget = 6 * time.Hour
	// most is where counting ends: evictions are forgotten sooner than its pause ends.
	most = 15
	// around is how much sooner or later than the eviction a replacement seems to
	// be made: by the clock of the API server.
	around = time.Minute
)

// Record is what is known of the evictions before, and lies on the Deployment
// as an annotation: the next leader needs it, too.
type Record struct {
	// Count is of those that are not forgotten.
	Count int
	// Last is when the last one was.
	Last time.Time
}

// ParseRecord reads what String wrote. Nothing is no evictions.
func ParseRecord(s string) (Record, error) {
	if s == "" {
		return Record{}, nil
	}
	var r Record
	var last string
	if n, err := fmt.Sscanf(s, "%d %s", &r.Count, &last); n != 2 {
		return Record{}, fmt.Errorf("read %q as a number of evictions and a time: %w", s, err)
	}
	var err error
	if r.Last, err = time.Parse(time.RFC3339, last); err != nil {
		return Record{}, err
	}
	r.Count = min(max(r.Count, 0), most)
	return r, nil
}

func (r Record) String() string {
	return fmt.Sprintf("%d %s", r.Count, r.Last.UTC().Format(time.RFC3339))
}

// wait is how long the next eviction must wait; longer if the last one was in
// vain. A time that is still to come is from before the clock was set: it is worth
// nothing.
func (r Record) wait(now time.Time, vain bool) time.Duration {
	since := now.Sub(r.Last)
	if r.Count == 0 || since < 0 {
		return 0
	}
	doubled := r.Count - 1
	if !vain {
		doubled = max(0, doubled-atOnce)
	}
	return max(0, firstPause<<doubled-since)
}

// made reports whether a Pod made then may be the replacement of the last one
// that was evicted.
func (r Record) made(then time.Time) bool {
	return r.Count > 0 && then.Sub(r.Last).Abs() <= around
}

// next is the record with one eviction more.
func (r Record) next(now time.Time) Record {
	forgotten := int(max(0, now.Sub(r.Last)) / forget)
	return Record{Count: min(max(r.Count-forgotten, 0)+1, most), Last: now}
}
