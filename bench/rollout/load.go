// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	service   = "sklearn-iris"
	namespace = "kserve-test"

	// connections bounds the requests under way. Like the connection pools of
	// real clients it is far below the number that a router holds. A request
	// that finds no connection waits in the client, and its latency grows.
	connections = 256
	// requestTimeout is when a client gives up.
	requestTimeout = 30 * time.Second
)

const question = `{"instances": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}`

// generator sends the same request again and again on a fixed schedule. A slow
// answer delays no other request, and every latency counts from the moment when
// the request was due. It sends no request twice.
type generator struct {
	router  string // host:port
	request []byte
	rate    int
	paused  atomic.Bool
	failed  atomic.Int64

	mu      sync.Mutex
	answers []answer
}

// answer is the outcome of one request.
type answer struct {
	due, sent, done time.Time
	revision        string // that answered, or failed to
	failure         string // empty: it was answered with 200, to the last byte
}

func newGenerator(router string, rate int) *generator {
	return &generator{
		router: router,
		rate:   rate,
		request: fmt.Appendf(nil, "POST /v1/models/%s:predict HTTP/1.1\r\nHost: %s.%s.example.com\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", service, service, namespace, len(question), question),
	}
}

// run sends requests until ctx ends, and returns when all are answered.
func (g *generator) run(ctx context.Context) {
	due := make(chan time.Time)
	var workers sync.WaitGroup
	for range connections {
		workers.Go(func() { g.work(due) })
	}
	began := time.Now()
	for i := int64(0); ctx.Err() == nil; i++ {
		at := began.Add(time.Duration(i * int64(time.Second) / int64(g.rate)))
		time.Sleep(time.Until(at))
		if !g.paused.Load() {
			due <- at
		}
	}
	close(due)
	workers.Wait()
}

// waitAnswer waits until the router knows the service, which is a moment after
// the status does.
func (g *generator) waitAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		c, err := dial(g.router)
		if err == nil {
			_, _, err = c.ask(g.request)
			_ = c.Close() // it was for one request
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer within %s; last: %w", startTimeout, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// work sends requests over one connection, one after the other.
func (g *generator) work(due <-chan time.Time) {
	var c *connection
	for at := range due {
		a := answer{due: at, sent: time.Now()}
		var err error
		if c == nil {
			c, err = dial(g.router)
		}
		closes := true
		if err == nil {
			a.revision, closes, err = c.ask(g.request)
		}
		a.done = time.Now()
		if err != nil {
			a.failure = err.Error()
			g.failed.Add(1)
		}
		if closes && c != nil {
			_ = c.Close() // the answer was read, or there is none
			c = nil
		}
		g.mu.Lock()
		g.answers = append(g.answers, a)
		g.mu.Unlock()
	}
	if c != nil {
		_ = c.Close() // idle
	}
}

// connection is one to the router. Go's own client would send some requests
// twice.
type connection struct {
	net.Conn
	br       *bufio.Reader
	revision string // of the latest answer
}

func dial(address string) (*connection, error) {
	dialer := net.Dialer{Timeout: requestTimeout}
	c, err := dialer.DialContext(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{Conn: c, br: bufio.NewReader(c)}, nil
}

// ask sends a request and reads the answer.
func (c *connection) ask(request []byte) (revision string, closes bool, err error) {
	if err := c.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return "", true, err
	}
	if _, err := c.Write(request); err != nil {
		return "", true, err
	}
	res, err := http.ReadResponse(c.br, nil)
	if err != nil {
		return "", true, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", true, fmt.Errorf("read the answer: %w", err)
	}
	if revision := res.Header.Get("Serin-Revision"); revision != c.revision {
		c.revision = revision // kept, so that a million answers share it
	}
	switch {
	case res.StatusCode != http.StatusOK:
		err = fmt.Errorf("%s: %.200s", res.Status, body)
	case c.revision == "":
		err = fmt.Errorf("the answer does not say which revision gave it: %.200s", body)
	}
	return c.revision, res.Close, err
}
