// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// taken returns the shares that take the next n requests.
func taken(s *split, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = s.next()
	}
	return out
}

// checkWindows fails unless any total consecutive requests are within one of the
// shares, where total is their sum, and the first total split exactly.
func checkWindows(t interface{ Fatalf(string, ...any) }, shares []int, key uint64, n int) {
	total := 0
	for _, s := range shares {
		total += s
	}
	requests := taken(newSplit(shares, key), n)
	had := make([]int, len(shares))
	for i, share := range requests {
		had[share]++
		if i >= total {
			had[requests[i-total]]--
		}
		for j := range shares {
			if off := had[j] - shares[j]; i >= total-1 && (off < -1 || off > 1) {
				t.Fatalf("%v, key %d: of the requests %d to %d share %d had %d", shares, key, i-total+1, i, j, had[j])
			}
		}
	}
}

func TestAnyHundredRequestsFollowEveryPairOfShares(t *testing.T) {
	for c := 1; c < 100; c++ {
		for key := range uint64(3) {
			checkWindows(t, []int{c, 100 - c}, key, 20_000) // the cuts have drifted back and forth
		}
	}
}

// drawHundred draws shares that sum to a hundred.
func drawHundred(t *rapid.T) []int {
	var shares []int
	left := 100
	for range rapid.IntRange(0, 12).Draw(t, "entries") {
		s := rapid.IntRange(0, left).Draw(t, "share")
		shares = append(shares, s)
		left -= s
	}
	return append(shares, left)
}

func TestAnyHundredRequestsFollowAnyShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkWindows(t, drawHundred(t), rapid.Uint64().Draw(t, "key"), 2000)
	})
}

// Another number of requests than a hundred, about as many, may cut a stratum at either end.
func TestTwoHundredOrFewerRequestsAreWithinTwoOfTheShares(t *testing.T) {
	for c := 1; c < 100; c++ {
		off := []int{0} // by how many hundredths of a request the first n are off
		for n, share := range taken(newSplit([]int{c, 100 - c}, uint64(c)), 5000) {
			off = append(off, off[n]-c)
			if share == 0 {
				off[n+1] += 100
			}
			for _, from := range off[max(0, n-199) : n+1] {
				if by := off[n+1] - from; by <= -200 || by >= 200 {
					t.Fatalf("%d%%: requests are off by %d hundredths at %d", c, by, n)
				}
			}
		}
	}
}

// Shares that a hostile status has need not sum to 100.
func TestAnyTotalOfRequestsFollowsSharesOfAnyTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shares := rapid.SliceOfN(rapid.IntRange(0, 100), 2, 16).Draw(t, "shares")
		if newSplit(shares, 0).empty() {
			t.Skip("no traffic")
		}
		checkWindows(t, shares, rapid.Uint64().Draw(t, "key"), 5000)
	})
}

