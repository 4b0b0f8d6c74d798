// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestStickyKeyOfRequest(t *testing.T) {
	user, session := v1beta1.Sticky{Header: "X-User"}, v1beta1.Sticky{Cookie: "session"}
	for _, c := range []struct {
		name   string
		sticky v1beta1.Sticky
		header []string
		want   string
	}{
		{"nothing", v1beta1.Sticky{}, []string{"X-User", "ann"}, ""},
		{"a header", user, []string{"X-User", "ann"}, "ann"},
		{"no such header", user, []string{"X-Group", "a"}, ""},
		{"a cookie among others", session, []string{"Cookie", "x=session; session=ann; y=1"}, "ann"},
		{"a cookie in quotes", session, []string{"Cookie", `session="ann"`}, "ann"},
		{"the first of two", session, []string{"Cookie", "session=a=b;session=c"}, "a=b"},
		{"no such cookie", session, []string{"Cookie", "mysession=ann; sessions=ben; session"}, ""},
		{"cookies differ by case", session, []string{"Cookie", "Session=ann"}, ""},
	} {
		if got := key(c.sticky, ask("", "", c.header...)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// sticky is a table of one service with these shares, sticky to X-User.
func sticky(shares ...Share) *Table {
	s := Service{Namespace: "n", Name: "iris", Sticky: v1beta1.Sticky{Header: "X-User"}, Traffic: shares}
	return Build(Input{Domain: "example.com", Services: []Service{s}})
}

// revisionOf returns the revision that answers a user.
func revisionOf(t interface{ Fatal(...any) }, table *Table, user string) string {
	c, err := table.Route(ask("iris.n.example.com", "/", "X-User", user))
	if err != nil {
		t.Fatal(err)
	}
	return c.Revision.Name
}

func TestRevisionOfKeyNeverChanges(t *testing.T) {
	table := sticky(Share{Revision: "iris-2", Percent: 30}, Share{Revision: "iris-1", Percent: 70})
	got := map[string]string{}
	for _, user := range []string{"ann", "ben", "cleo", "dan", "eve", "fay"} {
		got[user] = revisionOf(t, table, user)
	}
	// Nor between versions of the router, so these are not to be updated.
	want := map[string]string{"ann": "iris-1", "ben": "iris-1", "cleo": "iris-1", "dan": "iris-1", "eve": "iris-1", "fay": "iris-2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	c := choose(t, sticky(Share{Revision: "iris-2", Percent: 0, Tag: "latest"}, Share{Revision: "iris-1", Percent: 100}), "iris.n", "latest")
	if c.Revision.Name != "iris-2" {
		t.Errorf("a tag asks for %s", c.Revision.Name)
	}
}

func TestRequestsWithoutKeyFollowSplit(t *testing.T) {
	table := sticky(Share{Revision: "iris-2", Percent: 10}, Share{Revision: "iris-1", Percent: 90})
	got := map[string]int{}
	for i := range 100 {
		revisionOf(t, table, fmt.Sprint("user-", i)) // takes no turn
		got[revisionOf(t, table, "")]++
	}
	if diff := cmp.Diff(map[string]int{"iris-2": 10, "iris-1": 90}, got); diff != "" {
		t.Error(diff)
	}
}

// A change of shares moves keys only to revisions whose share grew relative to
// the one that they leave.
func TestChangedSharesMoveKeysToGrowingRevisions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawShares(t), drawShares(t)
		n := min(len(before), len(after))
		before, after = before[:n], after[:n]
		percent := func(shares []Share, revision string) int {
			for _, s := range shares {
				if s.Revision == revision {
					return s.Percent
				}
			}
			return 0
		}
		if total(before) == 0 || total(after) == 0 {
			t.Skip("nothing is left")
		}
		old, now := sticky(before...), sticky(after...)
		for range 50 {
			user := rapid.String().Filter(func(s string) bool { return s != "" }).Draw(t, "user")
			from, to := revisionOf(t, old, user), revisionOf(t, now, user)
			if from == to {
				continue
			}
			// after(to)/after(from) must be above before(to)/before(from).
			if percent(after, to)*percent(before, from) <= percent(before, to)*percent(after, from) {
				t.Fatalf("%q went from %s to %s when %v became %v", user, from, to, before, after)
			}
		}
	})
}

func total(shares []Share) int {
	n := 0
	for _, s := range shares {
		n += s.Percent
	}
	return n
}

// drawShares draws shares of up to four revisions that add up to 100.
func drawShares(t *rapid.T) []Share {
	var shares []Share
	left := 100
	for i := range rapid.IntRange(1, 3).Draw(t, "others") {
		p := rapid.IntRange(0, left).Draw(t, "percent")
		shares = append(shares, Share{Revision: fmt.Sprint("iris-", i+2), Percent: p})
		left -= p
	}
	return append(shares, Share{Revision: "iris-1", Percent: left})
}

// Keys of every kind are spread as the shares say: for two to four revisions
// and 20,000 keys the chi-square statistic stays below what chance exceeds once
// in 100,000 times.
func TestKeysAreSpreadByShares(t *testing.T) {
	const keys = 20_000
	kinds := map[string]func(i int) string{
		"numbers": func(i int) string { return fmt.Sprint(i) },
		"names":   func(i int) string { return fmt.Sprintf("user-%d@example.com", i) },
		"padded":  func(i int) string { return fmt.Sprintf("%032x", i) },
		"runs":    func(i int) string { return strings.Repeat("a", i%200) + fmt.Sprint(i/200) },
	}
	limits := map[int]float64{1: 19.5, 2: 23.0, 3: 25.9} // by degrees of freedom
	for kind, key := range kinds {
		for _, percents := range [][]int{{1, 99}, {10, 90}, {50, 50}, {99, 1}, {33, 33, 34}, {5, 15, 30, 50}} {
			var shares []Share
			for i, p := range percents {
				shares = append(shares, Share{Revision: fmt.Sprintf("iris-predictor-%05d", i+1), Percent: p})
			}
			table := sticky(shares...)
			got := map[string]int{}
			for i := range keys {
				got[revisionOf(t, table, key(i)+".")]++
			}
			chi := 0.0
			for _, s := range shares {
				want := float64(keys*s.Percent) / 100
				chi += math.Pow(float64(got[s.Revision])-want, 2) / want
			}
			if chi > limits[len(shares)-1] {
				t.Errorf("%s at %v: %v (chi-square %.1f)", kind, percents, got, chi)
			}
		}
	}
}

// The users who are first to meet a canary are not those who were first to meet
// the one before.
func TestEachRolloutBeginsWithOtherUsers(t *testing.T) {
	first := sticky(Share{Revision: "iris-2", Percent: 10}, Share{Revision: "iris-1", Percent: 90})
	second := sticky(Share{Revision: "iris-3", Percent: 10}, Share{Revision: "iris-2", Percent: 90})
	both := 0
	for i := range 10_000 {
		user := fmt.Sprint("user-", i)
		if revisionOf(t, first, user) == "iris-2" && revisionOf(t, second, user) == "iris-3" {
			both++
		}
	}
	if both == 0 || both > 200 { // a tenth of a tenth of them, by chance
		t.Errorf("%d of 10,000 users were first twice", both)
	}
}

func BenchmarkSticky(b *testing.B) {
	table := sticky(Share{Revision: "iris-2", Percent: 10}, Share{Revision: "iris-1", Percent: 90})
	request := ask("iris.n.example.com", "/", "X-User", "a8098c1a-f86e-11da-bd1a-00112444be1e")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.Route(request); err != nil {
			b.Fatal(err)
		}
	}
}
