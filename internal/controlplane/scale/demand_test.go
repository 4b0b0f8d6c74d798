// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseDemand(t *testing.T) {
	since := time.Date(2026, 3, 4, 4, 6, 7, 0, time.UTC)
	for _, c := range []struct {
		name string
		in   map[string]string
		want Demand
		err  string
	}{
		{
			"an active revision",
			map[string]string{"serin.dev/active": "true", "serin.dev/min-replicas": "2", "serin.dev/max-replicas": "3", "autoscaling.knative.dev/window": "10s", "team": "a"},
			Demand{Active: true, Min: 2, Max: 3, Tuning: map[string]string{"autoscaling.knative.dev/window": "10s"}},
			"",
		},
		{
			"an idle one",
			map[string]string{"serin.dev/active": "false", "serin.dev/min-replicas": "0", "serin.dev/idle-since": "2026-03-04T05:06:07+01:00"},
			Demand{IdleSince: since, Tuning: map[string]string{}},
			"",
		},
		{
			"broken ones are named, and the others are read",
			map[string]string{"serin.dev/active": "false", "serin.dev/min-replicas": "-1", "serin.dev/max-replicas": "5", "serin.dev/idle-since": "yesterday"},
			Demand{Min: 1, Max: 5, Tuning: map[string]string{}},
			`annotation serin.dev/min-replicas "-1": write a whole number of 0 or more; ` +
				`annotation serin.dev/idle-since "yesterday": parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"`,
		},
		{
			"missing ones are named",
			nil,
			Demand{Min: 1, Tuning: map[string]string{}},
			`annotation serin.dev/active "": strconv.ParseBool: parsing "": invalid syntax; annotation serin.dev/min-replicas "": write a whole number of 0 or more`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseDemand(c.in)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if err == nil && c.err != "" || err != nil && err.Error() != c.err {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestCountsOfReplicas(t *testing.T) {
	for text, want := range map[string]int32{"0": 0, "7": 7, strconv.Itoa(1<<31 - 1): 1<<31 - 1} {
		if n, err := count(text, 0); n != want || err != nil {
			t.Errorf("%s: %d, %v", text, n, err)
		}
	}
	for _, text := range []string{"", "-1", "-2147483648", "2147483648", "1e3", "NaN", " 1", "1.0"} {
		if n, err := count(text, 0); err == nil {
			t.Errorf("%q is %d", text, n)
		}
	}
}

func FuzzDemandIsWhatItsAnnotationsSay(f *testing.F) {
	f.Add(true, int64(0), int32(1), int32(0), "window", "10s")
	f.Add(false, int64(1772597167), int32(0), int32(3), "", "")
	f.Fuzz(func(t *testing.T, active bool, idle int64, least, most int32, key, value string) {
		d := Demand{Active: active, Min: max(least, 0), Max: max(most, 0), Tuning: map[string]string{prefix + key: value}}
		if idle > 0 && idle < 250_000_000_000 && !active { // a year of four digits
			d.IdleSince = time.Unix(idle, 0).UTC()
		}
		got, err := ParseDemand(d.Annotations())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func FuzzAnnotationsOfADemand(f *testing.F) {
	f.Add("true", "1", "0", "")
	f.Add("false", "0", "3", "2026-03-04T05:06:07+01:00")
	f.Fuzz(func(t *testing.T, active, least, most, idle string) {
		d, err := ParseDemand(map[string]string{"serin.dev/active": active, "serin.dev/min-replicas": least, "serin.dev/max-replicas": most, "serin.dev/idle-since": idle})
		if d.Min < 0 || d.Max < 0 {
			t.Errorf("%+v", d)
		}
		if err != nil {
			return
		}
		again, err := ParseDemand(d.Annotations())
		d.IdleSince = d.IdleSince.UTC().Truncate(time.Second) // what is written
		if err != nil || !cmp.Equal(again, d) {
			t.Errorf("%+v is read as %+v, %v", d, again, err)
		}
	})
}
