// SPDX-License-Identifier: Apache-2.0

package routing

// turns lays out one full round of a weighted split: the i-th element says
// which share takes the i-th request. A round is as long as the sum of the
// shares in lowest terms (10/90 makes a round of 10) and repeats forever, so
// any 100 consecutive requests split exactly by percent. Within a round the
// counts follow the shares as closely as whole requests can: after n requests
// a share s has had s*n/100 of them, rounded down or up.
//
// This is the scheduling of unit jobs on one machine: the j-th request of a
// share may come no earlier than its count would then exceed the share rounded
// up, and must come before it would fall below the share rounded down. Taking
// the earliest deadline first meets all deadlines. Shares are from 0 to 100, and
// few: both the round and the time it takes grow with their sum.
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
