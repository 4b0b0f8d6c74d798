// SPDX-License-Identifier: Apache-2.0

package routing

// deal is the split between more than two shares. It repeats a fixed round from a place
// that is drawn. Of every 2*total requests, one among the first total is drawn, and one
// turn of the round is skipped before it. So any total consecutive requests miss at most
// one turn and are within one of the shares, and each place of a client's loop meets
// each turn of the round equally often.
type deal struct {
	round []int
	total uint64
}

func newDeal(shares []int) *deal {
	d := &deal{round: turns(shares)}
	for _, s := range shares {
		d.total += uint64(s)
	}
	return d
}

// share returns the share that takes request n, as drawn with the key.
func (d *deal) share(key, n uint64) int {
	pair, i := n/(2*d.total), n%(2*d.total)
	turn := key%d.total + n + pair
	if i >= random(key, pair, d.total) {
		turn++
	}
	return d.round[turn%uint64(len(d.round))]
}

// turns returns one round of a weighted split: the i-th element is the share that takes
// the i-th request. A round is as long as the sum of the shares in lowest terms (10 for
// 10/90) and repeats, so any 100 consecutive requests split exactly by percent. After n
// requests of a round, a share s has had s*n/100 of them, rounded down or up.
//
// The algorithm is earliest deadline first
// (https://en.wikipedia.org/wiki/Earliest_deadline_first_scheduling) for unit jobs. The
// release time of the j-th request of a share is the first turn at which its count does
// not exceed the share rounded up. Its deadline is the last turn at which the count does
// not fall below the share rounded down. Shares are few and from 0 to 100: the length of
// the round and the time to compute it grow with their sum.
func turns(shares []int) []int {
	total, divisor := 0, 0
	for _, s := range shares {
		total += s
		divisor = gcd(s, divisor)
	}
	if total == 0 {
		return nil
	}
	total /= divisor
	round := make([]int, 0, total)
	had := make([]int, len(shares))
	for n := 1; n <= total; n++ {
		next, earliest := -1, 0
		for i, s := range shares {
			s /= divisor
			if s <= 0 || had[i]*total >= s*n {
				continue
			}
			deadline := ((had[i]+1)*total + s - 1) / s
			if next < 0 || deadline < earliest {
				next, earliest = i, deadline
			}
		}
		had[next]++
		round = append(round, next)
	}
	return round
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
