// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// The objects of a rollout: not leases, nor the events of nodes.
const counted = `(inferenceservices|controllerrevisions|deployments|services|replicasets|pods|events)`

var (
	requests    = regexp.MustCompile(`^apiserver_request_total\{.*resource="` + counted + `".*verb="(GET|LIST|POST|PUT|PATCH|APPLY|DELETE)"`)
	watched     = regexp.MustCompile(`^apiserver_watch_events_total\{.*(resource|kind)="` + counted + `"`)
	reconciles  = regexp.MustCompile(`^controller_runtime_reconcile_total\{`)
	allocations = regexp.MustCompile(`^go_memstats_mallocs_total `)
)

// apiRequests asks the API server how many requests it had.
func (s *system) apiRequests(ctx context.Context) (int, error) {
	said, err := s.client.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return 0, err
	}
	return int(sum(said, requests)), nil
}

// scrape reads a program's metrics.
func scrape(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	said, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, said)
	}
	return said, err
}

// sum adds up the metrics whose line matches.
func sum(metrics []byte, match *regexp.Regexp) float64 {
	total := 0.0
	for line := range strings.Lines(string(metrics)) {
		if match.MatchString(line) {
			n, _ := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:]), 64) // a metric's value is a number
			total += n
		}
	}
	return total
}
