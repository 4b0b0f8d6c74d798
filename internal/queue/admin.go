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

	"github.com/serin-dev/serin/internal/connlimit"
)

// maxAdmin is how many connections the admin listener has at once.
const maxAdmin = 64

// administer serves the admin listener until ctx ends, and the answers that
// /wait-for-drain still owes then.
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

// waitForDrain answers when the last request ended. The model server's preStop
// hook calls it when the server is to end: with its Pod, of which the queue is
// told, too, or alone, because a probe failed; then nobody waits for requests
// of which the server may never answer one.
func (q *queue) waitForDrain(w http.ResponseWriter, r *http.Request) {
	alone := time.NewTimer(q.AloneFor)
	defer alone.Stop()
	select {
	case <-q.draining:
	case <-alone.C:
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
