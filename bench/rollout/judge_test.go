// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func ms(n int) time.Time { return begin.Add(time.Duration(n) * time.Millisecond) }

// requests are answered one after the other, each by the revision of its letter
// and after a delay.
func requests(revisions string, delay int) []answer {
	var all []answer
	for i, r := range revisions {
		all = append(all, answer{due: ms(i), sent: ms(i), done: ms(i).Add(time.Duration(delay)*time.Millisecond - 1), revision: string(r)})
	}
	return all
}

func TestSplitError(t *testing.T) {
	for name, tt := range map[string]struct {
		answers  []answer
		want     shares
		from, to int
		off      float64
	}{
		"every fourth request is a quarter":         {requests("abbbabbbabbbabbb", 1), shares{"a": 25, "b": 75}, 4, 12, 0},
		"all to one is all to one":                  {requests("aaaa", 1), shares{"a": 100}, 0, 4, 0},
		"one too many is one too many":              {requests("abbaabbb", 1), shares{"a": 25, "b": 75}, 0, 8, 1},
		"half a request is no fault":                {requests("abbbabbb", 1), shares{"a": 25, "b": 75}, 0, 6, 0.5},
		"a stranger is too many":                    {requests("axxa", 1), shares{"a": 100}, 0, 4, 2},
		"requests under way may count or not":       {requests("bbbbabaa", 3), shares{"a": 25, "b": 75}, 4, 6, 0},
		"but those that certainly were within do":   {requests("bbbbaaaabbbb", 2), shares{"a": 25, "b": 75}, 4, 8, 2},
		"requests outside say nothing about within": {requests("aaaabbbabbbb", 1), shares{"a": 25, "b": 75}, 4, 8, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newCounts(tt.answers).splitError(tt.want, ms(tt.from), ms(tt.to)); got != tt.off {
				t.Errorf("off by %v, not by %v", got, tt.off)
			}
		})
	}
}

// At 10%, strata of ten requests may begin and end so that a hundred have ten or
// eleven of them, and a hundred and one have twelve.
func TestAnUncertainNumberMayBeOneMoreOff(t *testing.T) {
	const ten = "bbbbbbbbba"
	exact, off := strings.Repeat(ten, 10), strings.Repeat(ten, 8)+"aaaa"+strings.Repeat("b", 16)
	for name, tt := range map[string]struct {
		revisions string
		delay     int
		off       float64
	}{
		"a hundred that split exactly":           {exact, 1, 0},
		"a hundred with two too many":            {off, 1, 2},
		"about a hundred with two too many":      {off + exact, 2, 1},
		"about a hundred that all go to one":     {strings.Repeat("a", 200), 2, 88.1},
		"about a hundred that the other one has": {strings.Repeat("b", 200), 2, 8.9},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newCounts(requests(tt.revisions, tt.delay)).windowError(shares{"a": 10, "b": 90}, ms(0), ms(100)); got != tt.off {
				t.Errorf("off by %v, not by %v", got, tt.off)
			}
		})
	}
}

func TestLost(t *testing.T) {
	kills := []kill{{revision: "a", began: ms(10), gone: ms(12)}}
	for name, tt := range map[string]struct {
		answer answer
		want   bool
	}{
		"under way when the process died": {answer{sent: ms(9), done: ms(11), revision: "a"}, true},
		"sent while it died":              {answer{sent: ms(11), done: ms(20), revision: "a"}, true},
		"answered before":                 {answer{sent: ms(8), done: ms(9), revision: "a"}, false},
		"sent when it was gone":           {answer{sent: ms(13), done: ms(14), revision: "a"}, false},
		"at another revision":             {answer{sent: ms(9), done: ms(11), revision: "b"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lost(tt.answer, kills); got != tt.want {
				t.Errorf("lost is %v, not %v", got, tt.want)
			}
		})
	}
}

func TestStepTimes(t *testing.T) {
	promote := step{
		kind: "promote", before: shares{"a": 90, "b": 10}, after: shares{"b": 100},
		began: ms(0), applied: ms(2), end: ms(10),
	}
	canary := step{
		kind: "canary", before: shares{"b": 100}, after: shares{"b": 90, "c": 10},
		began: ms(10), applied: ms(12), end: ms(20),
	}
	var r result
	r.judgeSteps([]step{promote, canary}, requests("aaaaaabbxbbbbbbcbbbbb", 1))
	want := result{
		Astray: 1,
		Steps: []stepTimes{
			{Kind: "canary", Count: 1, First: &summary{3, 3, 3}},
			{Kind: "promote", Count: 1, Last: &summary{3, 3, 3}},
		},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestARequestThatOutlastsAChangeIsNotJudged(t *testing.T) {
	answers := requests(strings.Repeat("ab", 200), 1)
	history := []shown{{ms(-100), shares{"a": 50, "b": 50}}, {ms(300), shares{"a": 100}}}
	for i := 150; i < 300; i += 2 { // held for b, and answered by a in the end
		answers[i+1].revision, answers[i+1].done = "a", ms(310)
	}
	var r result
	r.judgeSplits(history[:2], 10*time.Millisecond, answers[:300])
	if r.SplitError != 0 || r.Windows == 0 {
		t.Errorf("%+v", r)
	}
}

func TestSplitsNextToAChangeAreNotJudged(t *testing.T) {
	history := []shown{{ms(-100), shares{"a": 100}}, {ms(150), shares{"b": 100}}, {ms(250), shares{"a": 100}}}
	var of []byte
	for i := range 400 { // the router is 20 ms behind the status
		switch {
		case i >= 170 && i < 270:
			of = append(of, 'b')
		default:
			of = append(of, 'a')
		}
	}
	var late, early result
	late.judgeSplits(history, 30*time.Millisecond, requests(string(of), 1))
	early.judgeSplits(history, 10*time.Millisecond, requests(string(of), 1))
	if late.Astray != 0 || late.SplitError != 0 || late.Windows == 0 {
		t.Errorf("with a margin: %+v", late)
	}
	if early.Astray == 0 {
		t.Errorf("without: %+v", early)
	}
}