func TestSplitBySharesOfZero(t *testing.T) {
	for _, c := range []struct {
		name   string
		shares []int
		want   []int // of the next two requests; nil: there is no traffic
	}{
		{"nothing", nil, nil},
		{"only zeros", []int{0, 0}, nil},
		{"all for one", []int{100}, []int{0, 0}},
		{"zero gets nothing", []int{0, 100, 0}, []int{1, 1}},
	} {
		s := newSplit(c.shares, 1)
		var got []int
		if !s.empty() {
			got = taken(s, 2)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// Strata follow each other, have the length that the shares say, rounded down or up,
// and one request of each is the rarer share's.
func TestStrataAreCutAndDrawnByShares(t *testing.T) {
	for c := 1; c < 100; c++ {
		split, rare := newSplit([]int{c, 100 - c}, uint64(c)), min(c, 100-c)
		s := split.strata
		requests := taken(split, 20_000)
		for want, next := uint64(0), uint64(0); next < 20_000-100; want++ {
			number, start, end := s.at(next)
			if length := int(end - start); number != want || start != next || length < 100/rare || length > (99+rare)/rare {
				t.Fatalf("%d%%: stratum %d from %d is number %d, from %d to %d", c, want, next, number, start, end)
			}
			drawn := 0
			for n := start; n < end; n++ {
				if again, from, to := s.at(n); again != number || from != start || to != end {
					t.Fatalf("%d%%: request %d is in stratum %d from %d to %d, not in %d", c, n, again, from, to, number)
				}
				if (requests[n] == 0) == s.firstIsRare {
					drawn++
				}
			}
			if drawn != 1 {
				t.Fatalf("%d%%: stratum %d drew %d requests", c, number, drawn)
			}
			next = end
		}
	}
}

// The story files that count the hundred requests after a change rely on it.
func TestFirstHundredRequestsSplitExactly(t *testing.T) {
	for c := 1; c < 100; c++ {
		canary := 0
		for _, share := range taken(newSplit([]int{c, 100 - c}, uint64(c)), 100) {
			canary += 1 - share
		}
		if canary != c {
			t.Errorf("at %d%% the canary had %d of the first 100 requests", c, canary)
		}
	}
}

// A client repeats its requests in a loop. Each place of the loop meets each share as
// often as the share says, for all shares and loops of 2 to 20: within five standard
// deviations of a coin, which chance exceeds twice in a million times.
func TestEachPlaceOfALoopMeetsEachShareAsOften(t *testing.T) {
	shares := [][]int{{5, 5, 90}, {10, 30, 60}, {33, 33, 34}, {1, 2, 3, 94}}
	for c := 1; c < 100; c++ {
		shares = append(shares, []int{c, 100 - c})
	}
	const requests = 200_000
	for i, of := range shares {
		got := taken(newSplit(of, uint64(i)), requests)
		for loop := 2; loop <= 20; loop++ {
			met := make([][]int, loop)
			for p := range met {
				met[p] = make([]int, len(of))
			}
			for n, share := range got {
				met[n%loop][share]++
			}
			for place := range met {
				for share, percent := range of {
					p, n := float64(percent)/100, float64(requests/loop)
					if off := math.Abs(float64(met[place][share]) - n*p); off > 5*math.Sqrt(n*p*(1-p))+1 {
						t.Errorf("%v: place %d of %d met share %d in %d of %.0f requests", of, place, loop, share, met[place][share], n)
					}
				}
			}
		}
	}
}

// The probability that a place of a loop meets the rarer share, over all places to which
// the cuts drift, is the share with a relative error of at most 0.7%.
func TestCutsDriftOverAllPlacesOfALoop(t *testing.T) {
	for c := 1; c <= 50; c++ {
		s := newStrata(c, 100-c)
		whole := 50_000 / gcd(50_000, c) // requests after which the drift repeats
		for loop := 2; loop <= 20; loop++ {
			requests := whole * loop / gcd(whole, loop)
			expected := make([]float64, loop)
			for n := 0; n < requests; {
				_, start, end := s.at(uint64(n))
				for ; n < int(end); n++ {
					expected[n%loop] += 1 / float64(end-start)
				}
			}
			for place, e := range expected {
				want := float64(requests/loop*c) / 100
				if off := math.Abs(e/want - 1); off > 0.007 {
					t.Errorf("%d%%: place %d of %d meets the canary in %.0f of %d requests", c, place, loop, e, requests/loop)
				}
			}
		}
	}
}

// Each request of a stratum is drawn as often as the others, and no two strata draw
// together: the chi-square statistic of the pairs of two consecutive strata of ten stays
// below what chance exceeds once in 100,000 times (99 degrees of freedom).
func TestDrawsAreUniformAndIndependent(t *testing.T) {
	const pairs = 50_000
	got := map[[2]int]int{}
	requests := taken(newSplit([]int{10, 90}, 1), 20*pairs)
	for p := range pairs {
		first, second := requests[20*p:20*p+10], requests[20*p+10:20*p+20]
		got[[2]int{slices.Index(first, 0), slices.Index(second, 0)}]++
	}
	chi := 0.0
	for a := range 10 {
		for b := range 10 {
			chi += math.Pow(float64(got[[2]int{a, b}])-pairs/100, 2) / (pairs / 100)
		}
	}
	if chi > 167 {
		t.Errorf("the chi-square statistic is %.0f", chi)
	}
}

// Each router has a key, and gives each service a split of its own. They begin at
// different requests.
func TestRoutersAndServicesBeginAtDifferentRequests(t *testing.T) {
	begin := map[string][]int{"router": make([]int, 10), "service": make([]int, 10), "deal": make([]int, 4)}
	count := func(what string, in Input) {
		table := Build(in)
		split := only(table).split
		for i, share := range taken(split, len(begin[what])) {
			if share == 0 {
				begin[what][i]++
				return
			}
		}
	}
	for i := range 1000 {
		count("router", Input{Key: uint64(i), Services: []Service{iris()}})
		service := iris()
		service.UID = string(rune(i))
		count("service", Input{Services: []Service{service}})
		service.Traffic = []Share{{Revision: "c", Percent: 25}, {Revision: "b", Percent: 25}, {Revision: "a", Percent: 50}}
		count("deal", Input{Services: []Service{service}})
	}
	for what, counts := range begin {
		for i, n := range counts {
			p := 1 / float64(len(counts))
			if math.Abs(float64(n)-1000*p) > 5*math.Sqrt(1000*p*(1-p)) {
				t.Errorf("%s: %d of 1000 give the first canary to request %d: %v", what, n, i, counts)
			}
		}
	}
}

// only returns the route of a table's only service.
func only(table *Table) *route {
	for _, r := range table.routes.All() {
		return r
	}
	return nil
}

// shared returns the split of iris with a canary at c percent, built on a table.
func shared(before *Table, canary string, c int, pods ...Pod) (*Table, *split) {
	s := iris()
	s.Traffic[0].Revision, s.Traffic[0].Percent, s.Traffic[1].Percent = canary, c, 100-c
	table := rebuild(before, Input{Domain: "example.com", Key: 7, Services: []Service{s}, Pods: pods})
	return table, only(table).split
}

func TestChangedSharesBeginANewStratum(t *testing.T) {
	first, split := shared(nil, "iris-2", 10)
	drawn := taken(split, 1003)
	for _, c := range []struct {
		name    string
		canary  string
		percent int
	}{{"another share", "iris-2", 20}, {"another revision", "iris-3", 10}} {
		table, next := shared(first, c.canary, c.percent)
		requests := taken(next, 1000)
		for stratum := range slices.Chunk(requests, 100/c.percent) {
			if !slices.Contains(stratum, 0) {
				t.Fatalf("%s: a stratum without a canary: %v", c.name, stratum)
			}
		}
		if _, back := shared(table, "iris-2", 10); slices.Equal(taken(back, 1003), drawn) {
			t.Errorf("%s: back at the first shares, the draws are the first again", c.name)
		}
	}
	if _, again := shared(nil, "iris-2", 10); !slices.Equal(taken(again, 1003), drawn) {
		t.Error("the same key draws something else")
	}
}

// A request takes one draw, however often it is tried: a new table with the same shares,
// a tag, a key and a Rebind draw nothing.
func TestOnlyARequestTakesADraw(t *testing.T) {
	_, alone := shared(nil, "iris-2", 10)
	want := taken(alone, 100)
	table, _ := shared(nil, "iris-2", 10)
	var got []int
	for i := range want {
		c := choose(t, table, host, "")
		got = append(got, map[string]int{"iris-2": 0, "sklearn-iris-predictor-00001": 1}[c.Revision.Name])
		choose(t, table, host, "latest")
		table, _ = shared(table, "iris-2", 10, pods("iris-2", "a:1", "b:1")[i%2])
		again, ok := table.Rebind(c)
		if !ok || again.Revision.Name != c.Revision.Name {
			t.Fatalf("bound again, %s is %v", c.Revision.Name, again.Revision)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
