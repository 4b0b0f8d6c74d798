// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	planVariable    = "SERIN_BENCH_PLAN"
	connections     = 32
	idleConnections = 1000
)

// plan is what a load role does.
type plan struct {
	Rate    int // requests per second
	Seconds int
}

// measureLatency runs the load beside the backend.
func (p *processes) measureLatency(target *proxy, opts options, services int) (latency, error) {
	exe, err := os.Executable()
	if err != nil {
		return latency{}, err
	}
	what, err := json.Marshal(plan{Rate: opts.rate, Seconds: opts.seconds})
	if err != nil {
		return latency{}, err
	}
	cmd := pinned(p.ctx, loadCPU, exe)
	cmd.Env = append(os.Environ(), roleVariable+"="+loadRole, nextVariable+"="+target.addr, planVariable+"="+string(what), fmt.Sprintf("%s=%d", servicesVariable, services))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return latency{}, fmt.Errorf("load: %w", err)
	}
	var l latency
	return l, json.Unmarshal(out, &l)
}

// load is the other side of measureLatency.
func load(ctx context.Context, addr string, services int) error {
	var what plan
	if err := json.Unmarshal([]byte(os.Getenv(planVariable)), &what); err != nil {
		return err
	}
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var wg sync.WaitGroup
	interval := connections * time.Second / time.Duration(what.Rate)
	begin := time.Now().Add(100 * time.Millisecond)
	for i := range connections {
		wg.Go(func() {
			first := begin.Add(time.Duration(i) * interval / connections)
			took, err := schedule(ctx, addr, hostOf(i%services), first, interval, begin.Add(time.Duration(what.Seconds)*time.Second))
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return failed
	}
	slices.Sort(all)
	return json.NewEncoder(os.Stdout).Encode(latency{P50: all[len(all)/2], P99: all[len(all)*99/100]})
}

// schedule sends a request every interval from first on over one connection. A
// request's time counts from the moment when it was due, even if the response
// before it had not arrived then: so a slow response is charged to all requests
// that wait for it. A timer that fires late while the connection is free is not
// charged to the proxy.
func schedule(ctx context.Context, addr, host string, first time.Time, interval time.Duration, end time.Time) ([]time.Duration, error) {
	c, err := open(ctx, addr, host)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }() // all responses were read
	var took []time.Duration
	for due := first; due.Before(end); due = due.Add(interval) {
		began := due
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
			began = time.Now()
		}
		if err := c.ask(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// client is a connection that asks the same again and again.
type client struct {
	net.Conn
	br      *bufio.Reader
	request []byte
}

// open connects and asks once.
func open(ctx context.Context, addr, host string) (*client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &client{Conn: conn, br: bufio.NewReaderSize(conn, 1<<10)}
	c.request = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, host, len(padded), padded)
	if err := c.ask(); err != nil {
		_ = conn.Close() // it is of no use
		return nil, err
	}
	return c, nil
}

func (c *client) ask() error {
	if _, err := c.Write(c.request); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.br, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close() // read to its end
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the answer is %s", response.Status)
	}
	return err
}
