// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/serin-dev/serin/internal/dataplane/connlimit"
)

// maxAdmin bounds the connections of the admin listener.
const maxAdmin = 64

// administer serves the admin listener until ctx ends, and then answers the pending
// requests for /wait-for-drain.
func (q *queue) administer(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(q.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /ready", q.ready)
	mux.HandleFunc("GET /wait-for-drain", q.waitForDrain)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(q.Log.Handler(), slog.LevelDebug)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(connlimit.Listen(q.Admin, maxAdmin)) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", q.Admin.Addr(), err)
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	err := server.Shutdown(bounded)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // the remaining requests are not worth waiting for
	}
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		return ended
	}
	return err
}

func (q *queue) ready(w http.ResponseWriter, r *http.Request) {
	select {
	case <-q.draining:
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	default:
	}
	err := q.probeGRPC(r.Context())
	switch was := q.refused.Swap(err != nil); { // the kubelet's event does not have the answer's text
	case err != nil && !was:
		q.Log.Warn("not ready: the model server's port for gRPC accepts no connection", "err", err)
	case err == nil && was:
		q.Log.Info("the model server's port for gRPC accepts connections", "address", q.GRPC)
	}
	if err != nil {
		http.Error(w, fmt.Sprintf("the model server's port for gRPC accepts no connection: %v", err), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// probeGRPC connects to the port for gRPC, as the kubelet does to the other port.
func (q *queue) probeGRPC(ctx context.Context) error {
	if !q.ProbeGRPC {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", q.GRPC)
	if err == nil {
		_ = conn.Close() // it was only a probe
	}
	return err
}

// waitForDrain answers when the last request ended. The preStop hook of the model
// server calls it. If the whole Pod ends, the queue drains, too. If it does not within
// PodWait, only the model server ends, because a probe failed: then the hook must not
// wait, because the model server may never answer its requests.
func (q *queue) waitForDrain(w http.ResponseWriter, r *http.Request) {
	podWait := time.NewTimer(q.PodWait)
	defer podWait.Stop()
	select {
	case <-q.draining:
	case <-podWait.C:
		fmt.Fprintln(w, "the Pod goes on")
		return
	case <-r.Context().Done():
		return
	}
	select {
	case <-q.drained:
		fmt.Fprintln(w, "drained")
	case <-r.Context().Done():
	}
}
