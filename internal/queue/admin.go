// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// administer serves the admin listener until ctx ends, and the answers that
// /wait-for-drain still owes then.
func (q *queue) administer(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(q.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /ready", q.ready)
	mux.HandleFunc("GET /wait-for-drain", q.waitForDrain)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(q.Log.Handler(), slog.LevelDebug)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(q.Admin) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", q.Admin.Addr(), err)
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeFor)
	defer cancel()
	err := server.Shutdown(bounded)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // what is left is not worth waiting for
	}
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		return ended
	}
	return err
}

func (q *queue) ready(w http.ResponseWriter, _ *http.Request) {
	select {
	case <-q.draining:
		http.Error(w, "draining", http.StatusServiceUnavailable)
	default:
		fmt.Fprintln(w, "ok")
	}
}

// waitForDrain begins the end, if nobody did, and answers when the last request
// ended.
func (q *queue) waitForDrain(w http.ResponseWriter, r *http.Request) {
	q.announce()
	select {
	case <-q.drained:
		fmt.Fprintln(w, "drained")
	case <-r.Context().Done():
	}
}
