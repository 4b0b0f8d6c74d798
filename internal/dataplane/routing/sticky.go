// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"math"
	"strings"

	"github.com/serin-dev/serin/api/v1beta1"
)

// key returns the value of the header or cookie that a service is sticky to, or
// nothing.
func key(s v1beta1.Sticky, req Request) string {
	switch {
	case s.Header != "":
		return req.Header(s.Header)
	case s.Cookie != "":
		return cookie(req.Header("Cookie"), s.Cookie)
	}
	return ""
}

// cookie returns the value of the first cookie with the name.
func cookie(header, name string) string {
	for pair := range strings.SplitSeq(header, ";") {
		if key, value, _ := strings.Cut(strings.TrimSpace(pair), "="); key == name {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// candidate is a revision in rendezvous.
type candidate struct {
	revision *Revision
	seed     uint64
	weight   float64
}

// candidates returns the revisions with a share, weighted by it.
func candidates(revisions []*Revision, shares []int) []candidate {
	var out []candidate
	for i, r := range revisions {
		if shares[i] > 0 {
			out = append(out, candidate{revision: r, seed: hash(r.Namespace + "/" + r.Name), weight: float64(shares[i])})
		}
	}
	return out
}

// rendezvous returns the revision of a key by weighted rendezvous hashing
// (https://en.wikipedia.org/wiki/Rendezvous_hashing). The score of a revision is a hash
// of key and revision, transformed to an exponential distribution with the weight as
// its rate. The lowest score wins, so the probability is proportional to the weight.
// The score depends on nothing else. So all routers agree, each rollout begins with
// other users, and a change of weights moves keys only to revisions whose relative
// weight grew.
func rendezvous(candidates []candidate, key string) *Revision {
	var winner *Revision
	lowest := math.Inf(1)
	k := hash(key)
	for _, c := range candidates {
		uniform := (float64(mix(k^c.seed)>>11) + 0.5) / (1 << 53) // in (0, 1)
		if score := -math.Log(uniform) / c.weight; score < lowest {
			winner, lowest = c.revision, score
		}
	}
	return winner
}

// hash is FNV-1a. Routers of all versions must agree on it.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix is the finalizer of splitmix64. FNV-1a alone leaves the high bits of similar keys
// similar.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
