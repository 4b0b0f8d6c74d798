// SPDX-License-Identifier: Apache-2.0

package routing

// strata is the split between two shares by stratified sampling
// (https://en.wikipedia.org/wiki/Stratified_sampling). The requests are cut into strata
// of total/rare requests, rounded down or up. Each stratum draws one request for the
// rarer share, all with the same probability.
//
// If total/rare is an integer, all strata are equal. Otherwise some are longer by one
// request, and a client whose requests repeat in a loop must not meet these at the same
// place of its loop each time. With 40% and a loop of five, one place would always lie
// in a stratum of three and get 33%. So the cuts drift, back by one stratum and forth
// again.
//
// A drift of at most half a request in a hundred keeps any hundred consecutive requests
// within one of the shares: if request n is in stratum j, not at a cut, then request
// n+100 is in stratum j+100*rare/total, or at its cut.
type strata struct {
	rare, total uint64
	length      uint64 // of all strata; 0: they differ
	firstIsRare bool
}

func newStrata(first, last int) *strata {
	s := &strata{rare: uint64(min(first, last)), total: uint64(first + last), firstIsRare: first <= last}
	if s.total%s.rare == 0 {
		s.length = s.total / s.rare
	}
	return s
}

// first reports whether the first share takes request n, as drawn with the key.
func (s *strata) first(key, n uint64) bool {
	number, start, end := s.at(n)
	return (n == start+random(key, number, end-start)) == s.firstIsRare
}

// at returns the number of request n's stratum, its first request, and that of the next
// stratum.
//
// The unit is a part of a request: a request has 6*rare of them, and without a drift a
// stratum has 6*total. While the cuts drift back, a stratum has 2 units less, for
// 3*total strata. While they drift forth, it has 3 units more, for 2*total strata. With
// equal rates the drift would repeat sooner, and a loop would meet fewer of its cuts.
func (s *strata) at(n uint64) (number, start, end uint64) {
	if s.length > 0 {
		number = n / s.length
		return number, number * s.length, (number + 1) * s.length
	}
	request, size := 6*s.rare, 6*s.total
	period, back := 5*s.total*size, 3*s.total*(size-2)
	rest := n * request % period
	from, length := n*request-rest, size-2
	number = from / size
	if rest >= back {
		number, from, rest, length = number+3*s.total, from+back, rest-back, size+3
	}
	more := rest / length
	from += more * length
	return number + more, (from + request - 1) / request, (from + length + request - 1) / request
}
