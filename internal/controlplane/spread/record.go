// SPDX-License-Identifier: Apache-2.0

package spread

import (
	"fmt"
	"time"
)

const (
	// firstPause follows an eviction. Each previous one doubles it.
	firstPause = time.Minute
	// atOnce is how many useful evictions double nothing: an administrator drains
	// one node after the other.
	atOnce = 5
	// forget is the time after which one eviction counts no more. It bounds the
	// evictions to four a day in the long run, whatever undoes them.
	forget = 6 * time.Hour
	// most bounds Count: its pause is longer than forget.
	most = 15
	// around is how far the creation of a replacement may lie from the eviction: it
	// is recorded by the clock of the API server.
	around = time.Minute
)

// Record holds the previous evictions. It is an annotation of the Deployment, so
// that the next leader has it too.
type Record struct {
	// Count is the number of evictions that are not forgotten.
	Count int
	// Last is the time of the last one.
	Last time.Time
}

// ParseRecord reads what String returned. The empty string is no evictions.
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

// wait returns how long the next eviction must wait; longer if the last one was in
// vain. A last one in the future is ignored: the clock was set back.
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

// made reports whether a Pod created then may be the replacement of the last
// evicted one.
func (r Record) made(then time.Time) bool {
	return r.Count > 0 && then.Sub(r.Last).Abs() <= around
}

// next returns the record with one eviction more.
func (r Record) next(now time.Time) Record {
	forgotten := int(max(0, now.Sub(r.Last)) / forget)
	return Record{Count: min(max(r.Count-forgotten, 0)+1, most), Last: now}
}
