// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/serin-dev/serin/bench/internal/report"
)

// compareServers measures one model over HTTP and gRPC.
func (l *libraries) compareServers(ctx context.Context, name string, o *options, r *report.Report) error {
	python, err := environmentOfServers(ctx)
	if err != nil {
		return err
	}
	asked, err := l.read(name)
	if err != nil {
		return err
	}
	var rows [][]float64
	for _, row := range asked.Rows {
		var numbers []float64
		for _, v := range row {
			f, _ := number(v)
			numbers = append(numbers, f)
		}
		rows = append(rows, numbers)
	}
	dir, err := os.MkdirTemp("", "serin-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	servers, err := startServers(ctx, python, dir, filepath.Join(l.models, name+".joblib"), o.clients)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range protocols {
		for _, n := range o.rows {
			t := &traffic{protocol: p, clients: o.clients, length: o.length, want: asked.Answers[:n], tails: !o.quick}
			t.body, t.jsonLength = p.request(rows[:n])
			if err := t.compare(ctx, fmt.Sprintf("%s, %s, %d rows", name, p.name, n), o.rounds, servers, r); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
			}
		}
	}
	return errors.Join(append(errs, stopServers(servers))...)
}

// traffic is the same request again and again.
type traffic struct {
	protocol
	clients    int
	length     time.Duration
	body       []byte
	jsonLength int
	want       []any
	tails      bool // p99 counts: not in turns of a few requests
}

// compare gives the servers their turns.
func (t *traffic) compare(ctx context.Context, at string, rounds int, servers []*server, r *report.Report) error {
	servers = slices.DeleteFunc(slices.Clone(servers), func(s *server) bool { return s.name == t.lacks })
	for _, s := range servers {
		if err := t.check(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	medians := map[string][]float64{}
	for range rounds {
		p50, p99 := map[string]float64{}, map[string]float64{}
		for _, s := range servers {
			took, err := t.turn(ctx, s)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			p50[s.name], p99[s.name] = report.Median(took), report.Percentile(took, 99)
			medians[s.name] = append(medians[s.name], p50[s.name])
		}
		for _, s := range servers[1:] {
			r.Add("models-"+s.name+"-p50", at, p50[serin]/p50[s.name])
			if t.tails {
				r.Add("models-"+s.name+"-p99", at, p99[serin]/p99[s.name])
			}
		}
	}
	fmt.Print(at, ":")
	for _, s := range servers {
		fmt.Printf(" %s %.3g ms", s.name, report.Median(medians[s.name]))
	}
	fmt.Println()
	return nil
}

// check compares a server's answers with the library's.
func (t *traffic) check(ctx context.Context, s *server) error {
	body, err := s.ask(ctx, &t.protocol, t.body, t.jsonLength)
	if err != nil {
		return err
	}
	answers, err := t.answers(body)
	if err != nil {
		return err
	}
	var got []any
	for _, v := range answers {
		got = append(got, v)
	}
	return same(got, t.want)
}

// turn returns how many milliseconds each request took. Every client sends some.
func (t *traffic) turn(ctx context.Context, s *server) ([]float64, error) {
	const least = 3
	var mu sync.Mutex
	var took []float64
	var errs []error
	var wg sync.WaitGroup
	end := time.Now().Add(t.length)
	for range t.clients {
		wg.Go(func() {
			for i := 0; i < least || time.Now().Before(end); i++ {
				begin := time.Now()
				_, err := s.ask(ctx, &t.protocol, t.body, t.jsonLength)
				mu.Lock()
				took = append(took, time.Since(begin).Seconds()*1000)
				errs = append(errs, err)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return took, errors.Join(errs...)
}
