// SPDX-License-Identifier: Apache-2.0

// Package report is the form in which the measuring programs give their numbers
// to `make bench`: a list of series, each of one quantity of bench/limits.yaml.
// It knows nothing of budgets.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
)

// Report is what a program measured, in the order in which it did so.
type Report []Series

// Series is one quantity in one case, measured several times.
type Series struct {
	Name    string    `json:"name"`         // in bench/limits.yaml
	At      string    `json:"at,omitempty"` // the case, if the quantity has several
	Samples []float64 `json:"samples"`
}

// Add appends samples to the series of a name and a case.
func (r *Report) Add(name, at string, samples ...float64) {
	i := slices.IndexFunc(*r, func(s Series) bool { return s.Name == name && s.At == at })
	if i < 0 {
		i = len(*r)
		*r = append(*r, Series{Name: name, At: at})
	}
	(*r)[i].Samples = append((*r)[i].Samples, samples...)
}

// Write writes the report to a file, or prints it if there is none.
func (r Report) Write(file string) error {
	if file == "" {
		return r.print(os.Stdout)
	}
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return os.WriteFile(file, b, 0o600)
}

// Read reads what Write wrote.
func Read(file string) (Report, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var r Report
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("read the report %s: %w", file, err)
	}
	return r, nil
}

func (r Report) print(to io.Writer) error {
	out := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "\nQUANTITY\tAT\tMEDIAN\tLEAST\tMOST\tRUNS")
	for _, s := range r {
		fmt.Fprintf(out, "%s\t%s\t%.4g\t%.4g\t%.4g\t%d\n", s.Name, s.At, Median(s.Samples), slices.Min(s.Samples), slices.Max(s.Samples), len(s.Samples))
	}
	return out.Flush()
}

// Median returns the middle sample, the upper one of two.
func Median(samples []float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[len(sorted)/2]
}

// Percentile returns the sample that p percent of the others do not exceed.
func Percentile(samples []float64, p int) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[(len(sorted)-1)*p/100]
}
