// SPDX-License-Identifier: Apache-2.0

package report

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadReturnsWhatWasWritten(t *testing.T) {
	var r Report
	r.Add("cpu", "1 service", 3, 1)
	r.Add("cpu", "2 services", 5)
	r.Add("cpu", "1 service", 2)
	file := filepath.Join(t.TempDir(), "report.json")
	if err := r.Write(file); err != nil {
		t.Fatal(err)
	}
	got, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	want := Report{{Name: "cpu", At: "1 service", Samples: []float64{3, 1, 2}}, {Name: "cpu", At: "2 services", Samples: []float64{5}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if m := Median(got[0].Samples); m != 2 {
		t.Errorf("the median is %v", m)
	}
	if p := Percentile([]float64{4, 1, 3, 2}, 99); p != 3 {
		t.Errorf("the 99th percentile is %v", p)
	}
}
