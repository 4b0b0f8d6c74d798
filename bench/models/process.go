// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/serin-dev/serin/bench/internal/report"
	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/format"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/modeltest"
)

// compare measures one model in process.
func (l *libraries) compare(ctx context.Context, name string, o *options, r *report.Report) error {
	m, x, err := l.load(name)
	if err != nil {
		return err
	}
	p, err := l.start(ctx, name)
	if err != nil {
		return err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, rows := range o.rows {
		var ours, theirs []float64
		for range o.rounds {
			mine, err := turn(m, x.Slice(0, rows), o.length.Seconds())
			if err != nil {
				return err
			}
			its, err := p.turn(rows, o.length.Seconds())
			if err != nil {
				return err
			}
			ours, theirs = append(ours, mine), append(theirs, its)
			r.Add(fmt.Sprintf("models-%d", rows), name, mine/its)
		}
		a, b := report.Median(ours), report.Median(theirs)
		fmt.Printf("%-24s %6d rows: %11.1f us, library %11.1f us: %7.2f x\n", name, rows, 1e6*a, 1e6*b, b/a)
	}
	return p.stop()
}

// turn returns the CPU seconds of a call, as the mean of as many calls as take so long.
func turn(m frame.Model, x frame.Frame, seconds float64) (float64, error) {
	var dst frame.Result
	for calls := 1; ; calls *= 2 {
		begin := processTime()
		for range calls {
			if err := m.Predict(nil, frame.Predict, &dst, x); err != nil {
				return 0, err
			}
		}
		if used := processTime() - begin; used >= seconds {
			return used / float64(calls), nil
		}
	}
}

// processTime returns the CPU seconds of this process.
func processTime() float64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err) // every Linux has this clock
	}
	return float64(t.Nano()) / 1e9
}

// load reads a model and its rows, and compares all answers with the library's.
func (l *libraries) load(name string) (frame.Model, frame.Frame, error) {
	m, err := open(filepath.Join(l.models, name+".joblib"))
	if err != nil {
		return nil, frame.Frame{}, err
	}
	asked, err := l.read(name)
	if err != nil {
		return nil, frame.Frame{}, err
	}
	x, err := modeltest.Frame(asked.Rows, asked.Columns, m.Schema())
	if err != nil {
		return nil, x, err
	}
	if schema := m.Schema(); len(schema.Kinds) == 0 {
		x.Texts = nil
	}
	got, _, err := modeltest.Answer(m, frame.Predict.String(), x)
	if err != nil {
		return nil, x, err
	}
	return m, x, same(got, asked.Answers)
}

// asked is what a library was asked, and what it answered.
type asked struct {
	Columns []string
	Rows    [][]any
	Answers []any
}

func (l *libraries) read(name string) (*asked, error) {
	b, err := os.ReadFile(filepath.Join(l.models, name+".json"))
	if err != nil {
		return nil, err
	}
	var a asked
	return &a, json.Unmarshal(b, &a)
}

func open(file string) (frame.Model, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	limits := budget.DefaultLimits
	limits.Memory = 8 << 30
	return format.Load(file, f, info.Size(), limits)
}

// same compares answers with those of JSON.
func same(got, want []any) error {
	const within = 1e-6
	if len(got) != len(want) {
		return fmt.Errorf("%d answers, want %d", len(got), len(want))
	}
	for i := range got {
		g, isNumber := number(got[i])
		w, _ := number(want[i])
		if isNumber && math.Abs(g-w) <= within*max(1, math.Abs(w)) || got[i] == want[i] {
			continue
		}
		return fmt.Errorf("row %d: %v, and not the library's %v", i, got[i], want[i])
	}
	return nil
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
