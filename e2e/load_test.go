// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// load sends the request of `curl ARGS` N times per second until SIGTERM, or for a
// time. It does not wait for earlier requests. Then it prints how many failed:
// those without an answer within 30 s, or with a status other than 200. A third
// of the requests use new connections, as from clients that come and go.
func load() {
	times, length, bounded := strings.Cut(os.Args[1], "/")
	rate, err := strconv.Atoi(times)
	if err != nil || rate < 1 {
		exit("load", fmt.Errorf("usage: load N CURL-ARGS, or load N/10s CURL-ARGS"))
	}
	r, err := parse(os.Args[2:])
	if err != nil {
		exit("load", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if bounded {
		limit, err := time.ParseDuration(length)
		if err != nil {
			exit("load", err)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	dialer := &net.Dialer{Timeout: 3 * time.Second}
	kept := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: rate, IdleConnTimeout: 20 * time.Second}}
	once := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}

	var (
		mu           sync.Mutex
		wg           sync.WaitGroup
		sent, failed int
		first, last  time.Duration
		why          = map[string]int{}
	)
	begin := time.Now()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			continue
		case <-tick.C:
		}
		client := kept
		if sent%3 == 0 {
			client = once
		}
		sent++
		at := time.Since(begin)
		wg.Go(func() {
			res, body, err := r.sendBy(client)
			switch {
			case err == nil && res.StatusCode == http.StatusOK:
				return
			case err == nil:
				err = fmt.Errorf("%s: %s", res.Status, body)
			}
			mu.Lock()
			defer mu.Unlock()
			if failed++; failed == 1 || at < first {
				first = at
			}
			last = max(last, at)
			why[err.Error()]++
		})
	}
	wg.Wait()
	fmt.Printf("%d requests in %.0f s, %d failed\n", sent, time.Since(begin).Seconds(), failed)
	if failed > 0 {
		fmt.Printf("the first at %.1f s, the last at %.1f s\n", first.Seconds(), last.Seconds())
	}
	for text, n := range why {
		fmt.Printf("%6d %s\n", n, text)
	}
}
