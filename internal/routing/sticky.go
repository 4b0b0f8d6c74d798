// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"math"
	"strings"

	"github.com/serin-dev/serin/api/v1beta1"
)

// key returns what the request has of what a service is sticky to, or nothing.
func key(s v1beta1.Sticky, req Request) string {
	switch {
	case s.Header != "":
		return req.Header(s.Header)
	case s.Cookie != "":
		return cookie(req.Header("Cookie"), s.Cookie)
	}
	return ""
}

// cookie returns the value of the first cookie of that name.
func cookie(header, name string) string {
	for pair := range strings.SplitSeq(header, ";") {
		if key, value, _ := strings.Cut(strings.TrimSpace(pair), "="); key == name {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// lot is one revision's part in drawing lots for a key.
type lot struct {
	revision *Revision
	seed     uint64
	share    float64
}

// lots returns those of the revisions that have a share.
func lots(split []*Revision) []lot {
	var out []lot
next:
	for _, r := range split {
		for i := range out {
			if out[i].revision == r {
				out[i].share++
				continue next
			}
		}
		out = append(out, lot{revision: r, seed: hash(r.Namespace + "/" + r.Name), share: 1})
	}
	return out
}

// draw returns the revision of a key: every revision draws a moment for it,
// exponentially distributed with its share as the rate, and the earliest wins.
// So each wins as often as its share says. The draw depends on key and revision
// alone, hence it is the same on every router and at any time, other users come
// first in every rollout, and a change of shares moves keys only from revisions
// whose share fell, relative to others, to those others: a lower share makes
// its own moments later and leaves their order among the rest.
func draw(lots []lot, key string) *Revision {
	var first *Revision
	earliest := math.Inf(1)
	k := hash(key)
	for _, l := range lots {
		uniform := (float64(mix(k^l.seed)>>11) + 0.5) / (1 << 53) // in (0, 1)
		if moment := -math.Log(uniform) / l.share; moment < earliest {
			first, earliest = l.revision, moment
		}
	}
	return first
}

// hash is FNV-1a. Routers of all versions must agree on it.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads every bit of h over all others, as splitmix64 does: FNV alone
// leaves the high bits of similar keys alike.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
