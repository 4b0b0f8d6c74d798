// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// bufferSize bounds the head of a request or response, and the part of a
	// request's body that is read before the request has a target.
	bufferSize = 16 << 10
	// clientIdle is how long an idle client connection is kept.
	clientIdle = 3 * time.Minute
	// idleGrace is how long an idle connection may still send one more request
	// when the server stops: the request may already be on its way.
	idleGrace = 500 * time.Millisecond
)

// Config is what a Server needs.
type Config struct {
	Policy    Policy
	Inside    net.Listener  // a second listener, whose requests have Request.Inside set; nil: none
	Forwarded bool          // add this hop to the X-Forwarded headers
	DetectH2  bool          // probe once whether a target speaks HTTP/2; else use the client's protocol
	Drain     time.Duration // how long requests may still take when Serve must end
	Idle      time.Duration // how long a connection to a target is kept for reuse; zero: 30 s, for Serin's own servers
	Limits    Limits        // for slow clients and silent streams; the zero value: DefaultLimits
	// Connections bounds the connections of clients and to targets.
	Connections Connections
	Log         *slog.Logger
}

// Server is a proxy on a listener. Make one with New and call Serve once.
type Server struct {
	Config
	upstreams *upstreams
	http2     *http2Side
	draining  atomic.Bool

	// base ends when requests must end at once.
	base context.Context
	kill context.CancelFunc

	conns connections
	wg    sync.WaitGroup
}

// New returns a Server for cfg.
func New(cfg Config) *Server {
	cfg.Idle = cmp.Or(cfg.Idle, upstreamIdle)
	cfg.Limits = cmp.Or(cfg.Limits, DefaultLimits())
	cfg.Connections = cfg.Connections.withDefaults(Descriptors())
	s := &Server{
		Config:    cfg,
		upstreams: newUpstreams(cfg.Idle, cfg.Connections.Targets),
		conns:     connections{Connections: cfg.Connections, log: cfg.Log, clients: map[netip.Prefix]*client{}},
	}
	s.base, s.kill = context.WithCancel(context.Background())
	s.http2 = newHTTP2Side(s)
	return s
}

// Serve accepts connections until ctx ends, and then waits for the requests in
// flight, at most Config.Drain. When it returns, no goroutine or connection is left.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	defer s.kill()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		s.draining.Store(true)
		_ = ln.Close() // ends Accept
		if s.Inside != nil {
			_ = s.Inside.Close()
		}
	})
	defer stop()
	var sweeper sync.WaitGroup
	sweeper.Go(func() { s.sweep() })
	s.http2.start()

	inside := make(chan error, 1)
	if s.Inside == nil {
		inside <- nil
	} else {
		go func() {
			defer cancel()
			inside <- s.accept(ctx, s.Inside, true)
		}()
	}
	err := s.accept(ctx, ln, false)
	_ = ln.Close() // a second Close is harmless
	cancel()
	err = errors.Join(err, <-inside)
	s.drain()
	s.kill()
	s.upstreams.close()
	sweeper.Wait()
	return err
}

func (s *Server) accept(ctx context.Context, ln net.Listener, inside bool) error {
	var pause time.Duration
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			s.open(nc, inside)
			continue
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept connections on %s: %w", ln.Addr(), err)
		case outOfDescriptors(err) && s.conns.freeDescriptor(time.Now()):
			continue
		}
		if pause == 0 { // once, until Accept succeeds again
			s.Log.Warn("accept a connection", "err", err)
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// open serves a connection in a new goroutine, unless the limit refuses it.
func (s *Server) open(nc net.Conn, inside bool) {
	c := newConn(s, nc)
	c.inside = inside
	if !s.conns.add(c, time.Now()) {
		_ = nc.Close() // no request was read
		return
	}
	c.setState(idle) // also before it is served: the next of a burst may replace it
	s.wg.Go(func() {
		if handedOff := c.serve(); !handedOff {
			_ = nc.Close() // all responses were sent
			s.conns.remove(c)
		}
	})
}

// ConnectionCounts returns the counts of client connections.
func (s *Server) ConnectionCounts() ConnectionCounts { return s.conns.count() }

// drain waits until all connections are closed: idle ones after idleGrace, busy ones
// after their request, and the rest when Config.Drain has passed.
func (s *Server) drain() {
	bound := time.AfterFunc(s.Drain, s.abort)
	defer bound.Stop()
	s.draining.Store(true)
	s.conns.each((*conn).expireIdle)
	ctx, cancel := context.WithTimeout(s.base, s.Drain)
	defer cancel()
	s.http2.stop(ctx)
	s.wg.Wait()
}

// abort closes every connection.
func (s *Server) abort() {
	s.kill()
	s.conns.each((*conn).abort)
}

// sweep closes idle upstream connections until the server ends.
func (s *Server) sweep() {
	tick := time.NewTicker(s.Idle / 3)
	defer tick.Stop()
	for {
		select {
		case <-s.base.Done():
			return
		case now := <-tick.C:
			s.upstreams.sweep(now)
		}
	}
}
